#ifndef KVSTORE_SRC_MASTER_RANGE_ALLOCATOR_H_
#define KVSTORE_SRC_MASTER_RANGE_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "proto/verbs.h"

namespace kvstore::master {

// The free ranges of one segment, in whole granules; neighbours are always merged. Pure, knows
// nothing of who holds the rest. O(log of the free ranges) per range. Thread-compatible: the
// catalog's user locks.
class RangeAllocator {
 public:
  // `granule`, in bytes, is not 0.
  explicit RangeAllocator(uint64_t granule) : granule_(granule) {}

  // What an object of `size` bytes takes: whole granules, and one for an empty object. 0 when that
  // number does not fit in 64 bits.
  uint64_t Footprint(uint64_t size) const;

  // Takes exactly `bytes`, whole granules and not 0, in at most `max_ranges` ranges: in one range
  // if any is large enough (the smallest that is), else in the largest ones. Empty when that can't
  // be done; nothing is taken then.
  std::vector<Range> Allocate(uint64_t bytes, size_t max_ranges);

  // Whether Allocate would succeed. O(max_ranges) at most.
  bool CanAllocate(uint64_t bytes, size_t max_ranges) const {
    return bytes <= largest() || bytes <= Usable(max_ranges);
  }

  // The most that Allocate gives in `max_ranges` ranges.
  uint64_t Usable(size_t max_ranges) const;

  // The range is free from now on: new memory, or one that Allocate gave. It overlaps nothing that
  // is free.
  void Release(Range range);

  // Takes just that range, whole granules. False: not all of it is free; nothing is taken then.
  bool Take(Range range);

  // Takes all that is free at `offset` and beyond it, whole granules.
  std::vector<Range> TakeFrom(uint64_t offset);

  uint64_t free_bytes() const { return free_bytes_; }
  size_t free_ranges() const { return by_offset_.size(); }
  uint64_t largest() const { return by_length_.empty() ? 0 : by_length_.rbegin()->first; }

  // In order of offset.
  std::vector<Range> FreeRanges() const;

 private:
  using ByOffset = std::map<uint64_t, uint64_t>;  // offset -> length

  void Insert(Range range);
  void Erase(ByOffset::iterator at);
  Range Cut(std::pair<uint64_t, uint64_t> length_and_offset, uint64_t bytes);

  const uint64_t granule_;
  uint64_t free_bytes_ = 0;  // sum of the lengths
  ByOffset by_offset_;
  std::set<std::pair<uint64_t, uint64_t>> by_length_;  // (length, offset), the same ranges
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_RANGE_ALLOCATOR_H_
