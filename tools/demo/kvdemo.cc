// kvdemo: a cluster of processes on this machine, and a real trace replayed on it. It plays the
// scheduler: requests go to a prefill worker, which stores the KV blocks that the pool lacks, and
// to a decode worker, which waits for all of them, reads them and checks every byte.

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/demo/demo_cluster.h"
#include "tools/demo/replay.h"
#include "tools/demo/results.h"
#include "tools/demo/trace.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"

namespace kvstore::demo {
namespace {

constexpr text::Option kOptions[] = {
    {"trace", "", "FILE", "requests to replay, see tools/demo/data/README.md (required)"},
    {"requests", "", "N", "only the first N; 0: all (default 1000)"},
    {"block", "", "SIZE", "bytes that stand in for a block's KV cache (default 64KiB)"},
    {"lend", "", "SIZE", "memory lent by each of 2 nodes and 2 workers (default 512MiB)"},
    {"threads", "", "N", "requests that each worker serves at once (default 2)"},
    {"window", "", "N", "requests in flight (default 8)"},
    {"deadline", "", "TIME", "stop everything after that long (default 110s)"},
    {"help", "h", "", "this text"},
    {"version", "", "", "print the version"},
};

struct DemoOptions {
  ClusterOptions cluster;
  uint64_t requests = 0;
  uint64_t block_bytes = 0;
  uint64_t window = 0;
  Duration deadline{};
};

Result<DemoOptions> ReadOptions(const text::CommandLine& line) {
  DemoOptions options;
  options.cluster.programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.cluster.trace = line.Get("trace", "");
  if (options.cluster.trace.empty()) return InvalidArgumentError("name a trace with --trace");
  options.cluster.block = line.Get("block", options.cluster.block);
  options.cluster.lend = line.Get("lend", options.cluster.lend);
  options.cluster.threads = line.Get("threads", options.cluster.threads);
  KVSTORE_ASSIGN_OR_RETURN(options.block_bytes, text::ParseBytes(options.cluster.block));
  KVSTORE_RETURN_IF_ERROR(text::ParseBytes(options.cluster.lend).status());
  KVSTORE_RETURN_IF_ERROR(text::ParseNumber(options.cluster.threads, 1, 64).status());
  KVSTORE_ASSIGN_OR_RETURN(options.requests,
                           text::ParseNumber(line.Get("requests", "1000"), 0, 1'000'000'000));
  KVSTORE_ASSIGN_OR_RETURN(options.window, text::ParseNumber(line.Get("window", "8"), 1, 1000));
  KVSTORE_ASSIGN_OR_RETURN(options.deadline, text::ParseDuration(line.Get("deadline", "110s")));
  return options;
}

// One line that is written over on a terminal, a line now and then elsewhere.
class ProgressLine {
 public:
  void Show(const Results& results) {
    const TimePoint now = BootClock::now();
    if (now < next_) return;
    next_ = now + (on_terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(2));
    std::cout << (on_terminal_ ? "\r\x1b[K" : "") << "  " << results.Progress()
              << (on_terminal_ ? "" : "\n") << std::flush;
  }
  void End() {
    if (on_terminal_) std::cout << "\r\x1b[K" << std::flush;
  }

 private:
  const bool on_terminal_ = isatty(STDOUT_FILENO) == 1;
  TimePoint next_;
};

Status RunDemo(const DemoOptions& options, DemoCluster* cluster, Results* results) {
  const TimePoint deadline = BootClock::now() + options.deadline;
  KVSTORE_ASSIGN_OR_RETURN(const std::vector<TraceRequest> requests,
                           ReadTrace(options.cluster.trace, options.requests));
  std::cout << "starting a master, 2 nodes, a prefill and a decode worker, each lending "
            << options.cluster.lend << std::endl;
  KVSTORE_RETURN_IF_ERROR(cluster->Start(options.cluster, deadline));
  std::cout << "replaying " << requests.size() << " requests of " << options.cluster.trace
            << " (meanwhile: kvctl --master " << cluster->master_address() << " status)"
            << std::endl;
  ProgressLine line;
  results->block_bytes = options.block_bytes;
  const Status replayed =
      Replay(cluster, requests, {.window = options.window, .deadline = deadline}, results,
             [&](const Results& now) { line.Show(now); });
  line.End();
  return replayed;
}

int Demo(const DemoOptions& options) {
  DemoCluster cluster;
  Results results;
  const Status status = RunDemo(options, &cluster, &results);
  const size_t stopped = cluster.Stop();
  if (!status.ok()) {
    std::cerr << "kvdemo: " << status.ToString() << '\n'
              << "kvdemo: " << results.Progress() << "; all " << stopped
              << " processes are stopped\n";
    return status.code() == StatusCode::kCancelled ? 130 : 1;
  }
  std::cout << '\n';
  results.Print(std::cout);
  std::cout << "all " << stopped << " processes are stopped\n";
  return results.errors == 0 && results.wrong_bytes == 0 ? 0 : 1;
}

int Main(std::span<const char* const> words) {
  Result<text::CommandLine> line = text::CommandLine::Parse(words, kOptions);
  if (line.ok() && line->Has("help")) {
    std::cout << "kvdemo: starts a cluster on this machine, replays a trace on it, checks every "
                 "byte, stops it\n\n"
              << text::DescribeOptions(kOptions)
              << "\nExit status: 0 done; 1 errors or wrong bytes, or not finished; 2 usage; 130 "
                 "interrupted\n";
    return 0;
  }
  if (line.ok() && line->Has("version")) {
    std::cout << "kvdemo " << KVSTORE_VERSION << '\n';
    return 0;
  }
  if (line.ok() && !line->arguments().empty()) {
    line = InvalidArgumentError("'" + line->arguments()[0] + "' is no option");
  }
  const Result<DemoOptions> options =
      line.ok() ? ReadOptions(*line) : Result<DemoOptions>(line.status());
  if (!options.ok()) {
    std::cerr << "kvdemo: " << options.status().message() << "; see kvdemo --help\n";
    return 2;
  }
  return Demo(*options);
}

}  // namespace
}  // namespace kvstore::demo

int main(int argc, char** argv) {
  return kvstore::demo::Main(std::vector<const char*>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
