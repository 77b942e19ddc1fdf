#ifndef KVSTORE_SRC_TRANSFER_RDMA_RDMA_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_RDMA_RDMA_TRANSPORT_H_

// One-sided reads and writes over RDMA (docs/decisions/0007-rdma.md), of which the engine knows
// `rdma` only. The holder's end is a
// `session` per lane, asked over a TCP connection, and the `regions` that devices know. The
// client's end is this file, which a `scout` tells who can be reached, and whose lanes are
// `rdma_lane`s: `queue_pair`s, over which `chain`s of requests are posted, and `staging` for memory
// that no device knows. What is said stands in `frame`; `verbs` is the library underneath, `device`
// one NIC, `memory` what it may touch.

#include <memory>
#include <vector>

#include "transfer/lane_transport.h"
#include "transfer/rdma/path_health.h"
#include "transfer/rdma/rdma.h"
#include "transfer/rdma/rdma_lane.h"
#include "transfer/rdma/reached_regions.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/scout.h"
#include "transfer/rdma/staging.h"
#include "transfer/tcp/connection.h"

namespace kvstore::transfer {

// Reaches peers that have RDMA devices. A lane that no device can make is one of TCP, so that a
// copy which has begun here ends within its deadline; it tells so. Thread-safe.
class RdmaTransport final : public LaneTransport {
 public:
  // `regions` outlives the transport, and has devices.
  RdmaTransport(RdmaRegions& regions, const RdmaClientOptions& options);
  ~RdmaTransport() override;

  Way way() const override { return Way::kRdma; }
  void Expect(const Target& target) override;
  Status Reaches(const Target& target, RegionId region, Access access, TimePoint deadline) override;
  std::optional<Completion> ReadOne(const Target& target, const Copy& copy, uint64_t size,
                                    const CopyLimits& limits, TimePoint now) override {
    return ReadOverPool(target, copy, size, limits, now);
  }
  void Close(PeerId peer) override;

 private:
  class CountedLane;
  class StopgapLane;

  Result<std::unique_ptr<Lane>> Open(const PeerDescriptor& holder, Patience& patience) override;
  uint64_t SliceBytes(const Parcel& parcel) const override;
  Status Cut(const PeerDescriptor& holder, uint64_t lane_id, Patience& patience) override;
  // Waits for the first look at a peer, as long as is fair. OK: a device reaches it.
  Status Meet(const Target& target, TimePoint deadline);
  // As RdmaLane::FindRegion.
  Status AskForRegion(const Target& target, RegionId region, TimePoint deadline);
  // Tries the devices over which the peer may be reached, for all that is known.
  Status LookAt(const Target& target);
  // Over that device.
  Result<std::unique_ptr<RdmaLane>> OpenLane(size_t device, const PeerDescriptor& holder,
                                             Patience& patience, RdmaLane::Attempt* attempt);
  // Likewise; its health hears of it.
  Result<std::unique_ptr<CountedLane>> OpenOver(std::unique_ptr<PathHealth::Place> place,
                                                const PeerDescriptor& holder, Patience& patience);
  // Over the first device that leads there. unavailable: none does.
  Result<std::unique_ptr<CountedLane>> OpenRdma(const PeerDescriptor& holder, Patience& patience);

  const RdmaClientOptions options_;
  RdmaRegions& regions_;
  StagingPool staging_;
  std::vector<std::unique_ptr<LaneCloser>> closers_;  // by device
  PathHealth health_;
  ReachedRegions known_;
  Scout scout_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_RDMA_TRANSPORT_H_
