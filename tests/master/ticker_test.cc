#include "master/ticker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace kvstore::master {
namespace {

TEST(Ticker, TicksAgainAndAgain) {
  std::promise<void> third;
  std::atomic<int> ticks{0};
  Ticker ticker(std::chrono::milliseconds(1), [&] {
    if (++ticks == 3) third.set_value();
  });
  EXPECT_EQ(third.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(Ticker, EndsWithoutWaitingForItsInterval) {
  const TimePoint begin = BootClock::now();
  {
    const Ticker ticker(std::chrono::hours(1), [] { FAIL(); });
  }
  EXPECT_LT(BootClock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace kvstore::master
