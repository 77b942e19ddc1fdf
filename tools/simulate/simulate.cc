// Runs the simulator over many seeds, or replays one with its transcript.
//
//   simulate --seeds 10000 --first 1        ends with "N passed, M failed"; exit code 1 if M > 0
//   simulate --seed 17 --trace              the same run again, told line by line
//   simulate --off check_birth_on_enter     with a guard switched off (may be repeated)

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "simulation/simulation.h"

namespace {

using kvstore::simulation::AllGuards;
using kvstore::simulation::EventCounts;
using kvstore::simulation::RunResult;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 1;
  bool trace = false;
  bool stop_at_first = false;
  AllGuards guards;
};

void PrintHelp() {
  std::printf(
      "usage: simulate [--seeds N] [--first S] [--seed X] [--trace] [--stop] [--off GUARD]...\n"
      "  --seeds N    runs N seeds (1)\n"
      "  --first S    beginning with S (1)\n"
      "  --seed X     the one seed X\n"
      "  --trace      prints what happens, line by line\n"
      "  --stop       ends at the first violation\n"
      "  --off GUARD  runs without a guard, which should then be missed; one of\n");
  for (const std::string& name : kvstore::simulation::GuardNames()) {
    std::printf("                 %s\n", name.c_str());
  }
}

bool ParseNumber(const char* text, uint64_t* number) {
  char* end = nullptr;
  *number = std::strtoull(text, &end, 10);
  return *text != '\0' && *end == '\0';
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
    } else if (name == "--first" || name == "--seed") {
      good = ParseNumber(value, &arguments->first);
    } else if (name == "--off") {
      good = kvstore::simulation::SwitchOff(value, &arguments->guards);
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

void PrintCounts(const EventCounts& counts) {
  for (size_t i = 0; i < kvstore::simulation::kEventKinds; ++i) {
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(counts[i]),
                std::string(kvstore::simulation::kEventNames[i]).c_str());
  }
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

  uint64_t passed = 0;
  uint64_t failed = 0;
  EventCounts counts;
  for (uint64_t i = 0; i < arguments.seeds; ++i) {
    const uint64_t seed = arguments.first + i;
    const RunResult result =
        kvstore::simulation::Simulate({seed, arguments.guards, arguments.trace});
    for (const std::string& line : result.transcript) std::printf("%s\n", line.c_str());
    counts += result.counts;
    if (result.violation.empty()) {
      ++passed;
      continue;
    }
    ++failed;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violation.c_str());
    if (arguments.stop_at_first) break;
  }
  PrintCounts(counts);
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
