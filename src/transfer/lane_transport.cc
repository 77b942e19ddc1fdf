#include "transfer/lane_transport.h"

#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

namespace kvstore::transfer {
namespace {

Status PeerWasClosed() { return UnavailableError("the peer was closed at this end"); }

}  // namespace

LaneTransport::LaneTransport(const LaneOptions& options) : options_(options) {}

void LaneTransport::End() {
  std::vector<std::shared_ptr<LanePool>> peers;
  std::thread keeper;
  {
    MutexLock lock(mu_);
    ending_ = true;
    ending_changed_.NotifyAll();
    keeper.swap(keeper_);
    for (auto& [id, entry] : peers_) peers.push_back(std::move(entry.peer));
    peers_.clear();
  }
  if (keeper.joinable()) keeper.join();
  for (const std::shared_ptr<LanePool>& peer : peers) peer->Close();
}

std::shared_ptr<LanePool> LaneTransport::PeerOf(const Target& target) {
  MutexLock lock(mu_);
  if (*target.closed) return nullptr;
  Entry& entry = peers_[target.peer];
  if (entry.peer == nullptr)
    entry.peer =
        std::make_shared<LanePool>(target.descriptor, static_cast<LaneMaker&>(*this), options_);
  entry.last_used = BootClock::now();
  if (!keeper_.joinable()) StartKeeper();
  return entry.peer;
}

uint64_t LaneTransport::SliceBytes(const Parcel&) const { return kSliceBytes; }

void LaneTransport::Post(Parcel parcel) {
  const std::shared_ptr<LanePool> peer = PeerOf(parcel.target);
  const uint64_t slice_bytes = SliceBytes(parcel);
  auto job = std::make_shared<Job>(std::move(parcel), way(), slice_bytes);
  if (peer == nullptr) return job->FailRest(PeerWasClosed());
  peer->Post(std::move(job));
}

void LaneTransport::Carry(Parcel parcel) {
  const std::shared_ptr<LanePool> peer = PeerOf(parcel.target);
  const uint64_t slice_bytes = SliceBytes(parcel);
  Job job(std::move(parcel), way(), slice_bytes);
  if (peer == nullptr) return job.FailRest(PeerWasClosed());
  peer->Carry(job);
}

std::optional<Completion> LaneTransport::ReadOverPool(const Target& target, const Copy& copy,
                                                      uint64_t size, const CopyLimits& limits,
                                                      TimePoint now) {
  std::shared_ptr<LanePool> peer;
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(target.peer);
    if (*target.closed || found == peers_.end()) return std::nullopt;
    found->second.last_used = now;
    peer = found->second.peer;
  }
  return peer->ReadOne(copy, size, limits, now);
}

std::unique_ptr<Lane> LaneTransport::Borrow(const Target& target) {
  const std::shared_ptr<LanePool> peer = PeerOf(target);
  return peer == nullptr ? nullptr : peer->Borrow(way());
}

void LaneTransport::Offer(const Target& target, std::unique_ptr<Lane> lane) {
  if (const std::shared_ptr<LanePool> peer = PeerOf(target)) peer->Offer(std::move(lane));
}

Result<std::unique_ptr<Mapping>> LaneTransport::Map(const Target&, const MapRequest&, TimePoint) {
  return FailedPreconditionError(std::string(WayName(way())) + " reaches no memory in place");
}

void LaneTransport::Close(PeerId id) {
  std::shared_ptr<LanePool> peer;
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    peer = std::move(found->second.peer);
    peers_.erase(found);
  }
  peer->Close();
}

void LaneTransport::StartKeeper() {
  try {
    keeper_ = std::thread([this] { Keep(); });
  } catch (const std::system_error&) {
    // The machine has no thread left: the next copies try again.
  }
}

void LaneTransport::Keep() {
  for (;;) {
    {
      MutexLock lock(mu_);
      const TimePoint next = BootClock::now() + options_.idle_timeout / 2;
      while (!ending_ && BootClock::now() < next) ending_changed_.WaitUntil(mu_, next);
      if (ending_) return;
    }
    const TimePoint since = BootClock::now() - options_.idle_timeout;
    DropIdleLanes(since);
    DropUnusedPeers(since);
  }
}

void LaneTransport::DropIdleLanes(TimePoint since) {
  std::vector<std::shared_ptr<LanePool>> peers;
  {
    MutexLock lock(mu_);
    for (const auto& [id, entry] : peers_) peers.push_back(entry.peer);
  }
  for (const std::shared_ptr<LanePool>& peer : peers) peer->DropIdle(since);
}

void LaneTransport::DropUnusedPeers(TimePoint since) {
  std::vector<std::shared_ptr<LanePool>> unused;
  {
    MutexLock lock(mu_);
    for (auto it = peers_.begin(); it != peers_.end();) {
      const auto next = std::next(it);
      Entry& entry = it->second;
      // With the only reference here, nobody is about to give it something to do.
      if (entry.last_used < since && entry.peer.use_count() == 1 && entry.peer->IsUnused()) {
        unused.push_back(std::move(entry.peer));
        peers_.erase(it);
      }
      it = next;
    }
  }
  for (const std::shared_ptr<LanePool>& peer : unused) peer->Close();
}

}  // namespace kvstore::transfer
