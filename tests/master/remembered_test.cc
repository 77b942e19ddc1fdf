// What is kept of finished things, so that a retry is recognised: Remembered, Outcomes and those
// who never come back, of node_table.h.

#include <gtest/gtest.h>

#include "master/node_table.h"

namespace kvstore::master {
namespace {

TEST(RememberedTest, TheLastAnswersAreKeptAndTheOldestForgotten) {
  Remembered<int, bool> remembered;
  remembered.Add(1, true, 2);
  remembered.Add(2, false, 2);
  remembered.Add(3, true, 2);
  EXPECT_EQ(remembered.Find(1), std::nullopt);
  EXPECT_EQ(remembered.Find(2), false);
  EXPECT_EQ(remembered.Find(3), true);
}

TEST(RememberedTest, TheFirstAnswerStands) {
  Remembered<int, bool> remembered;
  remembered.Add(1, true, 8);
  remembered.Add(1, false, 8);
  EXPECT_EQ(remembered.Find(1), true);
  EXPECT_EQ(remembered.size(), 1u);
}

TEST(OutcomesTest, WhatIsForgottenNeverBeginsAgainAndAllElseMay) {
  Outcomes outcomes;
  EXPECT_TRUE(outcomes.MayBegin(1));
  outcomes.Add(5, Outcome::kCommitted, 2);
  outcomes.Add(3, Outcome::kAborted, 2);
  outcomes.Add(9, Outcome::kExpired, 2);
  EXPECT_EQ(outcomes.Find(5), std::nullopt);
  EXPECT_EQ(outcomes.Find(3), Outcome::kAborted);
  EXPECT_EQ(outcomes.size(), 2u);
  for (const uint64_t sequence : {3, 5, 9}) EXPECT_FALSE(outcomes.MayBegin(sequence)) << sequence;
  for (const uint64_t sequence : {1, 4, 6, 10}) EXPECT_TRUE(outcomes.MayBegin(sequence));
}

TEST(OutcomesTest, TheUnsentRestOfABatchMayBeginHoweverManyLaterPutsHaveEnded) {
  constexpr size_t kLimit = 100;
  Outcomes outcomes;
  for (uint64_t sent = 1; sent <= 4096; ++sent) outcomes.Begin(sent, kLimit);
  // 4097 to 5000 are drawn and unsent. Meanwhile every second put is refused.
  for (uint64_t later = 5001; later <= 100'000; ++later) {
    if (later % 2 == 0) {
      outcomes.Add(later, Outcome::kCommitted, kLimit);
    } else {
      outcomes.Refuse(later, kLimit);
    }
  }
  for (uint64_t unsent = 4097; unsent <= 5000; ++unsent) ASSERT_TRUE(outcomes.MayBegin(unsent));
  for (uint64_t ended = 5002; ended <= 100'000; ended += 2) {
    ASSERT_FALSE(outcomes.MayBegin(ended)) << ended;
  }
  EXPECT_LE(outcomes.runs(), kLimit + 3);
}

TEST(OutcomesTest, ARefusedPutMayBeAskedForAgainForAWhile) {
  Outcomes outcomes;
  outcomes.Refuse(1, 2);
  outcomes.Refuse(2, 2);
  EXPECT_TRUE(outcomes.MayBegin(1));
  EXPECT_EQ(outcomes.Find(1), std::nullopt);
  outcomes.Refuse(3, 2);
  EXPECT_FALSE(outcomes.MayBegin(1));
  EXPECT_TRUE(outcomes.MayBegin(2));
}

TEST(OutcomesTest, OfTooManyGapsTheLowestAreClosedAndNothingEndedBeginsAgain) {
  constexpr size_t kLimit = 10;
  Outcomes outcomes;
  for (uint64_t sequence = 2; sequence <= 2000; sequence += 2) {
    outcomes.Add(sequence, Outcome::kAborted, kLimit);
    ASSERT_LE(outcomes.runs(), 2 * kLimit);
  }
  for (uint64_t sequence = 2; sequence <= 2000; sequence += 2) {
    ASSERT_FALSE(outcomes.MayBegin(sequence)) << sequence;
  }
  EXPECT_TRUE(outcomes.MayBegin(1999));
  EXPECT_FALSE(outcomes.MayBegin(3));
}

TEST(OutcomesTest, TheFirstOutcomeStands) {
  Outcomes outcomes;
  outcomes.Add(1, Outcome::kCommitted, 8);
  outcomes.Add(1, Outcome::kAborted, 8);
  EXPECT_EQ(outcomes.Find(1), Outcome::kCommitted);
}

TEST(NodeTableTest, OnlyTheOldestOfAMillionThatLeftIsForgotten) {
  NodeTable nodes;
  for (uint64_t i = 0; i <= NodeTable::kNeverAgainKept; ++i) {
    nodes.NeverTakeBack({i + 1, 0});
    nodes.NeverTakeBack({i + 1, 0});
  }
  EXPECT_TRUE(nodes.MayReturn({1, 0}));
  EXPECT_FALSE(nodes.MayReturn({2, 0}));
  EXPECT_FALSE(nodes.MayReturn({NodeTable::kNeverAgainKept + 1, 0}));
}

}  // namespace
}  // namespace kvstore::master
