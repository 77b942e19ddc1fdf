#ifndef KVSTORE_CLOCK_H_
#define KVSTORE_CLOCK_H_

#include <time.h>

#include <chrono>

namespace kvstore {

// CLOCK_BOOTTIME: never stepped, and goes on while the machine is suspended. The only clock that
// kvstore reads; it crosses no process (only durations do). Meets the standard's Clock
// requirements.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
};

using Duration = BootClock::duration;
using TimePoint = BootClock::time_point;

// Where code that is also run under the simulator takes its time from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;

  // The machine's own clock; lives as long as the process.
  static const Clock& Boot();
};

inline const Clock& Clock::Boot() {
  class Machine final : public Clock {
   public:
    TimePoint Now() const override { return BootClock::now(); }
  };
  static const Machine machine;
  return machine;
}

}  // namespace kvstore

#endif  // KVSTORE_CLOCK_H_
