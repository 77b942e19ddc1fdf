#include "simulation/scheduler.h"

#include <gtest/gtest.h>

#include <vector>

#include "simulation/network.h"

namespace kvstore::simulation {
namespace {

using std::chrono::milliseconds;

TEST(SchedulerTest, ThreadsRunOneAtATimeInTheOrderOfTheirTimes) {
  Scheduler scheduler(1);
  std::vector<int> order;
  for (const int i : {3, 1, 2}) {
    scheduler.Spawn(scheduler.NewProcess("p"), [&scheduler, &order, i] {
      scheduler.WaitUntil(milliseconds(i));
      order.push_back(i);
      scheduler.WaitUntil(milliseconds(10 + i));
      order.push_back(10 + i);
    });
  }
  scheduler.Drain();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 11, 12, 13}));
}

TEST(SchedulerTest, APausedProcessRunsNothingAndItsTimersFireLate) {
  Scheduler scheduler(1);
  Process* process = scheduler.NewProcess("p");
  Instant action{};
  Instant woken{};
  scheduler.At(milliseconds(5), process, [&] { action = scheduler.now(); });
  scheduler.Spawn(process, [&] {
    scheduler.WaitUntil(milliseconds(7));
    woken = scheduler.now();
  });
  scheduler.At(milliseconds(1), nullptr, [&] { process->PauseUntil(milliseconds(100)); });
  scheduler.Drain();
  EXPECT_EQ(action, milliseconds(100));
  EXPECT_EQ(woken, milliseconds(100));
}

TEST(SchedulerTest, DeathEndsWaitsAndDropsActions) {
  Scheduler scheduler(1);
  Process* process = scheduler.NewProcess("p");
  bool acted = false;
  Instant led_out{};
  scheduler.At(milliseconds(5), process, [&] { acted = true; });
  scheduler.Spawn(process, [&] {
    const TimePoint before = process->Now();
    scheduler.WaitUntil(std::chrono::hours(1));
    led_out = scheduler.now();
    EXPECT_GT(process->Now() - before, std::chrono::hours(1)) << "every deadline has passed";
  });
  scheduler.At(milliseconds(2), nullptr, [&] { scheduler.Kill(process); });
  scheduler.Drain();
  scheduler.WaitUntil(milliseconds(10));
  EXPECT_FALSE(acted);
  EXPECT_EQ(led_out, milliseconds(2));
}

TEST(SchedulerTest, ClocksDriftApartButTimersFireWhenTheyShow) {
  Scheduler scheduler(7);
  Process* process = scheduler.NewProcess("p");
  const TimePoint wanted = process->Now() + std::chrono::seconds(100);
  scheduler.WaitUntil(process->WhenShown(wanted));
  EXPECT_GE(process->Now(), wanted);
  EXPECT_LT(process->Now() - wanted, milliseconds(1));
}

TEST(NetworkTest, ABrokenPipeBringsAFirstPartInOrder) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Scheduler scheduler(seed);
    Network network(&scheduler, 2, {});
    Pipe pipe(&network, 0, 1, scheduler.NewProcess("p"));
    std::vector<int> arrived;
    for (int i = 0; i < 5; ++i) pipe.Send([&arrived, i] { arrived.push_back(i); });
    scheduler.WaitUntil(scheduler.now() + milliseconds(1));
    pipe.Break();
    pipe.Send([&arrived] { arrived.push_back(99); });
    scheduler.WaitUntil(scheduler.now() + std::chrono::seconds(20));
    for (size_t i = 0; i < arrived.size(); ++i) EXPECT_EQ(arrived[i], static_cast<int>(i));
  }
}

TEST(NetworkTest, NothingPassesACutLinkAndAPipeCatchesUp) {
  Scheduler scheduler(1);
  Network network(&scheduler, 2, {});
  Process* process = scheduler.NewProcess("p");
  Pipe pipe(&network, 0, 1, process);
  int by_pipe = 0;
  int alone = 0;
  network.Cut(0, 1);
  pipe.Send([&by_pipe] { ++by_pipe; });
  network.Send(0, 1, process, [&alone] { ++alone; });
  scheduler.WaitUntil(std::chrono::seconds(2));
  EXPECT_EQ(by_pipe, 0);
  network.Mend(0, 1);
  scheduler.WaitUntil(std::chrono::seconds(4));
  EXPECT_EQ(by_pipe, 1);
  EXPECT_EQ(alone, 0);
}

}  // namespace
}  // namespace kvstore::simulation
