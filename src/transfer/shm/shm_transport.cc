#include "transfer/shm/shm_transport.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "transfer/mover.h"
#include "transfer/shm/mapping.h"

namespace kvstore::transfer {
namespace {

Status PeerWasClosed() { return UnavailableError("the peer was closed at this end"); }

}  // namespace

ShmTransport::ShmTransport(const ShmClientOptions& options)
    : options_(options), copier_(options.guards), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  carrier_.emplace([this](Parcel parcel) { Carry(std::move(parcel)); });
}

ShmTransport::~ShmTransport() {
  carrier_.reset();
  std::thread keeper;
  {
    MutexLock lock(mu_);
    ending_ = true;
    keeper.swap(keeper_);
  }
  WakeKeeper();
  if (keeper.joinable()) keeper.join();
  for (const std::shared_ptr<ShmPeer>& peer : AllPeers()) peer->Close();
}

void ShmTransport::WakeKeeper() const {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then the keeper is awake anyway.
  (void)!write(wake_.get(), &one, sizeof(one));
}

Result<std::shared_ptr<ShmPeer>> ShmTransport::PeerOf(const Target& target) {
  MutexLock lock(mu_);
  if (*target.closed) return PeerWasClosed();
  std::shared_ptr<ShmPeer>& peer = peers_[target.peer];
  if (peer == nullptr) {
    peer = std::make_shared<ShmPeer>(target.descriptor, [this] { WakeKeeper(); });
    if (!keeper_.joinable()) keeper_ = std::thread([this] { Keep(); });
  }
  return peer;
}

Status ShmTransport::Reaches(const Target& target, RegionId region, Access access,
                             TimePoint deadline) {
  if (target.descriptor->shm_socket.empty()) {
    return FailedPreconditionError("shm needs a peer that shares memory, and this one does not");
  }
  if (target.descriptor->host != options_.host) {
    return FailedPreconditionError("shm leads to peers of this host only");
  }
  if (!wake_.valid()) return FailedPreconditionError("shm has no eventfd for its keeper");
  KVSTORE_ASSIGN_OR_RETURN(const std::shared_ptr<ShmPeer> peer, PeerOf(target));
  const Result<std::shared_ptr<ShmRegion>> found = peer->Find(region, access, deadline);
  if (found.ok()) return Status::Ok();
  return Status(found.status().code(), "shm: " + found.status().message());
}

void ShmTransport::Carry(Parcel parcel) {
  std::shared_ptr<ShmRegion> region;
  Access access = Access::kRead;  // of `region`
  const Access all = parcel.batch->copy(parcel.copies.front()).access;
  const bool streamed = IsStreamed(all, parcel.bytes());
  for (const size_t index : parcel.copies) {
    const transfer::Copy& copy = parcel.batch->copy(index);
    Status status;
    if (region == nullptr || region->id() != copy.region || access != copy.access) {
      region.reset();
      access = copy.access;
      Result<std::shared_ptr<ShmPeer>> peer = PeerOf(parcel.target);
      status = peer.status();
      if (peer.ok()) {
        Result<std::shared_ptr<ShmRegion>> found =
            (*peer)->Find(copy.region, copy.access, parcel.batch->reach_by());
        status = found.status();
        if (found.ok()) region = *std::move(found);
      }
    }
    if (region != nullptr) status = copier_.Copy(*region, parcel, index, streamed);
    const Outcome outcome = status.ok() ? Outcome::kDone : Outcome::kFailed;
    parcel.batch->Finish(index, outcome, std::move(status), Way::kShm);
  }
}

Result<std::unique_ptr<Mapping>> ShmTransport::Map(const Target& target, const MapRequest& request,
                                                   TimePoint deadline) {
  KVSTORE_ASSIGN_OR_RETURN(const std::shared_ptr<ShmPeer> peer, PeerOf(target));
  KVSTORE_ASSIGN_OR_RETURN(std::shared_ptr<ShmRegion> region,
                           peer->Find(request.region, request.access, deadline));
  KVSTORE_RETURN_IF_ERROR(region->CheckBounds(request.offset, request.length, request.guard));
  std::shared_ptr<Window> window;
  if (request.access == Access::kWrite && request.length > 0) {
    KVSTORE_ASSIGN_OR_RETURN(window, region->windows().Get(request.offset, request.length));
  }
  const auto none_left = [] {
    return ResourceExhaustedError("this process has " + std::to_string(kMappingSlots) +
                                  " mappings of that peer, as many as it may");
  };
  KVSTORE_ASSIGN_OR_RETURN(Announcement announced,
                           copier_.Announce(*region, SlotKind::kMapping,
                                            {.offset = request.offset, .length = request.length},
                                            request.guard, none_left));
  if (window != nullptr) window->Prepare(request.offset, request.length);
  return std::unique_ptr<Mapping>(std::make_unique<ShmMapping>(std::move(region), std::move(window),
                                                               std::move(announced), request));
}

void ShmTransport::Close(PeerId id) {
  std::shared_ptr<ShmPeer> peer;
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    peer = std::move(found->second);
    peers_.erase(found);
  }
  peer->Close();
}

std::vector<std::shared_ptr<ShmPeer>> ShmTransport::AllPeers() {
  std::vector<std::shared_ptr<ShmPeer>> peers;
  MutexLock lock(mu_);
  for (const auto& [id, peer] : peers_) peers.push_back(peer);
  return peers;
}

void ShmTransport::Keep() {
  for (;;) {
    {
      MutexLock lock(mu_);
      if (ending_) return;
    }
    Watch(AllPeers());
    DropIdle(BootClock::now());
  }
}

void ShmTransport::Watch(const std::vector<std::shared_ptr<ShmPeer>>& peers) const {
  std::vector<std::shared_ptr<ShmConnection>> watched;  // keeps their sockets open
  std::vector<pollfd> fds = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  for (const std::shared_ptr<ShmPeer>& peer : peers) {
    std::shared_ptr<ShmConnection> connection = peer->connection();
    if (connection == nullptr) continue;
    // Only its end: its answers are for whoever asked.
    fds.push_back({.fd = connection->fd(), .events = POLLRDHUP, .revents = 0});
    watched.push_back(std::move(connection));
  }
  const Duration step = std::clamp<Duration>(std::min(options_.window_idle, options_.peer_idle) / 2,
                                             std::chrono::milliseconds(10), std::chrono::hours(1));
  poll(fds.data(), fds.size(),
       static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(step).count()));
  uint64_t wakes = 0;
  (void)!read(wake_.get(), &wakes, sizeof(wakes));
  for (size_t i = 0; i < watched.size(); ++i) {
    if (fds[i + 1].revents != 0) watched[i]->End();
  }
}

void ShmTransport::DropIdle(TimePoint now) {
  const TimePoint window_since = now - options_.window_idle;
  const TimePoint peer_since = now - options_.peer_idle;
  std::vector<std::shared_ptr<ShmPeer>> unused;
  for (const std::shared_ptr<ShmPeer>& peer : AllPeers()) {
    if (peer->DropIdle(window_since, peer_since)) unused.push_back(peer);
  }
  MutexLock lock(mu_);
  for (auto it = peers_.begin(); it != peers_.end();) {
    const auto next = std::next(it);
    const bool idle = std::find(unused.begin(), unused.end(), it->second) != unused.end();
    // Ours and the map's are the only references: nobody is about to use it.
    if (idle && it->second.use_count() == 2) peers_.erase(it);
    it = next;
  }
}

}  // namespace kvstore::transfer
