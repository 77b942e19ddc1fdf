#ifndef KVSTORE_TOOLS_KVBENCH_MEASURE_H_
#define KVSTORE_TOOLS_KVBENCH_MEASURE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {

// Measures for about so long, and says what came of it in the row's unit.
using Round = std::function<Result<double>(Duration)>;

inline constexpr size_t kRounds = 5;

// Not empty.
Spread SpreadOf(std::vector<double> values);

// The limit and the store in turn, so many times after one of each that does not count, within
// about `time` in all: so that whatever else the machine does meets both. The ratio is that of each
// pair of rounds.
Result<Outcome> Alternate(Better better, Duration time, const Round& store, const Round& limit,
                          size_t rounds = kRounds);

// What has no limit on this machine but the figure that is demanded of it.
Outcome Demand(Better better, double value, double demanded);

// How long steps took, one by one. Not empty.
class Times {
 public:
  void Add(Duration time) { each_.push_back(time), sum_ += time; }
  bool IsEmpty() const { return each_.empty(); }
  size_t steps() const { return each_.size(); }
  Duration sum() const { return sum_; }

  double PerSecond(double amount_per_step) const;
  // The share of steps that took no longer, 0 to 1, in microseconds.
  double PercentileUs(double share) const;

 private:
  std::vector<Duration> each_;
  Duration sum_{};
};

// One step, which says how long what counts of it took.
using Step = std::function<Result<Duration>()>;

// Steps until they add up to `time`, or as much again has passed on what does not count in them; at
// least one.
Result<Times> Repeat(Duration time, const Step& step);

// How long it took, unless it failed.
template <typename Work>
Result<Duration> Time(const Work& work) {
  const TimePoint began = BootClock::now();
  const Status status = work();
  const Duration took = BootClock::now() - began;
  if (!status.ok()) return status;
  return took;
}

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_MEASURE_H_
