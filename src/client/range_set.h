#ifndef KVSTORE_SRC_CLIENT_RANGE_SET_H_
#define KVSTORE_SRC_CLIENT_RANGE_SET_H_

#include <cstdint>
#include <span>
#include <vector>

#include "proto/verbs.h"

namespace kvstore::client {

// Bytes of one segment, for many questions: kept sorted and without overlaps, since views may be
// thousands, and the retirements that wait for them too.
class RangeSet {
 public:
  RangeSet() = default;
  explicit RangeSet(std::vector<Range> ranges);

  // In order; no two of them meet or touch.
  const std::vector<Range>& ranges() const { return ranges_; }
  uint64_t bytes() const;
  // Whether any byte of these is in the set.
  bool Meets(std::span<const Range> ranges) const;

  // The bytes below `end` that are not in the set.
  RangeSet GapsBelow(uint64_t end) const;
  // The bytes that are in both.
  RangeSet CommonWith(const RangeSet& other) const;
  // All granules of which a byte is in the set.
  RangeSet InWholeGranules(uint64_t granule) const;

 private:
  std::vector<Range> ranges_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_RANGE_SET_H_
