// What a node lends, changed while it lends it.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <future>
#include <memory>
#include <vector>

#include "client/segment_host.h"

namespace kvstore::client {
namespace {

using transfer::Access;

constexpr uint64_t kMiB = 1u << 20;
constexpr Duration kSoon = std::chrono::seconds(10);

TimePoint Soon() { return BootClock::now() + kSoon; }

class LendingTest : public ::testing::Test {
 protected:
  void Start(uint64_t bytes) {
    host_ = *SegmentHost::Create(*engine_, bytes);
    host_->EnterTerm(1);
    host_->StartAcks();
  }

  uint32_t FirstSegment() { return host_->Segments().front().index; }

  // Acks as the session takes them, until one fulfils the condition.
  template <typename Condition>
  Acks AwaitAcks(Condition condition) {
    const TimePoint until = Soon();
    while (BootClock::now() < until) {
      const std::optional<Acks> acks = host_->NextAcks(until);
      if (!acks || condition(*acks)) return acks.value_or(Acks{});
    }
    return {};
  }

  void Prepare(uint32_t segment, uint64_t limit) {
    host_->Execute({1, {PrepareOrder{segment, limit}}});
    AwaitAcks([&](const Acks& acks) {
      return !acks.ready.empty() && acks.ready.back().segment == segment &&
             acks.ready.back().limit >= limit;
    });
  }

  std::vector<ReleaseAck> Release(uint32_t segment, uint64_t limit, uint64_t number = 1) {
    host_->Execute({1, {ReleaseOrder{segment, limit, number}}});
    return AwaitAcks([](const Acks& acks) { return !acks.released.empty(); }).released;
  }

  std::unique_ptr<transfer::Mapping> Map(uint32_t segment, uint64_t offset, Access access) {
    return *engine_->Map({.access = access,
                          .peer = *engine_->Open(engine_->Descriptor()),
                          .region = segment,
                          .offset = offset,
                          .length = 4096,
                          .guard = transfer::Guard{offset, host_->counter()}},
                         Soon());
  }

  bool IsPresent(uint32_t segment, uint64_t offset) {
    unsigned char resident = 0;
    EXPECT_EQ(mincore(Map(segment, offset, Access::kRead)->data(), 1, &resident), 0);
    return (resident & 1) != 0;
  }

  const std::unique_ptr<transfer::Engine> engine_ = *transfer::Engine::Create({});
  std::unique_ptr<SegmentHost> host_;
};

TEST_F(LendingTest, MoreIsLentInAFurtherSegmentAndTold) {
  Start(kMiB);
  EXPECT_FALSE(host_->TakeLend());
  ASSERT_TRUE(host_->Lend(3 * kMiB).ok());
  const std::vector<LentSegment> segments = host_->Segments();
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[0].size, kMiB);
  EXPECT_EQ(segments[1].size, 2 * kMiB);
  EXPECT_EQ(host_->lent().wished, 3 * kMiB);
  ASSERT_TRUE(host_->NextAcks(Soon())) << "the session is woken to tell it";
  const std::optional<Lend> told = host_->TakeLend();
  ASSERT_TRUE(told);
  ASSERT_EQ(told->segments.size(), 2u);
  EXPECT_EQ(told->segments[1].index, segments[1].index);
  EXPECT_EQ(told->segments[1].size, 2 * kMiB);
  EXPECT_FALSE(host_->TakeLend()) << "once is enough";
  Prepare(segments[1].index, 2 * kMiB);
  EXPECT_EQ(host_->Segments()[1].ready, 2 * kMiB);
}

TEST_F(LendingTest, MemoryThatWasToldAndIsTakenBackAtOnceIsToldAgain) {
  Start(kMiB);
  ASSERT_TRUE(host_->Lend(kMiB / 2).ok());
  ASSERT_TRUE(host_->TakeLend());
  Release(FirstSegment(), kMiB / 2);
  ASSERT_TRUE(host_->Lend(0).ok());
  ASSERT_TRUE(host_->TakeLend());
  Release(FirstSegment(), 0);

  ASSERT_TRUE(host_->Lend(kMiB).ok());
  ASSERT_TRUE(host_->TakeLend());
  ASSERT_TRUE(host_->Lend(0).ok());
  const std::optional<Lend> told = host_->TakeLend();
  ASSERT_TRUE(told);
  ASSERT_EQ(told->segments.size(), 1u) << "the master takes all of it for lent";
  EXPECT_EQ(told->segments[0].size, 0u);
}

TEST_F(LendingTest, WhoLentNothingMayLendLater) {
  Start(0);
  ASSERT_TRUE(host_->Lend(kMiB).ok());
  Prepare(FirstSegment(), kMiB);
  EXPECT_TRUE(IsPresent(FirstSegment(), 0));
}

TEST_F(LendingTest, WhatTheMasterReleasesGoesBackToTheMachine) {
  Start(8 * kMiB);
  if (host_->lent().huge_pages) GTEST_SKIP() << "pages of the reserve stay";
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  ASSERT_TRUE(IsPresent(segment, 6 * kMiB));

  ASSERT_TRUE(host_->Lend(kMiB).ok());
  const std::optional<Lend> told = host_->TakeLend();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->segments.front().size, kMiB);
  EXPECT_EQ(told->segments.front().ready, kMiB) << "a segment is not ready beyond its end";
  EXPECT_EQ(host_->lent().bytes, 8 * kMiB) << "the master has not emptied it yet";
  EXPECT_TRUE(IsPresent(segment, 6 * kMiB));

  const std::vector<ReleaseAck> acks = Release(segment, kMiB, 7);
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].segment, segment);
  EXPECT_EQ(acks[0].limit, kMiB);
  EXPECT_EQ(acks[0].number, 7u);
  EXPECT_EQ(host_->lent().bytes, kMiB);
  EXPECT_FALSE(IsPresent(segment, 6 * kMiB));
  EXPECT_FALSE(IsPresent(segment, kMiB));
  EXPECT_TRUE(IsPresent(segment, kMiB - 4096));
  EXPECT_EQ(Release(segment, kMiB).size(), 1u) << "an order that is repeated is confirmed again";
}

TEST_F(LendingTest, WhatWasReleasedIsLentAgainBeforeANewSegmentIs) {
  Start(8 * kMiB);
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  ASSERT_TRUE(host_->Lend(kMiB).ok());
  ASSERT_EQ(Release(segment, kMiB).size(), 1u);
  ASSERT_TRUE(host_->Lend(6 * kMiB).ok());
  ASSERT_EQ(host_->Segments().size(), 1u);
  EXPECT_EQ(host_->Segments()[0].size, 6 * kMiB);
  EXPECT_EQ(host_->Segments()[0].ready, kMiB);
  Prepare(segment, 6 * kMiB);
  EXPECT_EQ(host_->lent().bytes, 6 * kMiB);
  EXPECT_TRUE(IsPresent(segment, 5 * kMiB));
}

TEST_F(LendingTest, WhatWasWithdrawnStaysSoThoughItsPagesAreGone) {
  Start(8 * kMiB);
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  const uint64_t birth = host_->counter();
  host_->Execute({1, {RetireOrder{{{1, 2}, 3}, segment, birth, {{4 * kMiB, kMiB}}}}});
  ASSERT_EQ(Release(segment, kMiB).size(), 1u);
  const auto stale = engine_->Map({.access = Access::kRead,
                                   .peer = *engine_->Open(engine_->Descriptor()),
                                   .region = segment,
                                   .offset = 4 * kMiB,
                                   .length = 4096,
                                   .guard = transfer::Guard{4 * kMiB, birth}},
                                  Soon());
  EXPECT_EQ(stale.status().code(), StatusCode::kAborted);
}

TEST_F(LendingTest, WhatIsStillTouchedIsNotGivenBack) {
  Start(8 * kMiB);
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  std::unique_ptr<transfer::Mapping> access = Map(segment, 6 * kMiB, Access::kRead);
  host_->Execute({1, {ReleaseOrder{segment, kMiB}}});
  ASSERT_TRUE(host_->Lend(9 * kMiB).ok());
  Prepare(host_->Segments()[1].index, kMiB);  // by the thread that gives back
  EXPECT_TRUE(IsPresent(segment, 6 * kMiB));
  EXPECT_EQ(host_->Segments()[0].ready, kMiB) << "it will be";
  access.reset();
  const Acks acks = AwaitAcks([](const Acks& a) { return !a.released.empty(); });
  ASSERT_EQ(acks.released.size(), 1u);
  EXPECT_FALSE(IsPresent(segment, 6 * kMiB));
}

TEST_F(LendingTest, WhatADeposedMasterOrderedConfirmsNothingToTheNext) {
  Start(8 * kMiB);
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  std::unique_ptr<transfer::Mapping> access = Map(segment, 6 * kMiB, Access::kRead);
  host_->Execute({1, {ReleaseOrder{segment, kMiB, 1}}});
  host_->StopAcks();
  ASSERT_TRUE(host_->EnterReign(2));
  host_->StartAcks();
  access.reset();  // now the pages go back
  const Acks acks = AwaitAcks([](const Acks& a) { return !a.released.empty(); });
  ASSERT_EQ(acks.released.size(), 1u);
  EXPECT_EQ(acks.released[0].number, 0u) << "the next one's first release has the number 1 as well";
}

TEST_F(LendingTest, AnOrderOfADeposedMasterReleasesNothing) {
  Start(8 * kMiB);
  Prepare(FirstSegment(), 8 * kMiB);
  host_->EnterTerm(5);
  host_->Execute({4, {ReleaseOrder{FirstSegment(), 0}, LeaveOrder{}}});
  EXPECT_EQ(host_->lent().bytes, 8 * kMiB);
  EXPECT_FALSE(host_->leaving());
}

TEST_F(LendingTest, AHelloNamesWhatIsStillInUseAndTheWishFollows) {
  Start(8 * kMiB);
  ASSERT_TRUE(host_->Lend(kMiB).ok());
  host_->StopAcks();
  host_->StartAcks();
  EXPECT_EQ(host_->Segments().front().size, 8 * kMiB);
  const std::optional<Lend> told = host_->TakeLend();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->segments.front().size, kMiB);
}

TEST_F(LendingTest, WhoIsToLeaveKeepsItsPagesUntilItIsEmptied) {
  Start(8 * kMiB);
  const uint32_t segment = FirstSegment();
  Prepare(segment, 8 * kMiB);
  EXPECT_FALSE(host_->leaving());
  auto drained = std::async(std::launch::async, [&] { return host_->WaitDrained(Soon()); });
  host_->Execute({1, {LeaveOrder{}}});
  host_->Execute({1, {LeaveOrder{}}});  // repeated
  EXPECT_TRUE(host_->leaving());
  EXPECT_FALSE(host_->WaitDrained(BootClock::now()));
  EXPECT_FALSE(host_->lent().drained);
  EXPECT_EQ(host_->Segments().front().ready, 8 * kMiB) << "the master may yet grant them";
  EXPECT_EQ(host_->lent().wished, 0u);

  host_->Empty();
  EXPECT_TRUE(drained.get());
  EXPECT_FALSE(host_->leaving());
  EXPECT_TRUE(host_->lent().drained);
  EXPECT_TRUE(host_->Segments().empty());
  EXPECT_EQ(host_->lent().bytes, 0u);
  EXPECT_TRUE(host_->EnterReign(1)->rest.segments.empty());
  const Acks acks = AwaitAcks([](const Acks& a) { return !a.released.empty(); });
  ASSERT_EQ(acks.released.size(), 1u) << "its pages have gone back";
  EXPECT_EQ(acks.released[0].limit, 0u);

  ASSERT_TRUE(host_->Lend(4 * kMiB).ok());
  EXPECT_FALSE(host_->lent().drained);
  EXPECT_EQ(host_->Segments().front().size, 4 * kMiB);
  EXPECT_EQ(host_->Segments().front().ready, 0u);
  Prepare(segment, 4 * kMiB);
}

TEST_F(LendingTest, WhatIsLentWhileANodeLeavesIsLentByTheNextIncarnation) {
  Start(8 * kMiB);
  Prepare(FirstSegment(), 8 * kMiB);
  host_->Execute({1, {LeaveOrder{}}});
  ASSERT_TRUE(host_->Lend(8 * kMiB).ok());
  EXPECT_FALSE(host_->TakeLend()) << "the master is about to forget it";
  host_->Empty();
  EXPECT_FALSE(host_->lent().drained);
  EXPECT_EQ(host_->Segments().front().size, 8 * kMiB);
  EXPECT_EQ(host_->Segments().front().ready, 8 * kMiB);
}

TEST_F(LendingTest, SegmentsAreLimited) {
  Start(0);
  for (size_t i = 1; i <= SegmentHost::kMostSegments; ++i) {
    ASSERT_TRUE(host_->Lend(i * 4096).ok()) << i;
  }
  const Status more = host_->Lend((SegmentHost::kMostSegments + 1) * 4096);
  EXPECT_EQ(more.code(), StatusCode::kResourceExhausted) << more;
  EXPECT_EQ(host_->lent().wished, SegmentHost::kMostSegments * 4096);
  EXPECT_EQ(host_->Lend(UINT64_MAX).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(host_->Lend(4096).ok());
}

}  // namespace
}  // namespace kvstore::client
