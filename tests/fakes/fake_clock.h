#ifndef KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_
#define KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_

#include "kvstore/clock.h"

namespace kvstore::testing {

// Time passes only when a test says so. Confined to one thread.
class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  void Advance(Duration by) { now_ += by; }
  void AdvanceTo(TimePoint when) {
    if (when > now_) now_ = when;
  }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_CLOCK_H_
