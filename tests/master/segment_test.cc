#include "master/segment.h"

#include <gtest/gtest.h>

#include "master/node_table.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kGranule = 4096;

class SegmentTest : public testing::Test {
 protected:
  Object object_;
  Node node_;
  Segment segment_{&node_, {0, 16 * kGranule, kGranule, 8 * kGranule}, SegmentId{{1, 1}, 0}};
};

TEST_F(SegmentTest, OnlyPreparedMemoryIsFree) {
  const Space space = segment_.TakeSpace();
  EXPECT_EQ(space.size, 16 * kGranule);
  EXPECT_EQ(space.unprepared, 8 * kGranule);
  EXPECT_EQ(space.free, 8 * kGranule);
}

TEST_F(SegmentTest, AGrantCarriesTheBirthAndIsUnfinished) {
  FurtherReplica replica(&object_);
  ASSERT_TRUE(segment_.Grant(&replica, 3 * kGranule, 1, /*birth=*/7));
  EXPECT_EQ(replica.birth, 7u);
  EXPECT_EQ(replica.segment, &segment_);
  EXPECT_EQ(segment_.Bytes(Standing::kUnfinished), 3 * kGranule);
  EXPECT_EQ(segment_.free().free_bytes(), 5 * kGranule);
  segment_.Release(&replica);
}

TEST_F(SegmentTest, MoreThanIsFreeIsNotGranted) {
  FurtherReplica replica(&object_);
  EXPECT_FALSE(segment_.Grant(&replica, 9 * kGranule, 8, /*birth=*/1));
  EXPECT_EQ(segment_.free().free_bytes(), 8 * kGranule);
}

TEST_F(SegmentTest, MovingKeepsTheSumsAndTheOrderOfArrival) {
  FurtherReplica a(&object_);
  FurtherReplica b(&object_);
  ASSERT_TRUE(segment_.Grant(&a, kGranule, 1, 1));
  ASSERT_TRUE(segment_.Grant(&b, 2 * kGranule, 1, 1));
  segment_.Move(&a, Standing::kEvictable);
  segment_.Move(&b, Standing::kEvictable);
  EXPECT_EQ(segment_.First(Standing::kEvictable), &a);
  segment_.Move(&a, Standing::kEvictable);
  EXPECT_EQ(segment_.First(Standing::kEvictable), &b);
  EXPECT_EQ(segment_.Bytes(Standing::kEvictable), 3 * kGranule);
  EXPECT_EQ(segment_.Bytes(Standing::kUnfinished), 0u);
  segment_.Release(&a);
  segment_.Release(&b);
  EXPECT_EQ(segment_.free().largest(), 8 * kGranule);
}

TEST_F(SegmentTest, OrderedMemoryAndAskedPagesAreComing) {
  FurtherReplica replica(&object_);
  ASSERT_TRUE(segment_.Grant(&replica, kGranule, 1, 1));
  segment_.AskForPages(12 * kGranule, TimePoint{});
  segment_.Move(&replica, Standing::kOrdered);
  EXPECT_EQ(segment_.Coming(), 5 * kGranule);
  segment_.Move(&replica, Standing::kWithdrawn);
  EXPECT_EQ(segment_.Coming(), 4 * kGranule);
  segment_.Release(&replica);
}

TEST_F(SegmentTest, ASegmentThatCanHaveNoMorePagesEndsThere) {
  segment_.AskForPages(16 * kGranule, TimePoint{});
  segment_.Ready(10 * kGranule + 1, /*ends=*/true);
  EXPECT_EQ(segment_.size(), 10 * kGranule);
  EXPECT_EQ(segment_.asked(), 10 * kGranule);
  EXPECT_EQ(segment_.TakeSpace().unprepared, 0u);
  segment_.Ready(16 * kGranule, /*ends=*/false);
  EXPECT_EQ(segment_.prepared(), 10 * kGranule);
}

TEST_F(SegmentTest, WhatIsClaimedIsNotAvailable) {
  Object object;
  object.size = 5 * kGranule;
  object.more().arrival = 1;
  segment_.Enqueue(&object);
  EXPECT_EQ(segment_.Available(), 3 * kGranule);
  EXPECT_EQ(segment_.FirstInQueue(), &object);
  segment_.Dequeue(&object);
  EXPECT_EQ(segment_.Available(), 8 * kGranule);
  EXPECT_EQ(segment_.FirstInQueue(), nullptr);
}

TEST_F(SegmentTest, LeasedMemoryIsOutOfReach) {
  FurtherReplica replica(&object_);
  ASSERT_TRUE(segment_.Grant(&replica, 2 * kGranule, 1, 1));
  segment_.Move(&replica, Standing::kLeased);
  EXPECT_EQ(segment_.Reachable(), 14 * kGranule);
  EXPECT_EQ(segment_.TakeSpace().leased, 2 * kGranule);
  EXPECT_EQ(segment_.TakeSpace().committed, 2 * kGranule);
  segment_.Release(&replica);
}

}  // namespace
}  // namespace kvstore::master
