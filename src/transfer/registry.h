#ifndef KVSTORE_SRC_TRANSFER_REGISTRY_H_
#define KVSTORE_SRC_TRANSFER_REGISTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/guards.h"

namespace kvstore::transfer {

class Registry;

// One access to a remote region: counted, and allowed by the region's guard, for as long as the
// object lives. Movable; confined to one thread at a time. The registry outlives it.
class RegionAccess {
 public:
  RegionAccess(RegionAccess&& other) noexcept;
  RegionAccess& operator=(RegionAccess&&) = delete;
  ~RegionAccess();

  // The first byte of the access.
  std::byte* data() const { return data_; }

  // Whether the memory may still be touched, asked in the middle of a long access: the guard stands
  // and nobody unregisters the region.
  bool StillStands() const;
  // The same after the last byte of a read.
  bool StoodToTheEnd() const;

 private:
  friend class Registry;
  struct Region;
  RegionAccess(Registry* registry, Region* region, Access access, uint64_t offset, uint64_t length,
               const Guard& guard, bool entered);
  bool Stands() const;
  void LeaveGuard() const;

  Registry* registry_;
  Region* region_;  // null: moved from
  std::byte* data_;
  Access access_;
  uint64_t offset_;
  uint64_t length_;
  Guard guard_;
  bool entered_;  // the guard waits for our Leave
};

// The memory of this process that copies may start or end in: disjoint intervals, each with a
// number that is never used again. Thread-safe; calls guards without holding its lock.
class Registry {
 public:
  explicit Registry(const TransferGuards& guards);
  ~Registry();

  // As Engine::Register.
  Result<RegionId> Add(void* base, uint64_t size, const RegionOptions& options);
  // As Engine::Unregister. unavailable: something may touch it still, though it was waited for
  // until then; its guard is asked nothing more.
  Status Remove(RegionId id, TimePoint until);

  // Begins an access, whose bounds and guard are checked here and nowhere else. not_found: no such
  // region is open to peers; invalid_argument: out of bounds, or guarded memory accessed without
  // naming a guard; aborted: the guard refused.
  Result<RegionAccess> Begin(Access access, RegionId id, uint64_t offset, uint64_t length,
                             const std::optional<Guard>& guard);

 private:
  friend class RegionAccess;
  using Region = RegionAccess::Region;

  Result<Region*> Use(RegionId id, uint64_t offset, uint64_t length, bool has_guard);
  void EndUse(Region* region);
  Status CheckDisjoint(uint64_t begin, uint64_t size) const REQUIRES(mu_);

  const TransferGuards guards_;
  Mutex mu_;
  CondVar use_ended_;
  std::map<RegionId, std::unique_ptr<Region>> regions_ GUARDED_BY(mu_);
  std::map<uint64_t, RegionId> by_begin_ GUARDED_BY(mu_);
  RegionId next_id_ GUARDED_BY(mu_) = 1;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_REGISTRY_H_
