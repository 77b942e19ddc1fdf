#include "simulation/many_seeds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace kvstore::simulation {
namespace {

TEST(ManySeedsTest, SumsUpWhatEachProcessSays) {
  EventCounts sum;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    sum += Simulate({.seed = seed, .guards = {}, .trace = false}).counts;
  }
  const Totals totals = RunSeeds({.seeds = {1, 2, 3, 4, 5}, .guards = {}, .processes = 2},
                                 [](uint64_t, const std::string&) { FAIL(); });
  EXPECT_EQ(totals.passed, 5u);
  EXPECT_EQ(totals.failed, 0u);
  for (size_t kind = 0; kind < kEventKinds; ++kind) EXPECT_EQ(totals.counts[kind], sum[kind]);
}

// Without a guard runs find violations, and some end in an assertion.
TEST(ManySeedsTest, NamesEachSeedThatFailsAndGoesOn) {
  ManySeeds many;
  ASSERT_TRUE(SwitchOff("reuse_after_free_ack", &many.guards));
  for (uint64_t seed = 1; seed <= 20; ++seed) many.seeds.push_back(seed);
  std::map<uint64_t, std::string> found;
  for (const size_t processes : {1, 3}) {
    many.processes = processes;
    std::map<uint64_t, std::string> failed;
    const Totals totals = RunSeeds(
        many, [&](uint64_t seed, const std::string& violation) { failed[seed] = violation; });
    EXPECT_EQ(totals.failed, failed.size());
    EXPECT_EQ(totals.passed + totals.failed, 20u);
    EXPECT_GT(totals.failed, 0u);
    if (processes > 1) {
      EXPECT_EQ(failed, found);
    }
    found = failed;
  }
}

TEST(ManySeedsTest, StopsAtTheFirstViolationIfToldTo) {
  ManySeeds many;
  ASSERT_TRUE(SwitchOff("reuse_after_free_ack", &many.guards));
  many.stop_at_first = true;
  for (uint64_t seed = 1; seed <= 1000; ++seed) many.seeds.push_back(seed);
  const Totals totals = RunSeeds(many, [](uint64_t, const std::string&) {});
  EXPECT_EQ(totals.failed, 1u);
  EXPECT_LT(totals.passed, 900u);
}

TEST(ManySeedsTest, AKindThatNeverHappenedIsMissedOverManySeedsOnly) {
  const EventCounts nothing;
  EXPECT_TRUE(NeverHappened(nothing, 999).empty());
  const auto missed = NeverHappened(nothing, 1'000);
  EXPECT_EQ(std::count(missed.begin(), missed.end(), "evicted for room"), 1);
  EXPECT_EQ(NeverHappened(nothing, 10'000).size(), kEventKinds);
  EventCounts one;
  one.Add(Event::kParked);
  EXPECT_EQ(NeverHappened(one, 10'000).size(), kEventKinds - 1);
}

}  // namespace
}  // namespace kvstore::simulation
