#include "transfer/engine.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transfer/batch.h"
#include "transfer/engine_options.h"
#include "transfer/rdma/rdma.h"
#include "transfer/served_memory.h"
#include "transfer/transport.h"
#include "transfer/ways.h"

namespace kvstore::transfer {
namespace {

// The RDMA devices and the way that leads over them; both null: there are none.
struct Devices {
  std::unique_ptr<Rdma> rdma;
  std::unique_ptr<Transport> transport;  // destroyed first
};

// Opens the devices, if that is allowed. `verbs`, `map` null: the machine's.
Result<Devices> FindDevices(const EngineOptions& options, const TransferGuards& guards,
                            const Verbs* verbs, const MachineMap* map) {
  if (!Allows(options, Way::kRdma)) {
    return FailedPreconditionError("rdma is not named, by EngineOptions::ways or rdma_devices");
  }
  Devices devices;
  KVSTORE_ASSIGN_OR_RETURN(devices.rdma, Rdma::Create(options, verbs, map));
  KVSTORE_ASSIGN_OR_RETURN(devices.transport,
                           devices.rdma->NewTransport({.lanes = LanesOf(options, guards),
                                                       .timeouts = TimeoutsOf(options),
                                                       .tcp_allowed = Allows(options, Way::kTcp)}));
  return devices;
}

// One engine's parts. The threads of its transports and its servers use it until it is destroyed.
struct EngineParts {
  EngineParts(const EngineOptions& options, const TransferGuards& guards, Devices devices,
              Status no_devices)
      : own(options, guards, std::move(devices.rdma), std::move(no_devices)),
        ways(options, guards, own, std::move(devices.transport)) {}

  ServedMemory own;
  Ways ways;  // destroyed first
};

class HostEngine final : public Engine {
 public:
  explicit HostEngine(std::unique_ptr<EngineParts> parts) : parts_(std::move(parts)) {}

  ~HostEngine() override {
    // A forked child has none of the threads, and shares the sockets with its parent.
    if (getpid() != creator_) (void)parts_.release();
  }

  Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options) override {
    return own().Register(base, size, options);
  }
  Status Unregister(RegionId region) override { return own().Unregister(region); }
  std::vector<Stretch> TouchedByOthers(RegionId region) override {
    return own().TouchedByOthers(region);
  }
  std::string Descriptor() const override { return own().Descriptor(); }
  Incarnation incarnation() const override { return own().incarnation(); }
  void Rename(Incarnation incarnation) override { own().Rename(incarnation); }
  ServedCounters served() const override { return own().served(); }
  Reach reach() const override { return own().reach(); }
  std::vector<RdmaDeviceState> rdma_devices() const override { return own().rdma_devices(); }

  Result<PeerId> Open(std::string_view descriptor) override { return ways().Open(descriptor); }
  void Close(PeerId peer) override { ways().Close(peer); }
  std::unique_ptr<Batch> Submit(std::span<const Copy> copies, const CopyLimits& limits) override {
    return std::make_unique<SubmittedBatch>(ways().Submit(copies, limits));
  }
  std::vector<Completion> Run(std::span<const Copy> copies, const CopyLimits& limits) override {
    return ways().Run(copies, limits);
  }
  Result<std::unique_ptr<Mapping>> Map(const MapRequest& request, TimePoint deadline) override {
    return ways().Map(request, deadline);
  }
  WayCounters counters(Way way) const override { return ways().counters(way); }

 private:
  ServedMemory& own() const { return parts_->own; }
  Ways& ways() const { return parts_->ways; }

  std::unique_ptr<EngineParts> parts_;
  const pid_t creator_ = getpid();
};

}  // namespace

Result<std::unique_ptr<Engine>> CreateEngine(const EngineOptions& options,
                                             const TransferGuards& guards, const Verbs* verbs,
                                             const MachineMap* map) {
  KVSTORE_RETURN_IF_ERROR(CheckOptions(options));
  // Without devices the engine does as well, and says why there are none.
  Result<Devices> found = FindDevices(options, guards, verbs, map);
  const Status no_devices = found.status();
  auto parts = std::make_unique<EngineParts>(
      options, guards, found.ok() ? *std::move(found) : Devices{}, no_devices);
  KVSTORE_RETURN_IF_ERROR(parts->own.Listen());
  return std::unique_ptr<Engine>(std::make_unique<HostEngine>(std::move(parts)));
}

Result<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  return CreateEngine(options, TransferGuards{});
}

}  // namespace kvstore::transfer
