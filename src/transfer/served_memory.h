#ifndef KVSTORE_SRC_TRANSFER_SERVED_MEMORY_H_
#define KVSTORE_SRC_TRANSFER_SERVED_MEMORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/guards.h"
#include "transfer/rdma/rdma.h"
#include "transfer/registry.h"
#include "transfer/shm/server.h"
#include "transfer/tcp/server.h"

namespace kvstore::transfer {

// What peers reach of this process: the memory that it registered, and the servers and devices that
// let them in. Its functions are those of Engine. Thread-safe.
class ServedMemory {
 public:
  // `rdma` null: there are no devices to use, and `rdma_problem` says why.
  ServedMemory(const EngineOptions& options, const TransferGuards& guards,
               std::unique_ptr<Rdma> rdma, Status rdma_problem);

  // Opens the port, if one is wanted. Once, before any thread calls what follows.
  Status Listen() EXCLUDES(mu_);

  Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options) EXCLUDES(mu_);
  Status Unregister(RegionId region) EXCLUDES(mu_);
  std::vector<Stretch> TouchedByOthers(RegionId region) EXCLUDES(mu_);
  std::string Descriptor() EXCLUDES(mu_);
  Incarnation incarnation() EXCLUDES(mu_);
  void Rename(const Incarnation& incarnation) EXCLUDES(mu_);
  ServedCounters served() EXCLUDES(mu_);
  Reach reach() EXCLUDES(mu_);
  std::vector<RdmaDeviceState> rdma_devices() const;

  // By which processes of one host know each other.
  const std::string& host() const { return host_; }
  Registry& registry() { return registry_; }

 private:
  // What serves RDMA peers; empty: nothing does.
  std::function<std::unique_ptr<SideService>()> NewSession();
  // Null: nothing was shared yet.
  ShmServer* shm_server() EXCLUDES(mu_);
  // Shares the region, if the machine does such things.
  Status Share(RegionId region, const RegionOptions& options) EXCLUDES(mu_);
  Result<ShmServer*> StartShmServer() EXCLUDES(mu_);
  // Registers the region at the RDMA devices, if there are any.
  Status AddToDevices(RegionId region, void* base, uint64_t size, const RegionOptions& options)
      EXCLUDES(mu_);

  const EngineOptions options_;
  const TransferGuards guards_;
  const std::string host_;
  Registry registry_;
  const std::unique_ptr<Rdma> rdma_;     // null: none
  std::unique_ptr<TcpServer> server_;    // null: no port
  std::vector<std::string> advertised_;  // unchanging after Listen

  Mutex mu_;
  Incarnation incarnation_ GUARDED_BY(mu_);
  Status rdma_problem_ GUARDED_BY(mu_);  // why there is no RDMA, or not for a region
  std::unique_ptr<ShmServer> shm_server_ GUARDED_BY(mu_);  // unchanging once it is there
  Status shm_problem_ GUARDED_BY(mu_);                     // why it could not be made
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SERVED_MEMORY_H_
