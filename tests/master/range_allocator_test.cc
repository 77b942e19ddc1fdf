#include "master/range_allocator.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

namespace kvstore::master {
namespace {

constexpr uint64_t kGranule = 4096;

RangeAllocator Fresh(uint64_t granules) {
  RangeAllocator allocator(kGranule);
  if (granules > 0) allocator.Release({0, granules * kGranule});
  return allocator;
}

TEST(RangeAllocatorTest, AnObjectTakesWholeGranulesAndAnEmptyOneTakesOne) {
  const RangeAllocator allocator(kGranule);
  EXPECT_EQ(allocator.Footprint(0), kGranule);
  EXPECT_EQ(allocator.Footprint(1), kGranule);
  EXPECT_EQ(allocator.Footprint(kGranule), kGranule);
  EXPECT_EQ(allocator.Footprint(kGranule + 1), 2 * kGranule);
}

TEST(RangeAllocatorTest, ASizeBeyond64BitsHasNoFootprint) {
  EXPECT_EQ(RangeAllocator(kGranule).Footprint(UINT64_MAX), 0u);
  EXPECT_EQ(RangeAllocator(kGranule).Footprint(UINT64_MAX - kGranule + 1),
            UINT64_MAX - kGranule + 1);
}

TEST(RangeAllocatorTest, TheSmallestRangeThatIsLargeEnoughIsTaken) {
  RangeAllocator allocator(kGranule);
  allocator.Release({0, 4 * kGranule});
  allocator.Release({8 * kGranule, 2 * kGranule});
  EXPECT_EQ(allocator.Allocate(2 * kGranule, 4),
            (std::vector<Range>{{8 * kGranule, 2 * kGranule}}));
  EXPECT_EQ(allocator.largest(), 4 * kGranule);
}

TEST(RangeAllocatorTest, PiecesAreTakenOnlyWhenNoRangeIsLargeEnough) {
  RangeAllocator allocator(kGranule);
  allocator.Release({0, 2 * kGranule});
  allocator.Release({4 * kGranule, 3 * kGranule});
  EXPECT_TRUE(allocator.Allocate(4 * kGranule, 1).empty());
  EXPECT_EQ(allocator.Allocate(4 * kGranule, 2),
            (std::vector<Range>{{4 * kGranule, 3 * kGranule}, {0, kGranule}}));
  EXPECT_EQ(allocator.free_bytes(), kGranule);
}

TEST(RangeAllocatorTest, WhatDoesNotFitTakesNothing) {
  RangeAllocator allocator = Fresh(3);
  EXPECT_FALSE(allocator.CanAllocate(4 * kGranule, 8));
  EXPECT_TRUE(allocator.Allocate(4 * kGranule, 8).empty());
  EXPECT_EQ(allocator.free_bytes(), 3 * kGranule);
}

TEST(RangeAllocatorTest, NeighboursAreMerged) {
  RangeAllocator allocator(kGranule);
  allocator.Release({0, kGranule});
  allocator.Release({2 * kGranule, kGranule});
  EXPECT_EQ(allocator.free_ranges(), 2u);
  allocator.Release({kGranule, kGranule});
  EXPECT_EQ(allocator.FreeRanges(), (std::vector<Range>{{0, 3 * kGranule}}));
}

// The same memory as one bool per granule.
class Bitmap {
 public:
  explicit Bitmap(size_t granules) : free_(granules, true) {}

  // False: some granule was not free (taking) or was free already (giving back).
  bool Set(const std::vector<Range>& ranges, bool free) {
    for (const Range& range : ranges) {
      for (uint64_t g = range.offset / kGranule; g < (range.offset + range.length) / kGranule;
           ++g) {
        if (free_[g] == free) return false;
        free_[g] = free;
      }
    }
    return true;
  }

  std::vector<Range> FreeRanges() const {
    std::vector<Range> ranges;
    for (size_t g = 0; g < free_.size(); ++g) {
      if (!free_[g]) continue;
      if (!ranges.empty() && ranges.back().offset + ranges.back().length == g * kGranule) {
        ranges.back().length += kGranule;
      } else {
        ranges.push_back({g * kGranule, kGranule});
      }
    }
    return ranges;
  }

 private:
  std::vector<bool> free_;
};

// What `max_ranges` free ranges hold at most, by sorting them.
uint64_t LargestTogether(std::vector<Range> ranges, size_t max_ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.length > b.length; });
  uint64_t sum = 0;
  for (size_t i = 0; i < std::min(max_ranges, ranges.size()); ++i) sum += ranges[i].length;
  return sum;
}

TEST(RangeAllocatorTest, ItAgreesWithABitmap) {
  EXPECT_TRUE(rc::check([] {
    const auto granules = *rc::gen::inRange<size_t>(1, 48);
    RangeAllocator allocator = Fresh(granules);
    Bitmap bitmap(granules);
    std::vector<std::vector<Range>> held;
    for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1 << 20))) {
      if (step % 3 == 0 && !held.empty()) {
        const size_t victim = static_cast<size_t>(step / 3) % held.size();
        RC_ASSERT(bitmap.Set(held[victim], /*free=*/true));
        for (const Range& range : held[victim]) allocator.Release(range);
        held.erase(held.begin() + static_cast<ptrdiff_t>(victim));
      } else {
        const uint64_t bytes = (1 + static_cast<uint64_t>(step / 3) % granules) * kGranule;
        const size_t max_ranges = 1 + static_cast<size_t>(step) % 5;
        const uint64_t most = LargestTogether(bitmap.FreeRanges(), max_ranges);
        RC_ASSERT(allocator.Usable(max_ranges) == most);
        RC_ASSERT(allocator.CanAllocate(bytes, max_ranges) == (bytes <= most));
        const std::vector<Range> taken = allocator.Allocate(bytes, max_ranges);
        RC_ASSERT(taken.empty() == (bytes > most));
        RC_ASSERT(taken.size() <= max_ranges);
        uint64_t sum = 0;
        for (const Range& range : taken) sum += range.length;
        RC_ASSERT(taken.empty() || sum == bytes);
        RC_ASSERT(bitmap.Set(taken, /*free=*/false));
        if (!taken.empty()) held.push_back(taken);
      }
      RC_ASSERT(allocator.FreeRanges() == bitmap.FreeRanges());
    }
  }));
}

}  // namespace
}  // namespace kvstore::master
