#include "master/beats.h"

#include <gtest/gtest.h>

namespace kvstore::master {
namespace {

constexpr Incarnation kNode{1, 1};
const TimePoint kBegin = TimePoint() + std::chrono::hours(1);

TEST(Beats, OnlyMembersAreHeard) {
  Beats beats;
  EXPECT_FALSE(beats.Heard(kBegin, kNode));
  beats.Admit(kNode);
  EXPECT_TRUE(beats.Heard(kBegin, kNode));
  beats.Forget(kNode);
  EXPECT_FALSE(beats.Heard(kBegin, kNode));
  EXPECT_TRUE(beats.Take().empty());
}

TEST(Beats, LastBeatIsTakenOnce) {
  Beats beats;
  beats.Admit(kNode);
  EXPECT_TRUE(beats.Take().empty());
  beats.Heard(kBegin, kNode);
  beats.Heard(kBegin + std::chrono::seconds(1), kNode);
  const auto taken = beats.Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].first, kNode);
  EXPECT_EQ(taken[0].second, kBegin + std::chrono::seconds(1));
  EXPECT_TRUE(beats.Take().empty());
}

TEST(Beats, SecondAdmissionForgetsNoBeat) {
  Beats beats;
  beats.Admit(kNode);
  beats.Heard(kBegin, kNode);
  beats.Admit(kNode);
  EXPECT_EQ(beats.Take().size(), 1U);
}

}  // namespace
}  // namespace kvstore::master
