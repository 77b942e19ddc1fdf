#ifndef KVSTORE_TESTS_SIMULATION_MANY_SEEDS_H_
#define KVSTORE_TESTS_SIMULATION_MANY_SEEDS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "simulation/simulation.h"

namespace kvstore::simulation {

struct ManySeeds {
  std::vector<uint64_t> seeds;
  AllGuards guards{};
  size_t processes = 1;
  bool stop_at_first = false;  // violation
};

struct Totals {
  uint64_t passed = 0;
  uint64_t failed = 0;
  EventCounts counts;
};

// Runs seeds in processes of their own, forked from this one: a seed at which one crashes, or hangs
// for long in real time, is a seed that failed (I8), and the others go on. `failed` is told of each
// as it comes. Call it while the process has no other thread.
Totals RunSeeds(const ManySeeds& many,
                const std::function<void(uint64_t seed, const std::string& violation)>& failed);

// Seeds at which something was found once, whatever it was: first number of each line of the file,
// '#' begins a comment. Empty: it can't be read.
std::vector<uint64_t> ReadKeptSeeds(const std::string& path);

// Kinds of events that never happened, which a run of so many seeds should have seen: then the
// simulator has stopped testing something.
std::vector<std::string> NeverHappened(const EventCounts& counts, uint64_t seeds);

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_MANY_SEEDS_H_
