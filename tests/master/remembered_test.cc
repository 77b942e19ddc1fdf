// What is kept of finished things, so that a retry is recognised: Remembered and Outcomes of
// node_table.h.

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

TEST(OutcomesTest, TheFloorRisesWithWhatIsForgotten) {
  Outcomes outcomes;
  EXPECT_FALSE(outcomes.MayBeForgotten(1));
  outcomes.Add(5, Outcome::kCommitted, 2);
  outcomes.Add(3, Outcome::kAborted, 2);
  outcomes.Add(9, Outcome::kExpired, 2);
  EXPECT_EQ(outcomes.Find(5), std::nullopt);
  EXPECT_EQ(outcomes.Find(3), Outcome::kAborted);
  EXPECT_TRUE(outcomes.MayBeForgotten(5));
  EXPECT_TRUE(outcomes.MayBeForgotten(4));
  EXPECT_FALSE(outcomes.MayBeForgotten(6));
  EXPECT_EQ(outcomes.size(), 2u);
}

TEST(OutcomesTest, TheFirstOutcomeStands) {
  Outcomes outcomes;
  outcomes.Add(1, Outcome::kCommitted, 8);
  outcomes.Add(1, Outcome::kAborted, 8);
  EXPECT_EQ(outcomes.Find(1), Outcome::kCommitted);
}

}  // namespace
}  // namespace kvstore::master
