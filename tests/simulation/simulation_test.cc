#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace kvstore::simulation {
namespace {

constexpr uint64_t kSeeds = 500;

// Too seldom to happen in every set of seeds: a put that is seen and removed before its answer is
// lost with a master.
constexpr Event kSeldom = Event::kCameBack;

struct Total {
  std::vector<std::string> violations;
  EventCounts counts;
};

// Every `step`th seed from `first` on.
Total RunSeeds(uint64_t first, uint64_t step) {
  Total total;
  for (uint64_t seed = first; seed <= kSeeds; seed += step) {
    const RunResult result = Simulate({.seed = seed, .guards = {}, .trace = false});
    total.counts += result.counts;
    if (result.violation.empty()) continue;
    total.violations.push_back("seed " + std::to_string(seed) + ": " + result.violation +
                               "\n  replay: simulate --seed " + std::to_string(seed) + " --trace");
  }
  return total;
}

TEST(SimulationTest, KeepsEveryPromiseOver500SeedsInWhichEveryKindOfEventHappens) {
  Total odd;
  Total even;
  std::thread other([&odd] { odd = RunSeeds(1, 2); });
  even = RunSeeds(2, 2);
  other.join();

  for (const Total* total : {&odd, &even}) {
    for (const std::string& violation : total->violations) ADD_FAILURE() << violation;
  }
  EventCounts counts = odd.counts;
  counts += even.counts;
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    std::printf("%10llu  %s\n", static_cast<unsigned long long>(counts[kind]),
                std::string(kEventNames[kind]).c_str());
    if (static_cast<Event>(kind) == kSeldom) continue;
    EXPECT_GT(counts[kind], 0u) << "never happened: " << kEventNames[kind];
  }
}

TEST(SimulationTest, ASeedGivesTheSameTranscriptAgain) {
  for (const uint64_t seed : {3, 17, 101, 256}) {
    const RunOptions options{.seed = seed, .guards = {}, .trace = true};
    const RunResult once = Simulate(options);
    const RunResult again = Simulate(options);
    EXPECT_GT(once.transcript.size(), 100u);
    EXPECT_EQ(once.steps, again.steps);
    ASSERT_EQ(once.transcript.size(), again.transcript.size()) << "seed " << seed;
    for (size_t line = 0; line < once.transcript.size(); ++line) {
      ASSERT_EQ(once.transcript[line], again.transcript[line]) << "seed " << seed;
    }
  }
}

TEST(SimulationTest, TracingChangesNothing) {
  const RunResult traced = Simulate({.seed = 17, .guards = {}, .trace = true});
  const RunResult silent = Simulate({.seed = 17, .guards = {}, .trace = false});
  EXPECT_EQ(traced.steps, silent.steps);
  EXPECT_EQ(traced.hand_overs, silent.hand_overs);
}

}  // namespace
}  // namespace kvstore::simulation
