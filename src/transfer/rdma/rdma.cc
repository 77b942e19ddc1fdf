#include "transfer/rdma/rdma.h"

#include <string>
#include <system_error>
#include <utility>

#include "transfer/rdma/device.h"
#include "transfer/rdma/device_watcher.h"
#include "transfer/rdma/rdma_transport.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/session.h"
#include "transfer/rdma/topology.h"
#include "transfer/rdma/verbs.h"

namespace kvstore::transfer {
namespace {

Status NoThreads(const std::system_error& error) {
  return FailedPreconditionError(std::string("no thread can be started for RDMA (") + error.what() +
                                 "); may this user have more (ulimit -u)?");
}

class VerbsRdma final : public Rdma {
 public:
  VerbsRdma(RdmaDevices devices, const MachineMap& map)
      : unused_(std::move(devices.problems)),
        watcher_(devices.usable),
        regions_(std::move(devices.usable), 0, Topology(map.sysfs), map.node_of) {}

  std::vector<RdmaDeviceState> devices() const override {
    std::vector<RdmaDeviceState> states;
    for (const auto& device : regions_.devices()) states.push_back(device->state());
    return states;
  }
  std::vector<std::string> unused() const override { return unused_; }
  Status Add(RegionId id, void* base, uint64_t size, const RegionOptions& options) override {
    return regions_.Add(id, base, size, options);
  }
  Status Remove(RegionId id, TimePoint until) override { return regions_.Remove(id, until); }
  Result<std::unique_ptr<Transport>> NewTransport(const RdmaClientOptions& options) override {
    try {
      return std::unique_ptr<Transport>(std::make_unique<RdmaTransport>(regions_, options));
    } catch (const std::system_error& error) {
      return NoThreads(error);
    }
  }
  std::unique_ptr<SideService> NewSession(Registry& registry,
                                          const TransferGuards& guards) override {
    return std::make_unique<RdmaSession>(regions_, registry, guards);
  }

 private:
  const std::vector<std::string> unused_;
  const DeviceWatcher watcher_;
  RdmaRegions regions_;
};

}  // namespace

Result<std::unique_ptr<Rdma>> Rdma::Create(const EngineOptions& options, const Verbs* verbs,
                                           const MachineMap* map) {
  KVSTORE_RETURN_IF_ERROR(CheckThatErrorsAreTold());
  if (verbs == nullptr) {
    KVSTORE_ASSIGN_OR_RETURN(verbs, SystemVerbs());
  }
  KVSTORE_RETURN_IF_ERROR(PrepareForForks(*verbs));
  KVSTORE_ASSIGN_OR_RETURN(RdmaDevices devices,
                           OpenDevices(*verbs, options.rdma_devices, options.rdma_gid_index));
  try {
    return std::unique_ptr<Rdma>(
        std::make_unique<VerbsRdma>(std::move(devices), map == nullptr ? MachineMap() : *map));
  } catch (const std::system_error& error) {
    return NoThreads(error);
  }
}

}  // namespace kvstore::transfer
