#include "client/range_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvstore::client {

RangeSet::RangeSet(std::vector<Range> ranges) {
  // Those of a manifest are sorted already, and millions.
  if (!std::is_sorted(ranges.begin(), ranges.end())) std::sort(ranges.begin(), ranges.end());
  for (const Range& range : ranges) {
    if (range.length == 0) continue;
    if (ranges_.empty() || ranges_.back().offset + ranges_.back().length < range.offset) {
      ranges_.push_back(range);
    } else {
      Range& last = ranges_.back();
      const uint64_t end = std::max(last.offset + last.length, range.offset + range.length);
      last.length = end - last.offset;
    }
  }
}

uint64_t RangeSet::bytes() const {
  uint64_t sum = 0;
  for (const Range& range : ranges_) sum += range.length;
  return sum;
}

bool RangeSet::Meets(std::span<const Range> ranges) const {
  return std::any_of(ranges.begin(), ranges.end(), [this](const Range& range) {
    // The last one that begins before the range ends.
    const auto behind =
        std::lower_bound(ranges_.begin(), ranges_.end(), range.offset + range.length,
                         [](const Range& mine, uint64_t end) { return mine.offset < end; });
    if (behind == ranges_.begin()) return false;
    return range.offset < std::prev(behind)->offset + std::prev(behind)->length;
  });
}

RangeSet RangeSet::GapsBelow(uint64_t end) const {
  RangeSet gaps;
  uint64_t at = 0;
  for (const Range& range : ranges_) {
    if (range.offset >= end) break;
    if (range.offset > at) gaps.ranges_.push_back({at, range.offset - at});
    at = range.offset + range.length;
  }
  if (at < end) gaps.ranges_.push_back({at, end - at});
  return gaps;
}

RangeSet RangeSet::CommonWith(const RangeSet& other) const {
  RangeSet common;
  auto mine = ranges_.begin();
  auto theirs = other.ranges_.begin();
  while (mine != ranges_.end() && theirs != other.ranges_.end()) {
    const uint64_t my_end = mine->offset + mine->length;
    const uint64_t their_end = theirs->offset + theirs->length;
    const uint64_t begin = std::max(mine->offset, theirs->offset);
    const uint64_t end = std::min(my_end, their_end);
    if (begin < end) common.ranges_.push_back({begin, end - begin});
    ++(my_end < their_end ? mine : theirs);
  }
  return common;
}

RangeSet RangeSet::InWholeGranules(uint64_t granule) const {
  std::vector<Range> whole;
  whole.reserve(ranges_.size());
  for (const Range& range : ranges_) {
    const uint64_t begin = range.offset / granule * granule;
    const uint64_t end = (range.offset + range.length - 1) / granule * granule + granule;
    whole.push_back({begin, end - begin});
  }
  return RangeSet(std::move(whole));
}

}  // namespace kvstore::client
