// kvbench: puts load on a pool and measures what comes of it. `run` measures how fast it is,
// against what the machine can do (row.h is the map); `soak` looks for wrong bytes.

#include <glog/logging.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kvbench/client_worker.h"
#include "tools/kvbench/grpc_limit.h"
#include "tools/kvbench/rounds_worker.h"
#include "tools/kvbench/run.h"
#include "tools/kvbench/soak.h"
#include "tools/kvbench/soaker.h"
#include "tools/kvbench/socket_limit.h"
#include "tools/kvbench/told_value.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::bench {
namespace {

constexpr std::string_view kUsage = R"(kvbench - puts load on a pool of kvstore

USAGE
  kvbench list
  kvbench run ROW...|all [--seconds S] [--quick] [--json FILE]
  kvbench soak [--seconds S] [--reads N]

  run measures how fast the store is on this machine: each row starts what it needs, a master, a node
  and clients, as processes on loopback, and measures by turns the store and what the machine itself
  can do of the kind: memcpy, plain sockets, a gRPC call that does nothing. It prints the value, that
  limit, their ratio (the share of the limit that was reached, larger is better; with the least and
  the most of five rounds) and, where there is one, the least ratio demanded. A busy machine makes
  values small and spreads wide; ratios bear it better. list prints all rows; ROW may have * and ?.
  All of them need some 14 GiB of memory. FILE gets an array of {row, value, unit, limit, ratio,
  target}.

  soak starts a pool of its own on this machine, on loopback, half as large as what its clients keep
  putting, replacing, making in place and removing. They read by shared memory and by TCP, whole, in
  parts and as views; some are slow, and one or another is paused all the time. Every byte that is
  read tells its key, its version and its place, and is checked. At the end it prints the reads, and
  how many each guard refused.

OPTIONS OF RUN
)";

constexpr std::string_view kSoakTitle = "\nOPTIONS OF SOAK\n";

constexpr std::string_view kStatus = R"(
EXIT STATUS
  0  run: every row has run, whatever it measured; soak: every byte was right, and every guard has
     refused some reads
  1  run: a row failed; soak: a byte was wrong, reads were too few, a guard refused nothing, or a
     process ended
  2  bad usage
)";

constexpr text::Option kRunOptions[] = {
    {"seconds", "", "S", "how long a row measures, 0.01 to 3600 (default 3)"},
    {"quick", "", "", "little of everything: shows that rows work, their figures mean nothing"},
    {"json", "", "FILE", "write the rows there too"},
};

// What a process that is started by another one is to be.
struct WorkerOptions {
  std::string kind;  // "sockets", "grpc", "client" or "rounds"
  uint64_t walk_bytes = 0;
  ClientWork client;
  RoundsWork rounds;
};

constexpr text::Option kSoakOptions[] = {
    {"seconds", "", "S", "how long (default 60)"},
    {"reads", "", "N", "end after N verified reads; fewer within the time are a failure"},
    {"help", "h", "", "this text"},
    {"version", "", "", "print the version"},
};

// Of the processes that run, and tools/bench/compare, start.
constexpr text::Option kWorkerOptions[] = {
    {"walk", "", "BYTES", ""}, {"master", "", "ADDRESS", ""}, {"what", "", "VERB", ""},
    {"size", "", "BYTES", ""}, {"objects", "", "N", ""},      {"who", "", "N", ""},
    {"ways", "", "LIST", ""},  {"lend", "", "SIZE", ""},      {"forgetful", "", "", ""},
};

// Of the processes that soak starts.
constexpr text::Option kSoakerOptions[] = {
    {"master", "", "ADDRESS", ""}, {"who", "", "N", ""},   {"life", "", "N", ""},
    {"soakers", "", "N", ""},      {"keys", "", "N", ""},  {"least", "", "SIZE", ""},
    {"most", "", "SIZE", ""},      {"batch", "", "N", ""}, {"ways", "", "LIST", ""},
    {"slow", "", "", ""},
};

std::string ProgramFolder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

Status CheckNoArguments(const text::CommandLine& line) {
  if (line.arguments().empty()) return Status::Ok();
  return InvalidArgumentError("'" + line.arguments()[0] + "' is no option");
}

Result<RunOptions> ReadRun(const text::CommandLine& line) {
  RunOptions options;
  options.rows = line.arguments();
  if (options.rows.empty()) return InvalidArgumentError("run needs names of rows, or all");
  options.json = line.Get("json", "");
  options.bench.programs = ProgramFolder();
  options.bench.quick = line.Has("quick");
  const std::string seconds = line.Get("seconds", options.bench.quick ? "0.02" : "3");
  char* end = nullptr;
  const double number = std::strtod(seconds.c_str(), &end);
  if (*end != 0 || !(number >= 0.01 && number <= 3600)) {
    return InvalidArgumentError("--seconds is '" + seconds + "', but it is 0.01 to 3600");
  }
  options.bench.row_time =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(number));
  return options;
}

Result<WorkerOptions> ReadWorker(const text::CommandLine& line) {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  WorkerOptions options;
  if (line.arguments().size() != 1) return InvalidArgumentError("a worker is of one kind");
  options.kind = line.arguments()[0];
  KVSTORE_ASSIGN_OR_RETURN(options.walk_bytes, text::ParseNumber(line.Get("walk", "1"), 1, kMost));
  options.client.master = line.Get("master", "");
  options.client.puts = line.Get("what", "get") == "put";
  KVSTORE_ASSIGN_OR_RETURN(options.client.size, text::ParseNumber(line.Get("size", "1"), 1, kMost));
  KVSTORE_ASSIGN_OR_RETURN(options.client.objects,
                           text::ParseNumber(line.Get("objects", "1"), 1, kMost));
  KVSTORE_ASSIGN_OR_RETURN(options.client.who, text::ParseNumber(line.Get("who", "0"), 0, kMost));
  options.rounds.master = options.client.master;
  options.rounds.ways = line.Get("ways", "all");
  if (line.Has("lend")) {
    KVSTORE_ASSIGN_OR_RETURN(options.rounds.lend_bytes, text::ParseBytes(line.Get("lend", "")));
  }
  options.rounds.forgetful = line.Has("forgetful");
  return options;
}

int RunWorker(const WorkerOptions& options) {
  if (options.kind == "sockets") return ServeSockets(options.walk_bytes);
  if (options.kind == "grpc") return ServeGrpc();
  if (options.kind == "rounds") return WorkInRounds(options.rounds);
  return WorkAsClient(options.client);
}

Result<SoakOptions> ReadSoak(const text::CommandLine& line) {
  KVSTORE_RETURN_IF_ERROR(CheckNoArguments(line));
  SoakOptions options;
  options.programs = ProgramFolder();
  constexpr uint64_t kWeek = 7 * 24 * 3600;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t seconds,
                           text::ParseNumber(line.Get("seconds", "60"), 1, kWeek));
  options.time = std::chrono::seconds(seconds);
  KVSTORE_ASSIGN_OR_RETURN(options.reads,
                           text::ParseNumber(line.Get("reads", "0"), 0, 1'000'000'000'000));
  return options;
}

Result<SoakerOptions> ReadSoaker(const text::CommandLine& line) {
  KVSTORE_RETURN_IF_ERROR(CheckNoArguments(line));
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
  const Result<Options> options = read(*line);
  return options.ok() ? run(*options) : FailUsage(options.status().message());
}

int Main(std::span<const char* const> words) {
  for (const std::string_view word : words) {
    if (word == "--help" || word == "-h") {
      std::cout << kUsage << text::DescribeOptions(kRunOptions) << kSoakTitle
                << text::DescribeOptions(kSoakOptions) << kStatus;
      return 0;
    }
    if (word == "--version") {
      std::cout << "kvbench " << KVSTORE_VERSION << '\n';
      return 0;
    }
  }
  const std::string_view verb = words.empty() ? "" : words[0];
  if (verb == "list" && words.size() == 1) return ListRows();
  if (verb == "run") return Run(words.subspan(1), kRunOptions, &ReadRun, &RunRows);
  if (verb == "worker") return Run(words.subspan(1), kWorkerOptions, &ReadWorker, &RunWorker);
  if (verb == "soak") return Run(words.subspan(1), kSoakOptions, &ReadSoak, &RunSoak);
  if (verb == "soaker") return Run(words.subspan(1), kSoakerOptions, &ReadSoaker, &RunSoaker);
  return FailUsage(words.empty() ? "what is it to do" : "it can't '" + std::string(verb) + "'");
}

}  // namespace
}  // namespace kvstore::bench

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // of a process that has ended
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_ERROR;
  google::InitGoogleLogging(argv[0]);
  const std::vector<const char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return kvstore::bench::Main(words);
}
