#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "simulation/many_seeds.h"

namespace kvstore::simulation {
namespace {

void ExpectNoViolation(const std::vector<uint64_t>& seeds) {
  RunSeeds({.seeds = seeds, .guards = {}, .processes = 2},
           [](uint64_t seed, const auto& violation) {
             ADD_FAILURE() << "seed " << seed << ": " << violation
                           << "\n  replay: tools/simulate --seed " << seed << " --trace";
           });
}

// Many more: tests/run_tests, step simulation.
TEST(SimulationTest, KeepsEveryPromiseOverTheFirst200Seeds) {
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= 200; ++seed) seeds.push_back(seed);
  ExpectNoViolation(seeds);
}

TEST(SimulationTest, KeepsEveryPromiseWhereOneWasBrokenOnce) {
  const std::vector<uint64_t> kept = ReadKeptSeeds(KVSTORE_KEPT_SEEDS);
  EXPECT_GE(kept.size(), 15u);
  ExpectNoViolation(kept);
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

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  pclose(pipe);
  return output;
}

// Where its memory lies is another each time.
TEST(SimulationTest, AnotherProcessTellsTheSameTranscript) {
  for (const char* seed : {"5", "42"}) {
    const std::string command = std::string(KVSTORE_SIMULATE) + " --trace --seed " + seed;
    const std::string once = OutputOf(command);
    EXPECT_GT(once.size(), 10'000u);
    EXPECT_EQ(once, OutputOf(command)) << "seed " << seed;
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
