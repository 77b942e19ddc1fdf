#ifndef KVSTORE_SRC_TRANSFER_WAYS_H_
#define KVSTORE_SRC_TRANSFER_WAYS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/batch.h"
#include "transfer/guards.h"
#include "transfer/peer_table.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

class ServedMemory;

// The ways that an engine's copies go, and the peers to whom they lead: sorts the copies of a batch
// by peer and way. Its functions are those of Engine. Thread-safe.
class Ways {
 public:
  // `own` is this process's memory, which outlives this. `rdma` leads over the devices that `own`
  // holds; null: there are none.
  Ways(const EngineOptions& options, const TransferGuards& guards, ServedMemory& own,
       std::unique_ptr<Transport> rdma);

  Result<PeerId> Open(std::string_view descriptor);
  void Close(PeerId id);
  std::shared_ptr<BatchState> Submit(std::span<const Copy> copies, const CopyLimits& limits);
  std::vector<Completion> Run(std::span<const Copy> copies, const CopyLimits& limits);
  Result<std::unique_ptr<Mapping>> Map(const MapRequest& request, TimePoint deadline);
  WayCounters counters(Way way) const { return totals_->Get(way); }

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

  const EngineOptions options_;
  const std::shared_ptr<WayTotals> totals_ = std::make_shared<WayTotals>();
  PeerTable peers_;
  std::vector<std::unique_ptr<Transport>> transports_;  // cheapest first; destroyed first of all
  // Of these, that of the RDMA devices, which has a shorter way for a single read; null: none.
  Transport* const rdma_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_WAYS_H_
