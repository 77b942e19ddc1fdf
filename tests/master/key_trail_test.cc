#include "master/key_trail.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvstore::master {
namespace {

using What = ObjectEvent::What;

TimePoint At(int second) { return TimePoint(std::chrono::seconds(second)); }

std::set<std::string> All(const KeyTrail& trail) {
  std::set<std::string> keys;
  for (size_t part = 0; part < KeyTrail::kParts; ++part) {
    trail.ForEachOf(part, [&](const KeyTrace& trace) { keys.insert(trace.key); });
  }
  return keys;
}

TEST(KeyTrail, CountsMissesAndKeepsTheLastOne) {
  KeyTrail trail;
  EXPECT_EQ(trail.Find("k"), nullptr);
  trail.Missed("k", At(1), {1, 1});
  trail.Missed("k", At(2), {2, 2});
  const KeyTrace* const trace = trail.Find("k");
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(trace->misses, 2u);
  EXPECT_EQ(trace->missed, At(2));
  EXPECT_EQ(trace->asker, (Incarnation{2, 2}));
  EXPECT_FALSE(trace->how.has_value());
}

TEST(KeyTrail, KeepsHowTheLastObjectEndedBesideTheMisses) {
  KeyTrail trail;
  trail.Ended("k", At(1), What::kEvictedForRoom);
  trail.Missed("k", At(2), {1, 1});
  trail.Ended("k", At(3), What::kRemoved);
  const KeyTrace* const trace = trail.Find("k");
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(trace->misses, 1u);
  EXPECT_EQ(trace->how, What::kRemoved);
  EXPECT_EQ(trace->ended, At(3));
}

TEST(KeyTrail, WhatHasEndedIsNoLongerAnnounced) {
  KeyTrail trail;
  trail.GaveUp("k", At(1));  // nobody missed it
  EXPECT_EQ(trail.Find("k"), nullptr);
  trail.Missed("k", At(1), {1, 1}).announced = At(1);
  trail.GaveUp("k", At(2));
  EXPECT_EQ(trail.Find("k")->announced, At(1));
  EXPECT_EQ(trail.Find("k")->given_up, At(2));
  trail.Ended("k", At(3), What::kPutAborted);
  EXPECT_EQ(trail.Find("k")->announced, TimePoint());
  EXPECT_EQ(trail.Find("k")->given_up, At(3));
}

TEST(KeyTrail, ForgetsWhatHasNotChangedForLongAndIsBounded) {
  KeyTrail trail;
  constexpr int kKeys = 3 * static_cast<int>(KeyTrail::kMostKeys);
  for (int i = 0; i < kKeys; ++i) trail.Missed("key-" + std::to_string(i), At(i), {1, 1});
  const std::set<std::string> keys = All(trail);
  EXPECT_LE(keys.size(), KeyTrail::kMostKeys / 2);
  EXPECT_GT(keys.size(), KeyTrail::kMostKeys / 3);
  int late = 0, early = 0;
  for (int i = 0; i < 1000; ++i) {
    late += trail.Find("key-" + std::to_string(kKeys - 1 - i)) != nullptr;
    early += trail.Find("key-" + std::to_string(i)) != nullptr;
  }
  EXPECT_GT(late, 950);
  EXPECT_LT(early, 100);
}

TEST(KeyTrail, WhatEndsPushesOutNothingThatWasMissed) {
  KeyTrail trail;
  for (int i = 0; i < 100; ++i) trail.Missed("missed-" + std::to_string(i), At(i), {1, 1});
  constexpr int kKeys = 3 * static_cast<int>(KeyTrail::kMostKeys);
  for (int i = 0; i < kKeys; ++i) {
    trail.Ended("key-" + std::to_string(i), At(1000 + i), What::kEvictedForRoom);
  }
  for (int i = 0; i < 100; ++i) {
    const KeyTrace* const trace = trail.Find("missed-" + std::to_string(i));
    ASSERT_NE(trace, nullptr) << i;
    EXPECT_EQ(trace->misses, 1u);
  }
  EXPECT_GT(All(trail).size(), KeyTrail::kMostKeys / 3);
}

TEST(KeyTrail, WhatHasEndedAndIsMissedThenStaysWithWhatWasMissed) {
  KeyTrail trail;
  trail.Ended("k", At(1), What::kEvictedForRoom);
  trail.Missed("k", At(2), {1, 1});
  for (int i = 0; i < 100'000; ++i) {
    trail.Ended("key-" + std::to_string(i), At(1000 + i), What::kRemoved);
  }
  const KeyTrace* const trace = trail.Find("k");
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(trace->how, What::kEvictedForRoom);
  EXPECT_EQ(trace->misses, 1u);
}

}  // namespace
}  // namespace kvstore::master
