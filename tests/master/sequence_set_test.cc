#include "master/sequence_set.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace kvstore::master {
namespace {

constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();

TEST(SequenceSetTest, NeighboursGrowTogetherIntoOneRun) {
  SequenceSet set;
  set.Add(5);
  set.Add(7);
  EXPECT_EQ(set.runs(), 2u);
  EXPECT_FALSE(set.Contains(6));
  set.Add(6);
  EXPECT_EQ(set.runs(), 1u);
  EXPECT_TRUE(set.Contains(5) && set.Contains(6) && set.Contains(7));
  EXPECT_FALSE(set.Contains(4) || set.Contains(8));
}

TEST(SequenceSetTest, TheEndsOfTheNumbersAreLikeAnyOther) {
  SequenceSet set;
  set.Add(kLast);
  set.Add(0);
  set.Add(kLast - 1);
  set.Add(1);
  EXPECT_EQ(set.runs(), 2u);
  EXPECT_TRUE(set.Contains(0) && set.Contains(1) && set.Contains(kLast - 1) && set.Contains(kLast));
  EXPECT_FALSE(set.Contains(2) || set.Contains(kLast - 2));
}

TEST(SequenceSetTest, InAnyOrderItHoldsWhatWasAddedAndNothingElse) {
  std::mt19937 random(1);
  SequenceSet set;
  std::set<uint64_t> added;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t sequence = random() % 1000;
    set.Add(sequence);
    added.insert(sequence);
    const uint64_t asked = random() % 1002;
    ASSERT_EQ(set.Contains(asked), added.contains(asked)) << asked << " after " << i;
  }
  size_t runs = 0;
  for (const uint64_t sequence : added) runs += !added.contains(sequence + 1);
  EXPECT_EQ(set.runs(), runs);
}

TEST(SequenceSetTest, TheLowestGapIsFilledFirst) {
  SequenceSet set;
  for (const uint64_t sequence : {3, 6, 9}) set.Add(sequence);
  set.FillLowestGap();
  EXPECT_EQ(set.runs(), 2u);
  EXPECT_TRUE(set.Contains(4) && set.Contains(5));
  EXPECT_FALSE(set.Contains(2) || set.Contains(7) || set.Contains(8));
}

}  // namespace
}  // namespace kvstore::master
