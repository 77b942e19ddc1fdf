// Devices that are up, and a network between them that leads nowhere: who does well by TCP must not
// pay for it.

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
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

// Devices that complete a MiB in so long.
std::atomic<int> ms_per_mib{0};
const Verbs& SlowVerbs() {
  static std::mutex mu;
  static std::deque<TimePoint> due;  // of one lane's completions
  static const Verbs verbs = [] {
    Verbs slow = FakeFabric::verbs();
    slow.post_send = [](ibv_qp* pair, ibv_send_wr* request, ibv_send_wr** bad) {
      const std::lock_guard lock(mu);
      double bytes = 0;
      for (const ibv_send_wr* each = request; each != nullptr; each = each->next) {
        for (int i = 0; i < each->num_sge; ++i) bytes += each->sg_list[i].length;
        if ((each->send_flags & IBV_SEND_SIGNALED) == 0) continue;
        due.push_back(BootClock::now() + std::chrono::microseconds(static_cast<int64_t>(
                                             1000 * bytes / (1 << 20) * ms_per_mib)));
      }
      return FakeFabric::verbs().post_send(pair, request, bad);
    };
    slow.poll_cq = [](ibv_cq* queue, int, ibv_wc* completions) {
      const std::lock_guard lock(mu);
      if (due.empty() || BootClock::now() < due.front()) return 0;
      due.pop_front();
      return FakeFabric::verbs().poll_cq(queue, 1, completions);
    };
    return slow;
  }();
  return verbs;
}

// They take 2 s, and half of the time is less.
TEST_F(RdmaReachTest, APathThatIsSlowIsNotCalledSilent) {
  for (const bool tcp : {true, false}) {
    EngineOptions options{.ways = {Way::kRdma}, .tcp_connections_per_peer = 1};
    if (tcp) options.ways.push_back(Way::kTcp);
    options.tcp_stall_timeout = std::chrono::minutes(10);
    ms_per_mib = 0;
    holder_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
    client_ = CreateEngine(options, {}, &SlowVerbs()).value();
    Lend(4 << 20);
    Bytes bytes(4 << 20), less(1 << 20);
    ExpectDone(Run(Access::kRead, &bytes));
    const CopyLimits limits(BootClock::now() + seconds(60), seconds(3));
    if (tcp) {
      ms_per_mib = 500;
      ExpectDone(Run(Access::kRead, &bytes, limits));
    } else {  // there is nowhere else to go
      ms_per_mib = 2000;
      ExpectDone(Run(Access::kRead, &less, limits));
    }
    EXPECT_EQ(client_->rdma_devices().at(0).failures, 0u);
    client_.reset();
    holder_.reset();
    memory_.reset();
  }
}

// The second takes half of what the first has left.
TEST_F(RdmaReachTest, TwoDevicesThatGoSilentLeaveTimeForTcp) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start({.ways = {Way::kRdma, Way::kTcp},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::Swallow("a", true);
  FakeFabric::Swallow("b", true);
  ExpectDone(Run(Access::kRead, &bytes, {BootClock::now() + seconds(60), seconds(5)}), Way::kTcp);
  EXPECT_GE(FakeFabric::swallowed(), 2u);
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

// Holders, each with memory that it lends, and how the client reaches them.
class RdmaPeersTest : public RdmaReachTest {
 protected:
  ~RdmaPeersTest() override { client_.reset(); }

  void StartMany(size_t count, const EngineOptions& options) {
    client_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
    for (size_t i = 0; i < count; ++i) {
      memories_.emplace_back(4096);
      holders_.push_back(CreateEngine(options, {}, &FakeFabric::verbs()).value());
      regions_.push_back(
          holders_.back()->Register(memories_.back().data(), 4096, {.remote = true}).value());
      peers_.push_back(client_->Open(holders_.back()->Descriptor()).value());
    }
    into_.resize(count, Bytes(4096));
    for (Bytes& bytes : into_) pieces_.push_back({bytes.data(), bytes.size()});
  }
  Copy ReadOf(size_t peer) const {
    return {.access = Access::kRead,
            .peer = peers_[peer],
            .region = regions_[peer],
            .offset = 0,
            .pieces = std::span(&pieces_[peer], 1),
            .guard = {}};
  }
  Completion RunOne(size_t peer, Duration time) {
    const Copy copy = ReadOf(peer);
    return client_->Run(std::span(&copy, 1), CopyLimits(BootClock::now() + time)).at(0);
  }

  std::deque<Bytes> memories_;
  std::vector<std::unique_ptr<Engine>> holders_;
  std::vector<RegionId> regions_;
  std::vector<PeerId> peers_;
  std::vector<Bytes> into_;
  std::vector<Piece> pieces_;
};

// 250 ms for all of them, not for each.
TEST_F(RdmaPeersTest, TheNewPeersOfABatchAreMetTogether) {
  FakeFabric::Swallow("fake0", true);
  StartMany(24, {.ways = {Way::kRdma, Way::kTcp}});
  std::vector<Copy> copies;
  for (size_t i = 0; i < peers_.size(); ++i) copies.push_back(ReadOf(i));
  const TimePoint begin = BootClock::now();
  const auto batch = client_->Submit(copies, CopyLimits(begin + seconds(60)));
  EXPECT_LT(BootClock::now() - begin, seconds(5));
  ASSERT_TRUE(batch->Wait(begin + seconds(60)));
  for (const Completion& each : batch->completions()) ExpectDone(each, Way::kTcp);
}

// Four looks at a time, each of 2 s, would take 12 s until the turn comes to the last.
TEST_F(RdmaPeersTest, PeersThatCannotBeReachedHoldUpTheLookAtOthersOnlyShortly) {
  StartMany(25, {.ways = {Way::kRdma}});
  FakeFabric::Swallow("fake0", true);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 24; ++i) {
    threads.emplace_back([this, i] { (void)RunOne(i, seconds(60)); });
  }
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() >= 24; }, seconds(10)));
  FakeFabric::Swallow("fake0", false);
  EXPECT_EQ(RunOne(24, seconds(60)).outcome, Outcome::kDone);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvstore::transfer
