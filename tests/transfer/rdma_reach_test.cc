// Devices that are up, and a network between them that leads nowhere: who does well by TCP must not
// pay for it.

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RdmaReachTest : public RdmaTransportTest {
 protected:
  // Copies of several threads; how many of them were done, by TCP and by RDMA.
  struct Tally {
    std::atomic<int> tcp = 0, rdma = 0, other = 0;
  };
  void RunMany(const CopyLimits& each, Tally* tally) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        Bytes bytes(4096);
        for (int i = 0; i < 10; ++i) {
          const CopyLimits limits(BootClock::now() + (each.deadline - BootClock::now()),
                                  each.stall);
          const Completion done = Run(Access::kRead, &bytes, limits);
          EXPECT_EQ(done.outcome, Outcome::kDone) << done.status;
          ++(done.outcome != Outcome::kDone ? tally->other
             : done.way == Way::kTcp        ? tally->tcp
                                            : tally->rdma);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  bool ComesByRdma() {
    Bytes bytes(4096);
    return Comes([&] { return Run(Access::kRead, &bytes).way == Way::kRdma; }, seconds(60));
  }
};

TEST_F(RdmaReachTest, ANetworkThatLeadsNowhereIsLearnedBesideTheCopies) {
  for (const Duration give_up_after : {Duration(milliseconds(700)), Duration::max()}) {
    FakeFabric::SetUp({{}});
    FakeFabric::Swallow("fake0", true, give_up_after);
    Start({.ways = {Way::kRdma, Way::kTcp}});
    Lend(1 << 20);
    Tally tally;
    RunMany({BootClock::now() + seconds(60), seconds(20)}, &tally);
    EXPECT_EQ(tally.tcp, 40);
    EXPECT_TRUE(Comes([&] { return client_->rdma_devices().at(0).failures > 0; }, seconds(60)));
    EXPECT_LE(FakeFabric::swallowed(), 4u) << "it was tried again and again";
    FakeFabric::Swallow("fake0", false);
    EXPECT_TRUE(ComesByRdma());
    client_.reset();
    holder_.reset();
    memory_.reset();
  }
}

TEST_F(RdmaReachTest, WhereOneOfTwoDevicesLeadsNowhereTheOtherIsUsed) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  FakeFabric::Swallow("a", true, milliseconds(200));
  Start({.ways = {Way::kRdma, Way::kTcp}});
  Lend(1 << 20);
  EXPECT_TRUE(ComesByRdma());
  EXPECT_EQ(FakeFabric::bytes_moved("a"), 0u);
  Tally tally;
  RunMany({BootClock::now() + seconds(60), seconds(20)}, &tally);
  EXPECT_EQ(tally.rdma, 40);
}

// A switch on the way has failed: the copy that meets it first goes on by TCP, though it may wait
// for its peer no longer than that; and later ones go there at once.
TEST_F(RdmaReachTest, WhatGoesSilentIsLeftInTimeForTcp) {
  Start({.ways = {Way::kRdma, Way::kTcp}, .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  ExpectDone(Run(Access::kWrite, &bytes));
  FakeFabric::Swallow("fake0", true);
  for (const Access access : {Access::kWrite, Access::kRead}) {
    ExpectDone(Run(access, &bytes, {BootClock::now() + seconds(60), seconds(4)}), Way::kTcp);
  }
  FakeFabric::Swallow("fake0", false);
  EXPECT_TRUE(ComesByRdma());
}

// Each ends before a fair time has passed, together they make one.
TEST_F(RdmaReachTest, CopiesWithLittleTimeLearnTogetherThatNothingComes) {
  Start({.ways = {Way::kRdma, Way::kTcp}, .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(4096);
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::Swallow("fake0", true);
  EXPECT_TRUE(Comes(
      [&] {
        const Completion each =
            Run(Access::kRead, &bytes, CopyLimits(BootClock::now() + milliseconds(60)));
        return each.way == Way::kTcp && each.outcome == Outcome::kDone;
      },
      seconds(60)));
}

}  // namespace
}  // namespace kvstore::transfer
