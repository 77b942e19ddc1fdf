#include "transfer/engine.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "thread_annotations.h"
#include "transfer/batch.h"
#include "transfer/descriptor.h"
#include "transfer/local/local_transport.h"
#include "transfer/registry.h"
#include "transfer/tcp/endpoint.h"
#include "transfer/tcp/server.h"
#include "transfer/tcp/tcp_transport.h"
#include "transfer/transport.h"

namespace kvstore::transfer {
namespace {

// Run carries so much itself: waking a worker costs as much as the round trip.
constexpr uint64_t kSmallBytes = 64 << 10;
constexpr size_t kSmallCopies = 64;

Incarnation DrawIncarnation() {
  std::random_device random;
  Incarnation drawn;
  while (drawn.IsNone()) {
    drawn.high = (uint64_t{random()} << 32) | random();
    drawn.low = (uint64_t{random()} << 32) | random();
  }
  return drawn;
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

Status CheckOptions(const EngineOptions& options) {
  if (options.tcp_connections_per_peer < 1 || options.tcp_connections_per_peer > 64) {
    return InvalidArgumentError("tcp_connections_per_peer is " +
                                std::to_string(options.tcp_connections_per_peer) +
                                "; it may be 1 to 64");
  }
  if (options.tcp_max_incoming < 1) return InvalidArgumentError("tcp_max_incoming must be above 0");
  for (const Duration timeout :
       {options.tcp_stall_timeout, options.tcp_hello_timeout, options.tcp_idle_timeout}) {
    if (timeout <= Duration::zero() || timeout > std::chrono::hours(1)) {
      return InvalidArgumentError(
          "tcp_stall_timeout, tcp_hello_timeout and tcp_idle_timeout must be above 0 and at most 1 "
          "hour");
    }
  }
  if (options.peer_idle_timeout <= Duration::zero()) {
    return InvalidArgumentError("peer_idle_timeout must be above 0");
  }
  if (options.host.size() > kMaxHostBytes) {
    return InvalidArgumentError("host has " + std::to_string(options.host.size()) +
                                " bytes; at most " + std::to_string(kMaxHostBytes));
  }
  for (const Way way : options.ways) {
    if (way != Way::kLocal && way != Way::kTcp) {
      return InvalidArgumentError("ways may name local and tcp only");
    }
  }
  return Status::Ok();
}

// The sum of the pieces' sizes; also says what no way needs to look at again.
Result<uint64_t> CheckCopy(const Copy& copy) {
  uint64_t size = 0;
  for (const Piece& piece : copy.pieces) {
    if (piece.data == nullptr && piece.size > 0) {
      return InvalidArgumentError("a piece of " + std::to_string(piece.size) +
                                  " bytes has no memory");
    }
    if (piece.size > std::numeric_limits<uint64_t>::max() - size) {
      return InvalidArgumentError("the pieces' sizes add up to more than 2^64 bytes");
    }
    size += piece.size;
  }
  if (copy.offset > std::numeric_limits<uint64_t>::max() - size) {
    return InvalidArgumentError(std::to_string(size) + " bytes at " + std::to_string(copy.offset) +
                                " end beyond 2^64");
  }
  return size;
}

// What peers are told to connect to.
Result<Endpoint> Advertised(const Endpoint& bound, const std::string& advertise) {
  if (!advertise.empty()) return Endpoint::Resolve(advertise, bound.port());
  if (!bound.IsWildcard()) return bound;
  return InvalidArgumentError(
      bound.ToString() + " is no address that peers can connect to; name one to be advertised");
}

// One engine's parts. The threads of its transports and its server use it until it is destroyed.
class EngineParts {
 public:
  EngineParts(const EngineOptions& options, const TransferGuards& guards);

  Status Listen(const EngineOptions& options, const TransferGuards& guards);

  Registry& registry() { return registry_; }
  std::string Descriptor();
  Incarnation incarnation();
  void Rename(const Incarnation& incarnation);
  Result<PeerId> Open(std::string_view descriptor);
  void Close(PeerId id);
  std::shared_ptr<BatchState> Submit(std::span<const Copy> copies, TimePoint deadline);
  std::vector<Completion> Run(std::span<const Copy> copies, TimePoint deadline);
  WayCounters counters(Way way) const { return totals_->Get(way); }
  ServedCounters served() const {
    return server_ == nullptr ? ServedCounters{} : server_->served();
  }

 private:
  struct Routed {
    Transport* transport;
    Parcel parcel;
  };
  struct OpenPeer {
    std::shared_ptr<const PeerDescriptor> descriptor;
    std::shared_ptr<std::atomic<bool>> closed;
    TimePoint last_used;
  };
  struct Route {
    OpenPeer peer;
    Transport* transport = nullptr;
  };

  // Sorts the copies by peer; those that no way can carry are finished at once.
  std::vector<Routed> Sort(const std::shared_ptr<BatchState>& batch);
  Status SortOne(const std::shared_ptr<BatchState>& batch, size_t index,
                 std::vector<Routed>* parcels);
  Result<Route> FindRoute(PeerId id);
  // Peers come and go for as long as the process lives; those nobody asks for must not pile up.
  void ForgetIdlePeers(TimePoint now) REQUIRES(mu_);
  bool Allows(Way way) const;

  const std::vector<Way> ways_;  // empty: all
  const std::string host_;
  const Duration peer_idle_timeout_;
  const std::shared_ptr<WayTotals> totals_ = std::make_shared<WayTotals>();
  Registry registry_;
  std::unique_ptr<TcpServer> server_;    // null: no port
  std::vector<std::string> advertised_;  // unchanging after Listen

  Mutex mu_;
  Incarnation incarnation_ GUARDED_BY(mu_);
  std::map<PeerId, OpenPeer> peers_ GUARDED_BY(mu_);
  std::unordered_map<Incarnation, PeerId> ids_ GUARDED_BY(mu_);  // of peers_
  PeerId next_peer_ GUARDED_BY(mu_) = 1;

  std::vector<std::unique_ptr<Transport>> transports_;  // cheapest first; destroyed first of all
};

EngineParts::EngineParts(const EngineOptions& options, const TransferGuards& guards)
    : ways_(options.ways),
      host_(options.host.empty() ? BootId() : options.host),
      peer_idle_timeout_(options.peer_idle_timeout),
      registry_(guards),
      incarnation_(options.incarnation.IsNone() ? DrawIncarnation() : options.incarnation) {
  transports_.push_back(
      std::make_unique<LocalTransport>(registry_, [this] { return incarnation(); }));
  transports_.push_back(std::make_unique<TcpTransport>(TcpClientOptions{
      .connections = options.tcp_connections_per_peer,
      .timeouts = {.hello = options.tcp_hello_timeout, .stall = options.tcp_stall_timeout},
      .idle_timeout = options.tcp_idle_timeout,
      .guards = guards}));
}

bool EngineParts::Allows(Way way) const {
  return ways_.empty() || std::find(ways_.begin(), ways_.end(), way) != ways_.end();
}

Status EngineParts::Listen(const EngineOptions& options, const TransferGuards& guards) {
  if (options.tcp_listen.empty() || !Allows(Way::kTcp)) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint endpoint, Endpoint::Resolve(options.tcp_listen, 0));
  KVSTORE_ASSIGN_OR_RETURN(server_,
                           TcpServer::Create(endpoint, registry_,
                                             {.incarnation = incarnation(),
                                              .max_incoming = options.tcp_max_incoming,
                                              .timeouts = {.hello = options.tcp_hello_timeout,
                                                           .stall = options.tcp_stall_timeout,
                                                           .idle = 2 * options.tcp_idle_timeout},
                                              .guards = guards}));
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint told,
                           Advertised(server_->endpoint(), options.tcp_advertise));
  advertised_.push_back(told.ToString());
  return Status::Ok();
}

std::string EngineParts::Descriptor() {
  return EncodeDescriptor({.incarnation = incarnation(), .host = host_, .endpoints = advertised_});
}

Incarnation EngineParts::incarnation() {
  MutexLock lock(mu_);
  return incarnation_;
}

void EngineParts::Rename(const Incarnation& incarnation) {
  const Incarnation next = incarnation.IsNone() ? DrawIncarnation() : incarnation;
  {
    MutexLock lock(mu_);
    incarnation_ = next;
  }
  if (server_ != nullptr) server_->Rename(next);
}

Result<PeerId> EngineParts::Open(std::string_view descriptor) {
  KVSTORE_ASSIGN_OR_RETURN(PeerDescriptor peer, DecodeDescriptor(descriptor));
  const TimePoint now = BootClock::now();
  MutexLock lock(mu_);
  if (const auto known = ids_.find(peer.incarnation); known != ids_.end()) {
    peers_.at(known->second).last_used = now;
    return known->second;
  }
  ForgetIdlePeers(now);
  const PeerId id = next_peer_++;
  ids_[peer.incarnation] = id;
  peers_[id] = {.descriptor = std::make_shared<const PeerDescriptor>(std::move(peer)),
                .closed = std::make_shared<std::atomic<bool>>(false),
                .last_used = now};
  return id;
}

void EngineParts::ForgetIdlePeers(TimePoint now) {
  for (auto it = peers_.begin(); it != peers_.end();) {
    const auto next = std::next(it);
    if (now - it->second.last_used > peer_idle_timeout_) {
      ids_.erase(it->second.descriptor->incarnation);
      peers_.erase(it);
    }
    it = next;
  }
}

void EngineParts::Close(PeerId id) {
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    *found->second.closed = true;
    ids_.erase(found->second.descriptor->incarnation);
    peers_.erase(found);
  }
  for (const auto& transport : transports_) transport->Close(id);
}

Result<EngineParts::Route> EngineParts::FindRoute(PeerId id) {
  Route route;
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) {
      return InvalidArgumentError("peer " + std::to_string(id) +
                                  " isn't open at this engine; call Open first");
    }
    found->second.last_used = BootClock::now();
    route.peer = found->second;
  }
  std::string reasons;
  for (const auto& transport : transports_) {
    const Status reaches = transport->Reaches(*route.peer.descriptor);
    const bool allowed = Allows(transport->way());
    if (reaches.ok() && allowed) {
      route.transport = transport.get();
      return route;
    }
    const std::string name(WayName(transport->way()));
    reasons +=
        "; " + (reaches.ok() ? name + " is forbidden by EngineOptions::ways" : reaches.message());
  }
  return FailedPreconditionError("no way leads to peer " +
                                 route.peer.descriptor->incarnation.ToString() + reasons);
}

Status EngineParts::SortOne(const std::shared_ptr<BatchState>& batch, size_t index,
                            std::vector<Routed>* parcels) {
  const Copy& copy = batch->copy(index);
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, CheckCopy(copy));
  batch->SetSize(index, size);
  auto parcel = std::find_if(parcels->begin(), parcels->end(),
                             [&](const Routed& routed) { return routed.parcel.peer == copy.peer; });
  if (parcel == parcels->end()) {
    KVSTORE_ASSIGN_OR_RETURN(Route route, FindRoute(copy.peer));
    parcels->push_back({.transport = route.transport,
                        .parcel = {.peer = copy.peer,
                                   .descriptor = std::move(route.peer.descriptor),
                                   .closed = std::move(route.peer.closed),
                                   .batch = batch,
                                   .copies = {}}});
    parcel = std::prev(parcels->end());
  }
  parcel->parcel.copies.push_back(index);
  return Status::Ok();
}

std::vector<EngineParts::Routed> EngineParts::Sort(const std::shared_ptr<BatchState>& batch) {
  std::vector<Routed> parcels;
  for (size_t i = 0; i < batch->size(); ++i) {
    Status status = SortOne(batch, i, &parcels);
    if (!status.ok()) {
      batch->Finish(i, Outcome::kFailed, std::move(status), Way::kAutomatic);
    }
  }
  return parcels;
}

std::shared_ptr<BatchState> EngineParts::Submit(std::span<const Copy> copies, TimePoint deadline) {
  auto batch = std::make_shared<BatchState>(copies, deadline, totals_);
  for (Routed& routed : Sort(batch)) routed.transport->Post(std::move(routed.parcel));
  return batch;
}

std::vector<Completion> EngineParts::Run(std::span<const Copy> copies, TimePoint deadline) {
  const auto batch = std::make_shared<BatchState>(copies, deadline, totals_);
  std::vector<Routed> parcels = Sort(batch);
  uint64_t total = 0;
  for (const Routed& routed : parcels) {
    for (const size_t index : routed.parcel.copies) total += batch->size_of(index);
  }
  const bool small = parcels.size() == 1 && total <= kSmallBytes && batch->size() <= kSmallCopies;
  // Others' threads start first, so that this one's copies run beside them.
  const auto own = std::partition(parcels.begin(), parcels.end(), [&](const Routed& routed) {
    return !small && routed.transport->way() != Way::kLocal;
  });
  for (auto it = parcels.begin(); it != own; ++it) it->transport->Post(std::move(it->parcel));
  for (auto it = own; it != parcels.end(); ++it) it->transport->Carry(std::move(it->parcel));
  batch->WaitForAll();
  return batch->completions();
}

class HostEngine final : public Engine {
 public:
  explicit HostEngine(std::unique_ptr<EngineParts> parts) : parts_(std::move(parts)) {}

  ~HostEngine() override {
    // A forked child has none of the threads, and shares the sockets with its parent.
    if (getpid() != creator_) (void)parts_.release();
  }

  Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options) override {
    return parts_->registry().Add(base, size, options);
  }
  Status Unregister(RegionId region) override { return parts_->registry().Remove(region); }
  std::string Descriptor() const override { return parts_->Descriptor(); }
  Incarnation incarnation() const override { return parts_->incarnation(); }
  void Rename(Incarnation incarnation) override { parts_->Rename(incarnation); }
  Result<PeerId> Open(std::string_view descriptor) override { return parts_->Open(descriptor); }
  void Close(PeerId peer) override { parts_->Close(peer); }
  std::unique_ptr<Batch> Submit(std::span<const Copy> copies, TimePoint deadline) override {
    return std::make_unique<SubmittedBatch>(parts_->Submit(copies, deadline));
  }
  std::vector<Completion> Run(std::span<const Copy> copies, TimePoint deadline) override {
    return parts_->Run(copies, deadline);
  }
  std::vector<Stretch> TouchedByOthers(RegionId) override { return {}; }
  Result<std::unique_ptr<Mapping>> Map(const MapRequest&, TimePoint) override {
    return UnimplementedError("no way maps memory yet");
  }
  WayCounters counters(Way way) const override { return parts_->counters(way); }
  ServedCounters served() const override { return parts_->served(); }

 private:
  std::unique_ptr<EngineParts> parts_;
  const pid_t creator_ = getpid();
};

}  // namespace

Result<std::unique_ptr<Engine>> CreateEngine(const EngineOptions& options,
                                             const TransferGuards& guards) {
  KVSTORE_RETURN_IF_ERROR(CheckOptions(options));
  auto parts = std::make_unique<EngineParts>(options, guards);
  KVSTORE_RETURN_IF_ERROR(parts->Listen(options, guards));
  return std::unique_ptr<Engine>(std::make_unique<HostEngine>(std::move(parts)));
}

Result<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  return CreateEngine(options, TransferGuards{});
}

}  // namespace kvstore::transfer
