#include "transfer/served_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <utility>

#include "transfer/descriptor.h"
#include "transfer/engine_options.h"
#include "transfer/tcp/endpoint.h"

namespace kvstore::transfer {
namespace {

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

// What peers are told to connect to.
Result<Endpoint> Advertised(const Endpoint& bound, const std::string& advertise) {
  if (!advertise.empty()) return Endpoint::Resolve(advertise, bound.port());
  if (!bound.IsWildcard()) return bound;
  return InvalidArgumentError(
      bound.ToString() + " is no address that peers can connect to; name one to be advertised");
}

// For how long others' copies of a region that is closed are waited for. They can't be cut off, and
// what they touch is given to nobody else; so not for long, where TCP would be waited for.
Duration ShmStallTimeout(const EngineOptions& options) {
  return std::min<Duration>(options.tcp_stall_timeout, std::chrono::seconds(1));
}

}  // namespace

ServedMemory::ServedMemory(const EngineOptions& options, const TransferGuards& guards,
                           std::unique_ptr<Rdma> rdma, Status rdma_problem)
    : options_(options),
      guards_(guards),
      host_(options.host.empty() ? BootId() : options.host),
      registry_(guards),
      rdma_(std::move(rdma)),
      incarnation_(options.incarnation.IsNone() ? DrawIncarnation() : options.incarnation),
      rdma_problem_(std::move(rdma_problem)) {}

std::vector<RdmaDeviceState> ServedMemory::rdma_devices() const {
  return rdma_ == nullptr ? std::vector<RdmaDeviceState>() : rdma_->devices();
}

std::function<std::unique_ptr<SideService>()> ServedMemory::NewSession() {
  if (rdma_ == nullptr) return {};
  return [this] { return rdma_->NewSession(registry_, guards_); };
}

Status ServedMemory::Listen() {
  const bool wanted = Allows(options_, Way::kTcp) || rdma_ != nullptr;
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

Result<RegionId> ServedMemory::Register(void* base, uint64_t size, const RegionOptions& options) {
  if (options.shared != nullptr) KVSTORE_RETURN_IF_ERROR(CheckShared(base, size, options));
  KVSTORE_ASSIGN_OR_RETURN(const RegionId region, registry_.Add(base, size, options));
  Status added = AddToDevices(region, base, size, options);
  if (added.ok() && options.shared != nullptr && Allows(options_, Way::kShm))
    added = Share(region, options);
  if (added.ok()) return region;
  (void)Unregister(region);
  return added;
}

Status ServedMemory::AddToDevices(RegionId region, void* base, uint64_t size,
                                  const RegionOptions& options) {
  if (rdma_ == nullptr) return Status::Ok();
  Status added = rdma_->Add(region, base, size, options);
  if (added.ok()) return added;
  {
    MutexLock lock(mu_);
    rdma_problem_ = added;
  }
  // Peers come another way, unless there is none.
  return server_ != nullptr && Allows(options_, Way::kTcp) ? Status::Ok() : added;
}

Status ServedMemory::Share(RegionId region, const RegionOptions& options) {
  Result<ShmServer*> server = StartShmServer();
  if (server.ok()) return (*server)->Share(region, *options.shared, options.guard);
  {
    MutexLock lock(mu_);
    shm_problem_ = server.status();
  }
  // Peers come another way, unless there is none.
  return server_ != nullptr ? Status::Ok() : server.status();
}

Result<ShmServer*> ServedMemory::StartShmServer() {
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

ShmServer* ServedMemory::shm_server() {
  MutexLock lock(mu_);
  return shm_server_.get();
}

Status ServedMemory::Unregister(RegionId region) {
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

std::vector<Stretch> ServedMemory::TouchedByOthers(RegionId region) {
  ShmServer* const server = shm_server();
  return server == nullptr ? std::vector<Stretch>() : server->Touched(region);
}

ServedCounters ServedMemory::served() {
  ServedCounters counters = server_ == nullptr ? ServedCounters{} : server_->served();
  if (ShmServer* const server = shm_server()) server->AddTo(&counters);
  return counters;
}

Reach ServedMemory::reach() {
  Reach reach;
  if (!advertised_.empty()) reach.tcp = advertised_.front();
  for (const RdmaDeviceState& device : rdma_devices()) reach.rdma_devices.push_back(device.name);
  if (rdma_ != nullptr) reach.rdma_unused = rdma_->unused();
  MutexLock lock(mu_);
  reach.rdma = rdma_problem_;
  if (shm_server_ != nullptr) return reach;
  if (!Allows(options_, Way::kShm)) {
    reach.shm = FailedPreconditionError("shm is forbidden by EngineOptions::ways");
  } else if (!shm_problem_.ok()) {
    reach.shm = shm_problem_;
  } else {
    reach.shm = FailedPreconditionError("no shared memory is registered");
  }
  return reach;
}

std::string ServedMemory::Descriptor() {
  MutexLock lock(mu_);
  return EncodeDescriptor({.incarnation = incarnation_,
                           .host = host_,
                           .endpoints = advertised_,
                           .shm_socket = shm_server_ == nullptr ? "" : shm_server_->name(),
                           .rdma = rdma_ != nullptr && server_ != nullptr});
}

Incarnation ServedMemory::incarnation() {
  MutexLock lock(mu_);
  return incarnation_;
}

void ServedMemory::Rename(const Incarnation& incarnation) {
  const Incarnation next = incarnation.IsNone() ? DrawIncarnation() : incarnation;
  {
    MutexLock lock(mu_);
    incarnation_ = next;
    if (shm_server_ != nullptr) shm_server_->Rename(next);
  }
  if (server_ != nullptr) server_->Rename(next);
}

}  // namespace kvstore::transfer
