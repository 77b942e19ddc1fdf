#include "transfer/engine.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "thread_annotations.h"
#include "transfer/batch.h"
#include "transfer/descriptor.h"
#include "transfer/local/local_transport.h"
#include "transfer/peer_table.h"
#include "transfer/rdma/rdma.h"
#include "transfer/registry.h"
#include "transfer/shm/server.h"
#include "transfer/shm/shm_transport.h"
#include "transfer/tcp/endpoint.h"
#include "transfer/tcp/server.h"
#include "transfer/tcp/tcp_transport.h"
#include "transfer/transport.h"

namespace kvstore::transfer {
namespace {

// Run carries so much itself: waking a worker costs as much as the round trip.
constexpr uint64_t kSmallBytes = 64 << 10;
constexpr size_t kSmallCopies = 64;

bool IsNetwork(Way way) { return way == Way::kTcp || way == Way::kRdma; }

Incarnation DrawIncarnation() {
  std::random_device random;
  Incarnation drawn;
  while (drawn.IsNone()) {
    drawn.high = (uint64_t{random()} << 32) | random();
    drawn.low = (uint64_t{random()} << 32) | random();
  }
  return drawn;
}

// Peers must not use up what the process may have open.
uint32_t MostIncoming(const EngineOptions& options) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return options.tcp_max_incoming;
  const rlim_t half = std::max<rlim_t>(limit.rlim_cur / 2, 1);
  return static_cast<uint32_t>(std::min<rlim_t>(options.tcp_max_incoming, half));
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
  if (options.shm_window_idle <= Duration::zero()) {
    return InvalidArgumentError("shm_window_idle must be above 0");
  }
  if (options.shm_max_peers < 1) return InvalidArgumentError("shm_max_peers must be above 0");
  if (options.host.size() > kMaxHostBytes) {
    return InvalidArgumentError("host has " + std::to_string(options.host.size()) +
                                " bytes; at most " + std::to_string(kMaxHostBytes));
  }
  if (options.rdma_gid_index > std::numeric_limits<uint8_t>::max()) {
    return InvalidArgumentError("rdma_gid_index is " + std::to_string(options.rdma_gid_index) +
                                "; it may be 0 to 255, or negative");
  }
  for (const Way way : options.ways) {
    if (way == Way::kAutomatic || WayName(way) == "unknown") {
      return InvalidArgumentError("ways may name local, shm, rdma and tcp only");
    }
  }
  return Status::Ok();
}

// What a region that is shared must be besides what every region must.
Status CheckShared(const void* base, uint64_t size, const RegionOptions& options) {
  if (!options.remote) {
    return InvalidArgumentError("a region that no peer reaches can't be shared with peers");
  }
  if (base != options.shared->base() || size != options.shared->size()) {
    return InvalidArgumentError("a shared region must be all of its shared memory, of " +
                                std::to_string(options.shared->size()) + " bytes");
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

// One answer for all ways' refusals. What may pass is told from what never will: a peer that has
// ended or is stopped may be replaced by another one that isn't.
Status NoWay(const PeerDescriptor& peer, std::span<const Status> refusals) {
  const auto says = [&](StatusCode code) {
    return std::any_of(refusals.begin(), refusals.end(),
                       [&](const Status& refusal) { return refusal.code() == code; });
  };
  std::string why = "no way leads to peer " + peer.incarnation.ToString();
  for (const Status& refusal : refusals) why += "; " + refusal.message();
  if (says(StatusCode::kNotFound)) return NotFoundError(why);
  if (says(StatusCode::kUnavailable) || says(StatusCode::kDeadlineExceeded)) {
    return UnavailableError(why);
  }
  return FailedPreconditionError(why);
}

// For how long others' copies of a region that is closed are waited for. They can't be cut off, and
// what they touch is given to nobody else; so not for long, where TCP would be waited for.
Duration ShmStallTimeout(const EngineOptions& options) {
  return std::min<Duration>(options.tcp_stall_timeout, std::chrono::seconds(1));
}

// One engine's parts. The threads of its transports and its servers use it until it is destroyed.
class EngineParts {
 public:
  EngineParts(const EngineOptions& options, const TransferGuards& guards, const Verbs* verbs,
              const MachineMap* map);

  Status Listen();

  Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options);
  Status Unregister(RegionId region);
  std::vector<Stretch> TouchedByOthers(RegionId region);
  std::string Descriptor();
  Incarnation incarnation();
  void Rename(const Incarnation& incarnation);
  Result<PeerId> Open(std::string_view descriptor);
  void Close(PeerId id);
  std::shared_ptr<BatchState> Submit(std::span<const Copy> copies, const CopyLimits& limits);
  std::vector<Completion> Run(std::span<const Copy> copies, const CopyLimits& limits);
  Result<std::unique_ptr<Mapping>> Map(const MapRequest& request, TimePoint deadline);
  WayCounters counters(Way way) const { return totals_->Get(way); }
  ServedCounters served();
  Reach reach();
  std::vector<RdmaDeviceState> rdma_devices() const {
    return rdma_ == nullptr ? std::vector<RdmaDeviceState>() : rdma_->devices();
  }

 private:
  struct Routed {
    Transport* transport;
    RegionId region;  // of the copy that it was made for
    Access access;
    Parcel parcel;
  };

  // Carries a small read alone, if there is a way that does such at once; nothing: it must go as a
  // batch.
  std::optional<Completion> ReadOne(const Copy& copy, const CopyLimits& limits);
  // Lets ways look for several peers at once.
  void Expect(const BatchState& batch);
  // Sorts the copies by peer and way; those that no way can carry are finished at once.
  std::vector<Routed> Sort(const std::shared_ptr<BatchState>& batch);
  Status SortOne(const std::shared_ptr<BatchState>& batch, size_t index,
                 std::vector<Routed>* parcels);
  // The cheapest way that is allowed and leads to that region; `in_place`: and maps its memory.
  Result<Transport*> FindWay(const Target& target, RegionId region, Access access,
                             TimePoint deadline, bool in_place);
  bool Allows(Way way) const;
  // Opens the devices, if that is allowed and there are any. `verbs`, `map` null: the machine's.
  void FindDevices(const Verbs* verbs, const MachineMap* map, const RdmaClientOptions& options);
  // What serves RDMA peers; empty: nothing does.
  std::function<std::unique_ptr<SideService>()> NewSession();

  // Null: nothing was shared yet.
  ShmServer* shm_server();
  // Shares the region, if that is allowed and the machine does such things.
  Status Share(RegionId region, const RegionOptions& options);
  Result<ShmServer*> StartShmServer();
  // Registers the region at the RDMA devices, if there are any.
  Status AddToDevices(RegionId region, void* base, uint64_t size, const RegionOptions& options);

  const EngineOptions options_;
  const TransferGuards guards_;
  const std::string host_;
  const std::shared_ptr<WayTotals> totals_ = std::make_shared<WayTotals>();
  Registry registry_;
  std::unique_ptr<Rdma> rdma_;           // null: none; unchanging after construction
  std::unique_ptr<TcpServer> server_;    // null: no port
  std::vector<std::string> advertised_;  // unchanging after Listen
  PeerTable peers_;

  Mutex mu_;
  Incarnation incarnation_ GUARDED_BY(mu_);
  Status rdma_problem_ GUARDED_BY(mu_);  // why there is no RDMA, or not for a region
  std::unique_ptr<ShmServer> shm_server_ GUARDED_BY(mu_);  // unchanging once it is there
  Status shm_problem_ GUARDED_BY(mu_);                     // why it could not be made

  std::vector<std::unique_ptr<Transport>> transports_;  // cheapest first; destroyed first of all
  // Of these, one that may be used and has a shorter way for a single read; null: there is none.
  Transport* reader_of_one_ = nullptr;
};

EngineParts::EngineParts(const EngineOptions& options, const TransferGuards& guards,
                         const Verbs* verbs, const MachineMap* map)
    : options_(options),
      guards_(guards),
      host_(options.host.empty() ? BootId() : options.host),
      registry_(guards),
      peers_(options.peer_idle_timeout),
      incarnation_(options.incarnation.IsNone() ? DrawIncarnation() : options.incarnation) {
  transports_.push_back(
      std::make_unique<LocalTransport>(registry_, [this] { return incarnation(); }));
  transports_.push_back(
      std::make_unique<ShmTransport>(ShmClientOptions{.host = host_,
                                                      .window_idle = options.shm_window_idle,
                                                      .peer_idle = options.peer_idle_timeout,
                                                      .guards = guards}));
  const LaneOptions lanes{.lanes = options.tcp_connections_per_peer,
                          .idle_timeout = options.tcp_idle_timeout,
                          .guards = guards};
  const ConnectionTimeouts timeouts{.hello = options.tcp_hello_timeout,
                                    .stall = options.tcp_stall_timeout};
  FindDevices(verbs, map, {.lanes = lanes, .timeouts = timeouts, .tcp_allowed = Allows(Way::kTcp)});
  transports_.push_back(
      std::make_unique<TcpTransport>(TcpClientOptions{.lanes = lanes, .timeouts = timeouts}));
}

bool EngineParts::Allows(Way way) const {
  const std::vector<Way>& ways = options_.ways;
  if (ways.empty()) return way != Way::kRdma || !options_.rdma_devices.empty();
  return std::find(ways.begin(), ways.end(), way) != ways.end();
}

void EngineParts::FindDevices(const Verbs* verbs, const MachineMap* map,
                              const RdmaClientOptions& options) {
  MutexLock lock(mu_);
  if (!Allows(Way::kRdma)) {
    rdma_problem_ =
        FailedPreconditionError("rdma is not named, by EngineOptions::ways or rdma_devices");
    return;
  }
  Result<std::unique_ptr<Rdma>> rdma = Rdma::Create(options_, verbs, map);
  if (!rdma.ok()) {
    rdma_problem_ = rdma.status();
    return;
  }
  Result<std::unique_ptr<Transport>> transport = (*rdma)->NewTransport(options);
  if (!transport.ok()) {
    rdma_problem_ = transport.status();
    return;
  }
  transports_.push_back(*std::move(transport));
  reader_of_one_ = transports_.back().get();
  rdma_ = *std::move(rdma);
}

std::function<std::unique_ptr<SideService>()> EngineParts::NewSession() {
  if (rdma_ == nullptr) return {};
  return [this] { return rdma_->NewSession(registry_, guards_); };
}

Status EngineParts::Listen() {
  const bool wanted = Allows(Way::kTcp) || rdma_ != nullptr;
  if (options_.tcp_listen.empty() || !wanted) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint endpoint, Endpoint::Resolve(options_.tcp_listen, 0));
  KVSTORE_ASSIGN_OR_RETURN(server_,
                           TcpServer::Create(endpoint, registry_,
                                             {.incarnation = incarnation(),
                                              .max_incoming = MostIncoming(options_),
                                              .timeouts = {.hello = options_.tcp_hello_timeout,
                                                           .stall = options_.tcp_stall_timeout,
                                                           .idle = 2 * options_.tcp_idle_timeout},
                                              .side = NewSession(),
                                              .guards = guards_}));
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint told,
                           Advertised(server_->endpoint(), options_.tcp_advertise));
  advertised_.push_back(told.ToString());
  return Status::Ok();
}

Result<RegionId> EngineParts::Register(void* base, uint64_t size, const RegionOptions& options) {
  if (options.shared != nullptr) KVSTORE_RETURN_IF_ERROR(CheckShared(base, size, options));
  KVSTORE_ASSIGN_OR_RETURN(const RegionId region, registry_.Add(base, size, options));
  Status added = AddToDevices(region, base, size, options);
  if (added.ok() && options.shared != nullptr && Allows(Way::kShm)) added = Share(region, options);
  if (added.ok()) return region;
  (void)Unregister(region);
  return added;
}

Status EngineParts::AddToDevices(RegionId region, void* base, uint64_t size,
                                 const RegionOptions& options) {
  if (rdma_ == nullptr) return Status::Ok();
  Status added = rdma_->Add(region, base, size, options);
  if (added.ok()) return added;
  {
    MutexLock lock(mu_);
    rdma_problem_ = added;
  }
  // Peers come another way, unless there is none.
  return server_ != nullptr && Allows(Way::kTcp) ? Status::Ok() : added;
}

Status EngineParts::Share(RegionId region, const RegionOptions& options) {
  Result<ShmServer*> server = StartShmServer();
  if (server.ok()) return (*server)->Share(region, *options.shared, options.guard);
  {
    MutexLock lock(mu_);
    shm_problem_ = server.status();
  }
  // Peers come another way, unless there is none.
  return server_ != nullptr ? Status::Ok() : server.status();
}

Result<ShmServer*> EngineParts::StartShmServer() {
  MutexLock lock(mu_);
  if (shm_server_ == nullptr) {
    KVSTORE_ASSIGN_OR_RETURN(shm_server_,
                             ShmServer::Create({.name = DrawIncarnation().ToString(),
                                                .incarnation = incarnation_,
                                                .max_peers = options_.shm_max_peers,
                                                .hello_timeout = options_.tcp_hello_timeout,
                                                .stall_timeout = ShmStallTimeout(options_),
                                                .guards = guards_}));
  }
  return shm_server_.get();
}

ShmServer* EngineParts::shm_server() {
  MutexLock lock(mu_);
  return shm_server_.get();
}

Status EngineParts::Unregister(RegionId region) {
  // Refused first, here and there; then waited for.
  if (ShmServer* const server = shm_server()) server->Close(region);
  const TimePoint until = BootClock::now() + 2 * options_.tcp_stall_timeout;
  const Status removed = registry_.Remove(region, until);
  if (removed.code() == StatusCode::kUnavailable) return removed;
  if (ShmServer* const server = shm_server(); server != nullptr && removed.ok()) {
    server->Unshare(region);
  }
  if (rdma_ == nullptr) return removed;
  // Also one that no longer is in the registry: a device may have refused to let go of it before.
  const Status let_go = rdma_->Remove(region, until);
  return let_go.code() == StatusCode::kNotFound ? removed : let_go;
}

std::vector<Stretch> EngineParts::TouchedByOthers(RegionId region) {
  ShmServer* const server = shm_server();
  return server == nullptr ? std::vector<Stretch>() : server->Touched(region);
}

ServedCounters EngineParts::served() {
  ServedCounters counters = server_ == nullptr ? ServedCounters{} : server_->served();
  if (ShmServer* const server = shm_server()) server->AddTo(&counters);
  return counters;
}

Reach EngineParts::reach() {
  Reach reach;
  if (!advertised_.empty()) reach.tcp = advertised_.front();
  for (const RdmaDeviceState& device : rdma_devices()) reach.rdma_devices.push_back(device.name);
  if (rdma_ != nullptr) reach.rdma_unused = rdma_->unused();
  MutexLock lock(mu_);
  reach.rdma = rdma_problem_;
  if (shm_server_ != nullptr) return reach;
  if (!Allows(Way::kShm)) {
    reach.shm = FailedPreconditionError("shm is forbidden by EngineOptions::ways");
  } else if (!shm_problem_.ok()) {
    reach.shm = shm_problem_;
  } else {
    reach.shm = FailedPreconditionError("no shared memory is registered");
  }
  return reach;
}

std::string EngineParts::Descriptor() {
  MutexLock lock(mu_);
  return EncodeDescriptor({.incarnation = incarnation_,
                           .host = host_,
                           .endpoints = advertised_,
                           .shm_socket = shm_server_ == nullptr ? "" : shm_server_->name(),
                           .rdma = rdma_ != nullptr && server_ != nullptr});
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
    if (shm_server_ != nullptr) shm_server_->Rename(next);
  }
  if (server_ != nullptr) server_->Rename(next);
}

Result<PeerId> EngineParts::Open(std::string_view descriptor) {
  KVSTORE_ASSIGN_OR_RETURN(PeerDescriptor peer, DecodeDescriptor(descriptor));
  return peers_.Open(std::move(peer), BootClock::now());
}

void EngineParts::Close(PeerId id) {
  if (!peers_.Close(id)) return;
  for (const auto& transport : transports_) transport->Close(id);
}

Result<Transport*> EngineParts::FindWay(const Target& target, RegionId region, Access access,
                                        TimePoint deadline, bool in_place) {
  std::array<Status, kWayCount> refusals;  // by transport; OK: it was not asked
  for (size_t i = 0; i < transports_.size(); ++i) {
    Transport& transport = *transports_[i];
    // Mapping this process's own memory moves no bytes.
    const bool own_in_place = in_place && transport.way() == Way::kLocal;
    if ((!own_in_place && !Allows(transport.way())) || (in_place && IsNetwork(transport.way()))) {
      continue;
    }
    refusals[i] = transport.Reaches(target, region, access, deadline);
    if (refusals[i].ok()) return &transport;
  }
  // Put into words only now that all refuse: a small copy takes no longer than that.
  for (size_t i = 0; i < transports_.size(); ++i) {
    if (!refusals[i].ok()) continue;
    const Way way = transports_[i]->way();
    refusals[i] = FailedPreconditionError(
        std::string(WayName(way)) +
        (Allows(way) ? " reaches no memory in place" : " is forbidden by EngineOptions::ways"));
  }
  return NoWay(*target.descriptor, std::span(refusals).first(transports_.size()));
}

Status EngineParts::SortOne(const std::shared_ptr<BatchState>& batch, size_t index,
                            std::vector<Routed>* parcels) {
  const Copy& copy = batch->copy(index);
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, CheckCopy(copy));
  batch->SetSize(index, size);
  auto parcel = std::find_if(parcels->rbegin(), parcels->rend(), [&](const Routed& routed) {
    return routed.parcel.target.peer == copy.peer && routed.region == copy.region &&
           routed.access == copy.access;
  });
  if (parcel == parcels->rend()) {
    KVSTORE_ASSIGN_OR_RETURN(Target target, peers_.Find(copy.peer, batch->submitted()));
    Result<Transport*> way = FindWay(target, copy.region, copy.access, batch->reach_by(), false);
    if (!way.ok()) {
      // A way may have been looked for until there was no time left.
      KVSTORE_RETURN_IF_ERROR(batch->Ended());
      return way.status();
    }
    parcels->push_back({.transport = *way,
                        .region = copy.region,
                        .access = copy.access,
                        .parcel = {.target = std::move(target), .batch = batch, .copies = {}}});
    parcel = parcels->rbegin();
  }
  parcel->parcel.copies.push_back(index);
  return Status::Ok();
}

void EngineParts::Expect(const BatchState& batch) {
  bool several = false;
  for (size_t i = 1; i < batch.size(); ++i) several |= batch.copy(i).peer != batch.copy(0).peer;
  if (!several) return;
  std::map<PeerId, size_t> first;  // copy to each
  for (size_t i = 0; i < batch.size(); ++i) first.emplace(batch.copy(i).peer, i);
  for (const auto& [peer, index] : first) {
    const Result<Target> target = peers_.Find(peer, batch.submitted());
    if (!target.ok()) continue;
    const Copy& copy = batch.copy(index);
    for (const auto& transport : transports_) {
      if (!Allows(transport->way())) continue;
      if (IsNetwork(transport->way())) {
        transport->Expect(*target);
        break;
      }
      if (transport->Reaches(*target, copy.region, copy.access, batch.reach_by()).ok()) break;
    }
  }
}

std::vector<EngineParts::Routed> EngineParts::Sort(const std::shared_ptr<BatchState>& batch) {
  std::vector<Routed> parcels;
  if (rdma_ != nullptr) Expect(*batch);
  for (size_t i = 0; i < batch->size(); ++i) {
    Status status = SortOne(batch, i, &parcels);
    if (!status.ok()) {
      batch->Finish(i, Outcome::kFailed, std::move(status), Way::kAutomatic);
    }
  }
  return parcels;
}

std::shared_ptr<BatchState> EngineParts::Submit(std::span<const Copy> copies,
                                                const CopyLimits& limits) {
  auto batch = std::make_shared<BatchState>(copies, limits, totals_);
  for (Routed& routed : Sort(batch)) routed.transport->Post(std::move(routed.parcel));
  return batch;
}

// Where its lane breaks a batch begins it anew, with all of its patience: a holder that is silent
// is then given up after one and a half times as long.
std::optional<Completion> EngineParts::ReadOne(const Copy& copy, const CopyLimits& limits) {
  // Where a lane is idle its way has been the one to that region a moment ago: what is nearer was
  // asked then, and is again by the next read that goes as a batch (LanePool::ReadOne).
  if (reader_of_one_ == nullptr || copy.access != Access::kRead || copy.tap != nullptr) {
    return std::nullopt;
  }
  const Result<uint64_t> size = CheckCopy(copy);
  if (!size.ok() || *size > kSmallBytes) return std::nullopt;
  const TimePoint begun = BootClock::now();
  const Result<Target> target = peers_.Find(copy.peer, begun);
  if (!target.ok()) return std::nullopt;
  std::optional<Completion> done = reader_of_one_->ReadOne(*target, copy, *size, limits, begun);
  if (done) {
    totals_->Count(*done, copy.access, *size);
    totals_->CountTime(done->way, BootClock::now() - begun);
  }
  return done;
}

std::vector<Completion> EngineParts::Run(std::span<const Copy> copies, const CopyLimits& limits) {
  if (copies.size() == 1) {
    if (std::optional<Completion> done = ReadOne(copies.front(), limits)) {
      std::vector<Completion> completions;
      completions.push_back(*std::move(done));
      return completions;
    }
  }
  const auto batch = std::make_shared<BatchState>(copies, limits, totals_);
  std::vector<Routed> parcels = Sort(batch);
  uint64_t total = 0;
  for (const Routed& routed : parcels) {
    for (const size_t index : routed.parcel.copies) total += batch->size_of(index);
  }
  const bool small = parcels.size() == 1 && total <= kSmallBytes && batch->size() <= kSmallCopies;
  // Others' threads start first, so that this one's copies run beside them.
  const auto own = std::partition(parcels.begin(), parcels.end(), [&](const Routed& routed) {
    return !small && IsNetwork(routed.transport->way());
  });
  for (auto it = parcels.begin(); it != own; ++it) it->transport->Post(std::move(it->parcel));
  for (auto it = own; it != parcels.end(); ++it) it->transport->Carry(std::move(it->parcel));
  batch->WaitForAll();
  return batch->TakeCompletions();
}

Result<std::unique_ptr<Mapping>> EngineParts::Map(const MapRequest& request, TimePoint deadline) {
  if (request.offset > std::numeric_limits<uint64_t>::max() - request.length) {
    return InvalidArgumentError(std::to_string(request.length) + " bytes at " +
                                std::to_string(request.offset) + " end beyond 2^64");
  }
  KVSTORE_ASSIGN_OR_RETURN(const Target target, peers_.Find(request.peer, BootClock::now()));
  Result<Transport*> way = FindWay(target, request.region, request.access, deadline, true);
  if (!way.ok()) {
    // As for copies: there may have been no time left to find one.
    if (BootClock::now() >= deadline) return DeadlineExceededError("not mapped in time");
    return way.status();
  }
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           (*way)->Map(target, request, deadline));
  totals_->CountMapping(mapping->way());
  return mapping;
}

class HostEngine final : public Engine {
 public:
  explicit HostEngine(std::unique_ptr<EngineParts> parts) : parts_(std::move(parts)) {}

  ~HostEngine() override {
    // A forked child has none of the threads, and shares the sockets with its parent.
    if (getpid() != creator_) (void)parts_.release();
  }

  Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options) override {
    return parts_->Register(base, size, options);
  }
  Status Unregister(RegionId region) override { return parts_->Unregister(region); }
  std::string Descriptor() const override { return parts_->Descriptor(); }
  Incarnation incarnation() const override { return parts_->incarnation(); }
  void Rename(Incarnation incarnation) override { parts_->Rename(incarnation); }
  Result<PeerId> Open(std::string_view descriptor) override { return parts_->Open(descriptor); }
  void Close(PeerId peer) override { parts_->Close(peer); }
  std::unique_ptr<Batch> Submit(std::span<const Copy> copies, const CopyLimits& limits) override {
    return std::make_unique<SubmittedBatch>(parts_->Submit(copies, limits));
  }
  std::vector<Completion> Run(std::span<const Copy> copies, const CopyLimits& limits) override {
    return parts_->Run(copies, limits);
  }
  std::vector<Stretch> TouchedByOthers(RegionId region) override {
    return parts_->TouchedByOthers(region);
  }
  Result<std::unique_ptr<Mapping>> Map(const MapRequest& request, TimePoint deadline) override {
    return parts_->Map(request, deadline);
  }
  WayCounters counters(Way way) const override { return parts_->counters(way); }
  ServedCounters served() const override { return parts_->served(); }
  Reach reach() const override { return parts_->reach(); }
  std::vector<RdmaDeviceState> rdma_devices() const override { return parts_->rdma_devices(); }

 private:
  std::unique_ptr<EngineParts> parts_;
  const pid_t creator_ = getpid();
};

}  // namespace

Result<std::unique_ptr<Engine>> CreateEngine(const EngineOptions& options,
                                             const TransferGuards& guards, const Verbs* verbs,
                                             const MachineMap* map) {
  KVSTORE_RETURN_IF_ERROR(CheckOptions(options));
  auto parts = std::make_unique<EngineParts>(options, guards, verbs, map);
  KVSTORE_RETURN_IF_ERROR(parts->Listen());
  return std::unique_ptr<Engine>(std::make_unique<HostEngine>(std::move(parts)));
}

Result<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  return CreateEngine(options, TransferGuards{});
}

}  // namespace kvstore::transfer
