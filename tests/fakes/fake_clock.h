#ifndef KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_
#define KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_

#include <utility>

#include "kvstore/clock.h"

namespace kvstore::testing {

// Time passes only when a test says so. Confined to one thread.
class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return std::exchange(now_, now_ + each_look); }
  void Advance(Duration by) { now_ += by; }
  void AdvanceTo(TimePoint when) {
    if (when > now_) now_ = when;
  }

  Duration each_look{};  // passes each time it is asked

 private:
  mutable TimePoint now_{std::chrono::hours(1)};
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_
