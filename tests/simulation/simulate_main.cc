// Runs the simulator over many seeds, or replays one with its transcript; tools/simulate builds it
// and passes its arguments on.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "simulation/many_seeds.h"
#include "simulation/simulation.h"

namespace {

namespace simulation = kvstore::simulation;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 1;
  uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  std::string kept;  // a file of seeds
  bool trace = false;
  bool stop_at_first = false;
  simulation::AllGuards guards;
};

void PrintHelp() {
  std::printf(
      "usage: simulate [--seeds N] [--first S] [--seed X] [--kept FILE] [--jobs J] [--stop]\n"
      "                [--off GUARD]... [--trace]\n"
      "  --seeds N    runs N seeds (1); of 1000 and more each kind of event must happen\n"
      "  --first S    beginning with S (1)\n"
      "  --seed X     the one seed X\n"
      "  --kept FILE  the seeds of that file instead, first number of each line\n"
      "  --jobs J     in J processes (one per processor)\n"
      "  --stop       ends at the first violation\n"
      "  --trace      prints what happens, line by line, of one seed after the other\n"
      "  --off GUARD  runs without a guard, which should then be missed; one of\n");
  for (const std::string& name : simulation::GuardNames()) {
    std::printf("                 %s\n", name.c_str());
  }
  std::printf(
      "Prints each violation, how often each kind of event happened, and at the end\n"
      "\"N passed, M failed\"; a kind that never happened counts as one that failed.\n"
      "Exit status: 0 nothing failed, 1 something did, 2 usage.\n");
}

bool ParseNumber(const char* text, uint64_t* number) {
  char* end = nullptr;
  *number = std::strtoull(text, &end, 10);
  return *text != '\0' && *text != '-' && *end == '\0';
}

// False: something is wrong with them, and has been said.
bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    bool takes_value = true;
    bool good = true;
    if (name == "--seeds") {
      good = ParseNumber(value, &arguments->seeds);
    } else if (name == "--first") {
      good = ParseNumber(value, &arguments->first);
    } else if (name == "--seed") {
      arguments->seeds = 1;
      good = ParseNumber(value, &arguments->first);
    } else if (name == "--jobs") {
      good = ParseNumber(value, &arguments->jobs) && arguments->jobs > 0;
    } else if (name == "--kept") {
      arguments->kept = value;
    } else if (name == "--off") {
      good = simulation::SwitchOff(value, &arguments->guards);
    } else {
      takes_value = false;
      if (name == "--trace") {
        arguments->trace = true;
      } else if (name == "--stop") {
        arguments->stop_at_first = true;
      } else {
        std::fprintf(stderr, "simulate: unknown flag '%s'; see --help\n", argv[i]);
        return false;
      }
    }
    if (!good) {
      std::fprintf(stderr, "simulate: '%s' is no value for %s; see --help\n", value, argv[i]);
      return false;
    }
    if (takes_value) ++i;
  }
  return true;
}

void PrintViolation(uint64_t seed, const std::string& violation) {
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation.c_str());
  std::fflush(stdout);
}

// In this process, one after the other.
simulation::Totals Trace(const simulation::ManySeeds& many) {
  simulation::Totals totals;
  for (const uint64_t seed : many.seeds) {
    const simulation::RunResult result = simulation::Simulate({seed, many.guards, true});
    for (const std::string& line : result.transcript) std::printf("%s\n", line.c_str());
    totals.counts += result.counts;
    ++(result.violation.empty() ? totals.passed : totals.failed);
    if (!result.violation.empty()) PrintViolation(seed, result.violation);
  }
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    PrintHelp();
    return 0;
  }
  if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("simulate %s\n", KVSTORE_VERSION);
    return 0;
  }
  if (!Parse(argc, argv, &arguments)) return 2;

  simulation::ManySeeds many;
  many.guards = arguments.guards;
  many.processes = arguments.jobs;
  many.stop_at_first = arguments.stop_at_first;
  if (!arguments.kept.empty()) {
    many.seeds = simulation::ReadKeptSeeds(arguments.kept);
    if (many.seeds.empty()) {
      std::fprintf(stderr, "simulate: no seeds in '%s'\n", arguments.kept.c_str());
      return 2;
    }
  } else {
    for (uint64_t i = 0; i < arguments.seeds; ++i) many.seeds.push_back(arguments.first + i);
  }

  simulation::Totals totals =
      arguments.trace ? Trace(many) : simulation::RunSeeds(many, PrintViolation);
  for (size_t kind = 0; kind < simulation::kEventKinds; ++kind) {
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(totals.counts[kind]),
                std::string(simulation::kEventNames[kind]).c_str());
  }
  for (const std::string& never : simulation::NeverHappened(totals.counts, many.seeds.size())) {
    std::printf("never happened: %s\n", never.c_str());
    ++totals.failed;
  }
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(totals.passed),
              static_cast<unsigned long long>(totals.failed));
  return totals.failed == 0 ? 0 : 1;
}
