#ifndef KVSTORE_SRC_TRANSFER_RDMA_RDMA_H_
#define KVSTORE_SRC_TRANSFER_RDMA_RDMA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/lane_pool.h"
#include "transfer/registry.h"
#include "transfer/tcp/connection.h"
#include "transfer/tcp/served_connection.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

struct MachineMap;
struct Verbs;

struct RdmaClientOptions {
  LaneOptions lanes{};
  ConnectionTimeouts timeouts{};
  bool tcp_allowed = true;  // where no device leads to a peer any more
};

// An engine's RDMA devices: all that the engine knows of this way. Thread-safe.
class Rdma {
 public:
  // The devices of EngineOptions. `verbs` and `map` null: those of the machine.
  // failed_precondition: there are none that can be used, and why, or this build has no RDMA.
  static Result<std::unique_ptr<Rdma>> Create(const EngineOptions& options, const Verbs* verbs,
                                              const MachineMap* map);
  virtual ~Rdma() = default;

  virtual std::vector<RdmaDeviceState> devices() const = 0;
  // As Reach::rdma_unused.
  virtual std::vector<std::string> unused() const = 0;

  // As RdmaRegions.
  virtual Status Add(RegionId id, void* base, uint64_t size, const RegionOptions& options) = 0;
  virtual Status Remove(RegionId id, TimePoint until) = 0;

  // Outlived by this object. failed_precondition: the machine has no threads left for it.
  virtual Result<std::unique_ptr<Transport>> NewTransport(const RdmaClientOptions& options) = 0;
  // What serves a peer; outlived by this object and the registry.
  virtual std::unique_ptr<SideService> NewSession(Registry& registry,
                                                  const TransferGuards& guards) = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_RDMA_H_
