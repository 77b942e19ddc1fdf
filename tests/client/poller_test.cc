#include "client/poller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration duration) { return BootClock::now() + duration; }

// An operation that gRPC is done with after some time; it lasts until then.
class Timer final : public Poller::Operation {
 public:
  static void Start(Poller& poller, Duration time, std::function<void()> done) {
    auto* const timer = new Timer(std::move(done));
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    timer->alarm_.Set(
        poller.queue(),
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(us, GPR_TIMESPAN)),
        poller.Tag(timer));
  }

 private:
  explicit Timer(std::function<void()> done) : done_(std::move(done)) {}
  void Done(bool) override {
    const std::unique_ptr<Timer> self(this);
    done_();
  }

  const std::function<void()> done_;
  grpc::Alarm alarm_;
};

// What one thread waits for, and who told it.
struct Wish {
  explicit Wish(Poller& poller) : waiter(poller) {}
  Poller::Waiter waiter;
  std::atomic<bool> fulfilled = false;
  std::atomic<std::thread::id> by;
};

// Waits for a timer, when it is done for `first` too; who told this thread of it.
std::thread::id AwaitTimer(
    Poller& poller, Duration time, std::function<void()> first = [] {}) {
  const auto wish = std::make_shared<Wish>(poller);
  Timer::Start(poller, time, [wish, first = std::move(first)] {
    first();
    wish->by = std::this_thread::get_id();
    wish->fulfilled = true;
    wish->waiter.Notify();
  });
  const TimePoint until = In(seconds(30));
  while (!wish->fulfilled && BootClock::now() < until) wish->waiter.WaitUntil(until);
  EXPECT_TRUE(wish->fulfilled);
  return wish->by;
}

// Where the own thread takes the place of one that was stopped for long, it is told by that.
TEST(PollerTest, WhoWaitsAgainAndAgainTellsItself) {
  Poller poller;
  int by_itself = 0;
  for (int i = 0; i < 100; ++i) {
    if (AwaitTimer(poller, Duration::zero()) == std::this_thread::get_id()) ++by_itself;
  }
  EXPECT_GE(by_itself, 10);
}

TEST(PollerTest, WhoDoesNotWaitMayTellOfWhatIsDone) {
  Poller poller;
  const std::thread::id self = std::this_thread::get_id();
  int by_itself = 0;
  for (int i = 0; i < 100; ++i) {
    AwaitTimer(poller, Duration::zero());  // so that the own thread rests for a while
    const auto by = std::make_shared<std::atomic<std::thread::id>>();
    Timer::Start(poller, Duration::zero(), [by] { *by = std::this_thread::get_id(); });
    const TimePoint until = In(seconds(30));
    while (by->load() == std::thread::id() && BootClock::now() < until) poller.PollReady();
    ASSERT_NE(by->load(), std::thread::id());
    if (by->load() == self) ++by_itself;
  }
  EXPECT_GE(by_itself, 10);
}

TEST(PollerTest, WhoPollsInPassingTellsSomeOfMany) {
  constexpr int kMany = 1000;
  const std::thread::id self = std::this_thread::get_id();
  std::atomic<int> by_this = 0;
  Poller poller;
  const auto make_many = [&] {
    for (int i = 0; i < kMany; ++i) {
      Timer::Start(poller, Duration::zero(), [&] {
        if (std::this_thread::get_id() == self) ++by_this;
      });
    }
  };
  int most = 0;
  for (int i = 0; i < 20; ++i) {
    AwaitTimer(poller, Duration::zero(), make_many);  // nobody else polls meanwhile
    by_this = 0;
    poller.PollReady();
    most = std::max(most, by_this.load());
  }
  EXPECT_GT(most, 0);
  EXPECT_LT(most, kMany / 10);
}

TEST(PollerTest, WhatComesWhereNobodyWaitsIsToldToo) {
  Poller poller;
  for (int i = 0; i < 3; ++i) {
    const auto told = std::make_shared<std::promise<void>>();
    Timer::Start(poller, Duration::zero(), [told] { told->set_value(); });
    EXPECT_EQ(told->get_future().wait_for(seconds(30)), std::future_status::ready);
    AwaitTimer(poller, milliseconds(1));
  }
}

TEST(PollerTest, ANotifyEndsTheWaitOfWhoPolls) {
  Poller poller;
  AwaitTimer(poller, milliseconds(1));
  Poller::Waiter waiter(poller);
  std::thread other([&] { waiter.Notify(); });
  const TimePoint began = BootClock::now();
  waiter.WaitUntil(In(seconds(60)));
  EXPECT_LT(BootClock::now() - began, seconds(30));
  other.join();
}

// All poll at times, and tell each other what is theirs.
TEST(PollerTest, EachOfManyHasItsOwn) {
  Poller poller;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&poller, t] {
      for (int i = 0; i < 200; ++i) AwaitTimer(poller, std::chrono::microseconds(50 * t));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvstore::client
