#include "master/waiting.h"

#include <gtest/gtest.h>

#include "master/object.h"

namespace kvstore::master {
namespace {

constexpr Incarnation kAlice{1, 1};
constexpr Incarnation kBob{2, 2};

TimePoint At(int ms) { return TimePoint(std::chrono::milliseconds(ms)); }

class WaitingTest : public testing::Test {
 protected:
  WaitingItem* Add(Incarnation caller, uint64_t request, uint32_t index, int deadline_ms) {
    WaitingItem item;
    item.request = {caller, request};
    item.index = index;
    item.deadline = At(deadline_ms);
    item.list = &list_;
    return waiting_.Add(item);
  }

  WaitList list_;
  WaitingItems waiting_{3};
};

TEST_F(WaitingTest, ARetryIsRecognisedByCallerRequestAndIndex) {
  Add(kAlice, 7, 0, 10);
  EXPECT_TRUE(waiting_.Contains({kAlice, 7}, 0));
  EXPECT_FALSE(waiting_.Contains({kAlice, 7}, 1));
  EXPECT_FALSE(waiting_.Contains({kAlice, 8}, 0));
  EXPECT_FALSE(waiting_.Contains({kBob, 7}, 0));
}

TEST_F(WaitingTest, ItemsFallDueInTheOrderOfTheirDeadlines) {
  WaitingItem* const late = Add(kAlice, 1, 0, 30);
  WaitingItem* const early = Add(kAlice, 2, 0, 10);
  EXPECT_EQ(waiting_.FirstDue(At(9)), nullptr);
  EXPECT_EQ(waiting_.FirstDue(At(10)), early);
  waiting_.Remove(early);
  EXPECT_EQ(waiting_.FirstDue(At(29)), nullptr);
  EXPECT_EQ(waiting_.FirstDue(At(30)), late);
}

TEST_F(WaitingTest, AnItemIsForgottenEverywhere) {
  WaitingItem* const first = Add(kAlice, 1, 0, 10);
  WaitingItem* const second = Add(kAlice, 1, 1, 10);
  EXPECT_EQ(waiting_.requests(), 1u);
  waiting_.Remove(first);
  EXPECT_EQ(list_.front(), second);
  EXPECT_EQ(waiting_.requests(), 1u);
  waiting_.Remove(second);
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(waiting_.requests(), 0u);
  EXPECT_EQ(waiting_.size(), 0u);
  EXPECT_EQ(waiting_.FirstDue(At(100)), nullptr);
}

TEST_F(WaitingTest, ItemsOfOneCallerAreFound) {
  Add(kAlice, 1, 0, 10);
  WaitingItem* const bobs = Add(kBob, 1, 0, 10);
  EXPECT_EQ(waiting_.OfCaller(kBob), std::vector<WaitingItem*>{bobs});
  EXPECT_TRUE(waiting_.OfCaller({3, 3}).empty());
}

TEST_F(WaitingTest, ThereIsALimitOverAllCallers) {
  Add(kAlice, 1, 0, 10);
  Add(kAlice, 1, 1, 10);
  EXPECT_FALSE(waiting_.IsFull());
  Add(kBob, 1, 0, 10);
  EXPECT_TRUE(waiting_.IsFull());
}

}  // namespace
}  // namespace kvstore::master
