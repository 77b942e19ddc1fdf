#ifndef KVSTORE_SRC_TRANSFER_RDMA_REGIONS_H_
#define KVSTORE_SRC_TRANSFER_RDMA_REGIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/rdma/device.h"
#include "transfer/rdma/frame.h"
#include "transfer/rdma/memory.h"
#include "transfer/rdma/topology.h"

namespace kvstore::transfer {

// The regions of this process as the devices know them: for peers to reach, and for its own copies
// to begin and end in without another copy. Thread-safe.
class RdmaRegions {
 public:
  struct Region {
    std::byte* base = nullptr;
    uint64_t size = 0;
    std::vector<std::unique_ptr<RegisteredMemory>> memory;  // by device; null: it has failed
    std::vector<std::unique_ptr<RegisteredMemory>> words;   // likewise; empty: it has none
    uint64_t granule = 0;
    bool remote = false;
    bool guarded = false;
    int node = -1;  // NUMA; -1: unknown, or several
    // Guarded by the mutex of all.
    mutable uint64_t uses = 0;  // by copies of our own
    bool closing = false;       // nobody finds it any more
  };
  struct EndUse {
    void operator()(const Region* region) const;
    RdmaRegions* regions = nullptr;
  };
  // Keeps a region as it is while it lives; the regions outlive it.
  using Use = std::unique_ptr<const Region, EndUse>;
  using FindNode = std::function<int(const std::byte* base, uint64_t size)>;

  // `part_bytes`: see RegisteredMemory::Create.
  explicit RdmaRegions(std::vector<std::shared_ptr<RdmaDevice>> devices, uint64_t part_bytes = 0,
                       Topology topology = Topology(), FindNode find_node = NodeOfMemory);

  const std::vector<std::shared_ptr<RdmaDevice>>& devices() const { return devices_; }

  // Pins all of the region's pages, and those of its words, which peers can only read. Memory that
  // a fork would take from its devices is left to staging buffers; failed_precondition: peers are
  // to reach it. Devices that have failed are left out; unavailable: all have.
  Status Add(RegionId id, void* base, uint64_t size, const RegionOptions& options);
  // Waits for copies of our own that use it. OK: no device reaches it any more. unavailable: one
  // may still, so the memory must be kept as it is; asked again, it may be let go. not_found:
  // devices don't know it.
  Status Remove(RegionId id, TimePoint until) EXCLUDES(mu_);

  // Whether the device is among those that are nearest to the regions. All are, while these lie on
  // several NUMA nodes, or nobody knows.
  bool IsNear(size_t device) const EXCLUDES(mu_);
  // Its place among the devices that are as near, or among those that aren't.
  size_t RankOf(size_t device) const EXCLUDES(mu_);

  // For a peer that reaches us over that device. not_found; failed_precondition: it is guarded, and
  // has no words that a peer could read; unavailable: the device has failed.
  Result<RegionAnswer> Find(RegionId id, size_t device) const;
  // The region in which all of that memory lies, in use from here on; null: none.
  Use FindLocal(const void* data, uint64_t size);

 private:
  // Registers its memory, and that of its words, at the device. unavailable: that has failed.
  Status AddTo(const std::shared_ptr<RdmaDevice>& device, const RegionOptions& options,
               Region* region) const;
  // Its memory, at all devices.
  static Status Close(Region* region);
  // By all regions together.
  void ChooseNearest() REQUIRES(mu_);

  const std::vector<std::shared_ptr<RdmaDevice>> devices_;
  const uint64_t part_bytes_;
  const Topology topology_;
  const FindNode find_node_;
  const bool keeps_pages_at_fork_;  // of memory that isn't shared
  mutable Mutex mu_;
  std::vector<bool> near_ GUARDED_BY(mu_);  // by device
  CondVar use_ended_;
  std::map<RegionId, std::unique_ptr<Region>> regions_ GUARDED_BY(mu_);
  std::map<uintptr_t, Region*> by_begin_ GUARDED_BY(mu_);  // of regions_
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_REGIONS_H_
