// How completions are waited for: a thread looks for its own again and again while they come soon,
// and sleeps when they don't, until its device wakes it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <thread>

#include "transfer/lane.h"
#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RdmaPollingTest : public RdmaTransportTest {
 protected:
  void SetUp() override {
    RdmaTransportTest::SetUp();
    Start();
    Lend(4096);
    ExpectDone(Run(Access::kRead, &bytes_));  // over the lane that goes on to be used
  }
  void TearDown() override {
    FakeFabric::HideCompletions(0);
    RdmaTransportTest::TearDown();
  }

  Bytes bytes_ = Bytes(4096);
};

// A sleep that nothing ends takes a step. Some of these copies take less, at least: on a busy
// machine a thread may not come to look for long.
TEST_F(RdmaPollingTest, WhatIsCompletedSoonIsFoundByLookingWithoutASleep) {
  constexpr size_t kLooks = 5;
  FakeFabric::HideCompletions(kLooks);
  Duration shortest = kWaitStep;
  for (int round = 0; round < 100; ++round) {
    const TimePoint began = BootClock::now();
    const size_t looks = FakeFabric::polling().looks;
    ExpectDone(Run(Access::kRead, &bytes_));
    EXPECT_GE(FakeFabric::polling().looks - looks, kLooks);
    shortest = std::min<Duration>(shortest, BootClock::now() - began);
  }
  EXPECT_LT(shortest, kWaitStep);
}

TEST_F(RdmaPollingTest, WhileNothingIsCompletedTheThreadSleepsAndItsDeviceWakesIt) {
  constexpr milliseconds kWhile{300};
  // As often as the thread would have looked within a millisecond or two, if it did nothing else.
  constexpr size_t kFew = 100;
  const size_t woken = FakeFabric::polling().woken;
  // It also wakes at each step, to see whether it may go on: perhaps just when the device wakes it.
  for (int round = 0; round < 20 && FakeFabric::polling().woken == woken; ++round) {
    FakeFabric::HideCompletions(SIZE_MAX);
    const size_t asked = FakeFabric::polling().asked;
    std::thread copier([this] { ExpectDone(Run(Access::kRead, &bytes_)); });
    EXPECT_TRUE(Comes([&] { return FakeFabric::polling().asked > asked; }, seconds(60)));
    const size_t looks = FakeFabric::polling().looks;
    std::this_thread::sleep_for(kWhile);
    EXPECT_LT(FakeFabric::polling().looks - looks, kFew);
    FakeFabric::HideCompletions(0);
    copier.join();
  }
  EXPECT_GT(FakeFabric::polling().woken, woken);
}

// Nobody looks for anything while no copy is under way, whatever lanes there are.
TEST_F(RdmaPollingTest, WithoutCopiesNobodyLooks) {
  const size_t looks = FakeFabric::polling().looks;
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(FakeFabric::polling().looks, looks);
}

}  // namespace
}  // namespace kvstore::transfer
