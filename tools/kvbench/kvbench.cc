// kvbench: puts load on a pool and measures what comes of it. `soak` looks for wrong bytes.

#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kvbench/soak.h"
#include "tools/kvbench/soaker.h"
#include "tools/kvbench/told_value.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::bench {
namespace {

constexpr std::string_view kUsage = R"(kvbench - puts load on a pool of kvstore

USAGE
  kvbench soak [--seconds S] [--reads N]

  soak starts a pool of its own on this machine, on loopback, half as large as what its clients keep
  putting, replacing, making in place and removing. They read by shared memory and by TCP, whole, in
  parts and as views; some are slow, and one or another is paused all the time. Every byte that is
  read tells its key, its version and its place, and is checked. At the end it prints the reads, and
  how many each guard refused.

OPTIONS
)";

constexpr std::string_view kStatus = R"(
EXIT STATUS
  0  every byte was right, and every guard has refused some reads
  1  a byte was wrong, reads were too few, a guard refused nothing, or a process ended
  2  bad usage
)";

constexpr text::Option kSoakOptions[] = {
    {"seconds", "", "S", "how long (default 60)"},
    {"reads", "", "N", "end after N verified reads; fewer within the time are a failure"},
    {"help", "h", "", "this text"},
    {"version", "", "", "print the version"},
};

// Of the processes that soak starts.
constexpr text::Option kSoakerOptions[] = {
    {"master", "", "ADDRESS", ""}, {"who", "", "N", ""},   {"life", "", "N", ""},
    {"soakers", "", "N", ""},      {"keys", "", "N", ""},  {"least", "", "SIZE", ""},
    {"most", "", "SIZE", ""},      {"batch", "", "N", ""}, {"ways", "", "LIST", ""},
    {"slow", "", "", ""},
};

Result<SoakOptions> ReadSoak(const text::CommandLine& line) {
  SoakOptions options;
  options.programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  constexpr uint64_t kWeek = 7 * 24 * 3600;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t seconds,
                           text::ParseNumber(line.Get("seconds", "60"), 1, kWeek));
  options.time = std::chrono::seconds(seconds);
  KVSTORE_ASSIGN_OR_RETURN(options.reads,
                           text::ParseNumber(line.Get("reads", "0"), 0, 1'000'000'000'000));
  return options;
}

Result<SoakerOptions> ReadSoaker(const text::CommandLine& line) {
  SoakerOptions options;
  options.master = line.Get("master", "");
  const auto number = [&](const char* name, uint64_t otherwise, uint64_t most) {
    return text::ParseNumber(line.Get(name, std::to_string(otherwise)), 0, most);
  };
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t who, number("who", options.who, 1000));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t life, number("life", options.life, 4095));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t soakers, number("soakers", options.soakers, 1000));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t keys, number("keys", options.keys, 1'000'000));
  KVSTORE_ASSIGN_OR_RETURN(options.batch, number("batch", options.batch, 4096));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t least, text::ParseBytes(line.Get("least", "16KiB")));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t most, text::ParseBytes(line.Get("most", "272KiB")));
  KVSTORE_ASSIGN_OR_RETURN(options.ways, text::ParseWays(line.Get("ways", "all")));
  options.who = static_cast<uint32_t>(who);
  options.life = static_cast<uint32_t>(life);
  options.soakers = static_cast<uint32_t>(soakers);
  options.keys = static_cast<uint32_t>(keys);
  options.least_cells = least / kCellBytes;
  options.most_cells = most / kCellBytes;
  options.slow = line.Has("slow");
  if (who < soakers && keys > 0 && options.batch > 0 && 0 < options.least_cells &&
      options.least_cells < options.most_cells) {
    return options;
  }
  return InvalidArgumentError("a soaker needs others, keys, and room between --least and --most");
}

int FailUsage(const std::string& problem) {
  std::cerr << "kvbench: " << problem << "; see kvbench --help\n";
  return 2;
}

// The words behind the verb.
template <typename Options>
int Run(std::span<const char* const> words, std::span<const text::Option> known,
        Result<Options> (*read)(const text::CommandLine&), int (*run)(const Options&)) {
  const Result<text::CommandLine> line = text::CommandLine::Parse(words, known);
  if (!line.ok()) return FailUsage(line.status().message());
  if (!line->arguments().empty()) {
    return FailUsage("'" + line->arguments()[0] + "' is no option");
  }
  const Result<Options> options = read(*line);
  return options.ok() ? run(*options) : FailUsage(options.status().message());
}

int Main(std::span<const char* const> words) {
  for (const std::string_view word : words) {
    if (word == "--help" || word == "-h") {
      std::cout << kUsage << text::DescribeOptions(kSoakOptions) << kStatus;
      return 0;
    }
    if (word == "--version") {
      std::cout << "kvbench " << KVSTORE_VERSION << '\n';
      return 0;
    }
  }
  const std::string_view verb = words.empty() ? "" : words[0];
  if (verb == "soak") return Run(words.subspan(1), kSoakOptions, &ReadSoak, &RunSoak);
  if (verb == "soaker") return Run(words.subspan(1), kSoakerOptions, &ReadSoaker, &RunSoaker);
  return FailUsage(words.empty() ? "what is it to do" : "it can't '" + std::string(verb) + "'");
}

}  // namespace
}  // namespace kvstore::bench

int main(int argc, char** argv) {
  const std::vector<const char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return kvstore::bench::Main(words);
}
