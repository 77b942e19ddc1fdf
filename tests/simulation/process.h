#ifndef KVSTORE_TESTS_SIMULATION_PROCESS_H_
#define KVSTORE_TESTS_SIMULATION_PROCESS_H_

#include <algorithm>
#include <string>
#include <utility>

#include "kvstore/clock.h"

namespace kvstore::simulation {

// True time of a run, from its beginning. No process sees it.
using Instant = Duration;

// One life of one simulated process: its clock, its pauses, its end. Its clock has an origin and a
// rate of its own, so that a duration is the only time that means the same elsewhere.
//
// Once it is dead, its threads still have to be led out of whatever they wait in. They run on in a
// void: their clock shows a far future, later each time, so that every deadline has passed or soon
// will, and nothing that they send or copy has an effect.
class Process final : public Clock {
 public:
  Process(const Instant* now, std::string name, Duration origin, double rate)
      : true_now_(now), name_(std::move(name)), origin_(origin), rate_(rate) {}

  TimePoint Now() const override {
    if (dead_) return TimePoint(kFarOff + ++looks_in_the_void_ * std::chrono::seconds(1));
    return TimePoint(origin_ + Scale(*true_now_, rate_));
  }

  // When its clock will show `local`, or a moment later, as timers fire; far off if that is beyond
  // all runs.
  Instant WhenShown(TimePoint local) const {
    const Duration since_origin = std::min(local.time_since_epoch(), kFarOff) - origin_;
    return Scale(since_origin, 1.0 / rate_) + std::chrono::microseconds(1);
  }

  const std::string& name() const { return name_; }
  bool dead() const { return dead_; }
  Instant paused_until() const { return paused_until_; }

  void Die() { dead_ = true; }
  void PauseUntil(Instant when) {
    if (when > paused_until_) paused_until_ = when;
  }

 private:
  static constexpr Duration kFarOff = std::chrono::hours(24 * 365);

  static Duration Scale(Duration d, double rate) {
    return Duration(static_cast<int64_t>(static_cast<double>(d.count()) * rate));
  }

  const Instant* const true_now_;
  const std::string name_;
  const Duration origin_;
  const double rate_;
  bool dead_ = false;
  mutable int64_t looks_in_the_void_ = 0;
  Instant paused_until_{};
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_PROCESS_H_
