// The master's allocator alone, in this process, under churn: objects of 4 KB, 256 KB and 3.12 MB
// (of ten seven, two and one) come and go in a segment that is four fifths full.

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "master/range_allocator.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {
namespace {

using master::RangeAllocator;

constexpr uint64_t kGranule = 4096;
constexpr size_t kMostRanges = 16;  // the master's max_ranges_per_replica
constexpr double kPrefilled = 0.8;
constexpr double kUtilisation = 0.95;
constexpr double kDemandedNs = 1000;

class Churn {
 public:
  Churn(uint64_t segment, uint64_t changes) : segment_(segment) {
    allocator_.Release({0, segment});
    while (taken() < kPrefilled * static_cast<double>(segment)) Add();
    for (uint64_t i = 0; i < changes; ++i) Change();
  }

  // One goes, another comes. Only its allocation counts.
  Duration Change() {
    Drop();
    while (taken() > kPrefilled * static_cast<double>(segment_)) Drop();
    return Add().value_or(Duration{});
  }

  // The share that is taken when the next object finds no room.
  double FillUp() {
    while (Add()) continue;
    return taken() / static_cast<double>(segment_);
  }

 private:
  double taken() const { return static_cast<double>(segment_ - allocator_.free_bytes()); }

  uint64_t DrawSize() {
    const uint32_t draw = random_() % 10;
    return draw < 7 ? 4'000 : draw < 9 ? 256'000 : 3'120'000;
  }

  // None: there is no room.
  std::optional<Duration> Add() {
    const uint64_t bytes = allocator_.Footprint(DrawSize());
    const TimePoint began = BootClock::now();
    std::vector<Range> ranges = allocator_.Allocate(bytes, kMostRanges);
    const Duration took = BootClock::now() - began;
    if (ranges.empty()) return std::nullopt;
    objects_.push_back(std::move(ranges));
    return took;
  }

  void Drop() {
    std::swap(objects_[random_() % objects_.size()], objects_.back());
    for (const Range& range : objects_.back()) allocator_.Release(range);
    objects_.pop_back();
  }

  const uint64_t segment_;
  std::mt19937 random_{1};
  RangeAllocator allocator_{kGranule};
  std::vector<std::vector<Range>> objects_;
};

uint64_t SegmentBytes(Bench& bench) { return bench.Scaled(uint64_t{64} << 30, uint64_t{1} << 30); }
uint64_t Changes(Bench& bench) { return bench.Scaled(1'000'000, 10'000); }

}  // namespace

std::vector<Row> AllocatorRows() {
  return {
      {.name = "allocator-utilisation",
       .about = "share of a 64 GiB segment in use before the first refusal, after 10^6 changes",
       .unit = "share",
       .against = "demanded",
       .better = Better::kMore,
       .target = std::nullopt,
       .run = [](Bench& bench) -> Result<Outcome> {
         return Demand(Better::kMore, Churn(SegmentBytes(bench), Changes(bench)).FillUp(),
                       kUtilisation);
       }},
      {.name = "allocator-time",
       .about = "an allocation in it, mean",
       .unit = "ns",
       .against = "demanded",
       .better = Better::kLess,
       .target = std::nullopt,
       .run = [](Bench& bench) -> Result<Outcome> {
         Churn churn(SegmentBytes(bench), Changes(bench));
         KVSTORE_ASSIGN_OR_RETURN(
             const Times times,
             Repeat(bench.time(), [&]() -> Result<Duration> { return churn.Change(); }));
         return Demand(Better::kLess, 1e9 / times.PerSecond(1), kDemandedNs);
       }},
  };
}

}  // namespace kvstore::bench
