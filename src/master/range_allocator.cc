#include "master/range_allocator.h"

#include <algorithm>
#include <limits>

namespace kvstore::master {

uint64_t RangeAllocator::Footprint(uint64_t size) const {
  if (size == 0) return granule_;
  const uint64_t granules = (size - 1) / granule_ + 1;
  return granules > std::numeric_limits<uint64_t>::max() / granule_ ? 0 : granules * granule_;
}

std::vector<Range> RangeAllocator::Allocate(uint64_t bytes, size_t max_ranges) {
  std::vector<Range> taken;
  if (bytes == 0 || max_ranges == 0 || !CanAllocate(bytes, max_ranges)) return taken;
  while (bytes > 0) {
    // The smallest range that holds the rest keeps large ones whole; without one, the largest
    // keeps the number of pieces small.
    const auto fits = by_length_.lower_bound({bytes, 0});
    const auto source = fits != by_length_.end() ? *fits : *by_length_.rbegin();
    taken.push_back(Cut(source, std::min(bytes, source.first)));
    bytes -= taken.back().length;
  }
  return taken;
}

bool RangeAllocator::Take(Range range) {
  auto at = by_offset_.upper_bound(range.offset);
  if (at == by_offset_.begin()) return false;
  --at;
  const uint64_t start = at->first;
  const uint64_t end = start + at->second;
  const uint64_t range_end = range.offset + range.length;
  if (range_end > end) return false;
  Erase(at);
  if (range.offset > start) Insert({start, range.offset - start});
  if (end > range_end) Insert({range_end, end - range_end});
  return true;
}

uint64_t RangeAllocator::Usable(size_t max_ranges) const {
  uint64_t sum = 0;
  for (auto it = by_length_.rbegin(); it != by_length_.rend() && max_ranges > 0; ++it) {
    sum += it->first;
    --max_ranges;
  }
  return sum;
}

void RangeAllocator::Release(Range range) {
  const auto after = by_offset_.lower_bound(range.offset);
  if (after != by_offset_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == range.offset) {
      range = {before->first, before->second + range.length};
      Erase(before);
    }
  }
  if (after != by_offset_.end() && range.offset + range.length == after->first) {
    range.length += after->second;
    Erase(after);
  }
  Insert(range);
}

std::vector<Range> RangeAllocator::TakeFrom(uint64_t offset) {
  std::vector<Range> taken;
  while (!by_offset_.empty()) {
    const auto last = std::prev(by_offset_.end());
    const auto [start, length] = *last;
    if (start + length <= offset) break;
    Erase(last);
    const uint64_t cut = std::max(start, offset);
    if (start < cut) Insert({start, cut - start});
    taken.push_back({cut, start + length - cut});
  }
  return taken;
}

std::vector<Range> RangeAllocator::FreeRanges() const {
  std::vector<Range> ranges;
  ranges.reserve(by_offset_.size());
  for (const auto& [offset, length] : by_offset_) ranges.push_back({offset, length});
  return ranges;
}

void RangeAllocator::Insert(Range range) {
  by_offset_.emplace(range.offset, range.length);
  by_length_.emplace(range.length, range.offset);
  free_bytes_ += range.length;
}

void RangeAllocator::Erase(ByOffset::iterator at) {
  by_length_.erase({at->second, at->first});
  free_bytes_ -= at->second;
  by_offset_.erase(at);
}

Range RangeAllocator::Cut(std::pair<uint64_t, uint64_t> length_and_offset, uint64_t bytes) {
  const auto [length, offset] = length_and_offset;
  Erase(by_offset_.find(offset));
  if (length > bytes) Insert({offset + bytes, length - bytes});
  return {offset, bytes};
}

}  // namespace kvstore::master
