// kvdemo: a cluster of processes on this machine, and a real trace replayed on it. It plays the
// scheduler: requests go to a prefill worker, which stores the KV blocks that the pool lacks, and
// to a decode worker, which waits for all of them, reads them and checks every byte.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/demo/demo_cluster.h"
#include "tools/demo/program.h"
#include "tools/demo/replay.h"
#include "tools/demo/results.h"
#include "tools/demo/trace.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::demo {
namespace {

constexpr text::Option kOptions[] = {
    {"trace", "", "FILE", "requests to replay, see tools/demo/data/README.md (required)"},
    {"requests", "", "N", "only the first N; 0: all (default 1000)"},
    {"block", "", "SIZE", "bytes that stand in for a block's KV cache (default 64KiB)"},
    {"lend", "", "SIZE", "memory lent by each of 2 nodes; workers lend none (default 1GiB)"},
    {"ways", "", "LIST", "how bytes may travel: some of local,shm,rdma,tcp (default all but rdma)"},
    {"restart-after", "", "N",
     "kill prefill after N requests, and start it anew (default: half; 0: no)"},
    {"kill-master-after", "", "N",
     "kill the master after N requests, and start it again (default: 3/4; 0: no)"},
    {"for", "", "TIME",
     "replay the trace over and over; masters and nodes that are killed are started again"},
    {"replicas", "", "N", "of each block, on distinct nodes (default 1)"},
    {"threads", "", "N", "requests that each worker serves at once (default 2)"},
    {"window", "", "N", "requests in flight (default 8)"},
    {"deadline", "", "TIME", "stop everything after that long (default 110s; with --for 1m more)"},
    {"help", "h", "", "this text"},
    {"version", "", "", "print the version"},
};

struct DemoOptions {
  ClusterOptions cluster;
  uint64_t requests = 0;
  uint64_t block_bytes = 0;
  uint64_t window = 0;
  std::optional<uint64_t> restart_after;      // none: half of the requests
  std::optional<uint64_t> kill_master_after;  // none: three quarters
  Duration again_for{};                       // 0: once
  Duration deadline{};
  bool shm_allowed = true;
};

// What all nodes lend together must hold `blocks` at once, or puts would wait for room in vain.
Status CheckRoom(const DemoOptions& options, uint64_t blocks, const std::string& what) {
  constexpr uint64_t kGranule = 4096;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t lend, text::ParseBytes(options.cluster.lend));
  const uint64_t need = blocks * ((options.block_bytes + kGranule - 1) / kGranule * kGranule);
  if (kDemoNodes * lend >= need) return Status::Ok();
  return InvalidArgumentError("--lend is " + options.cluster.lend + ", so that the " +
                              std::to_string(kDemoNodes) + " nodes lend too little for " + what +
                              ", " + text::FormatBytes(need) + "; the workers lend nothing");
}

bool Allows(std::span<const transfer::Way> ways, transfer::Way way) {
  return ways.empty() || std::find(ways.begin(), ways.end(), way) != ways.end();
}

Result<DemoOptions> ReadOptions(const text::CommandLine& line) {
  DemoOptions options;
  options.cluster.programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.cluster.trace = line.Get("trace", "");
  if (options.cluster.trace.empty()) return InvalidArgumentError("name a trace with --trace");
  options.cluster.block = line.Get("block", options.cluster.block);
  options.cluster.lend = line.Get("lend", options.cluster.lend);
  options.cluster.threads = line.Get("threads", options.cluster.threads);
  KVSTORE_ASSIGN_OR_RETURN(options.block_bytes, text::ParseBytes(options.cluster.block));
  KVSTORE_RETURN_IF_ERROR(CheckRoom(options, 1, "a block"));
  options.cluster.ways = line.Get("ways", options.cluster.ways);
  KVSTORE_ASSIGN_OR_RETURN(const auto ways, text::ParseWays(options.cluster.ways));
  options.shm_allowed = Allows(ways, transfer::Way::kShm);
  if (!options.shm_allowed && !Allows(ways, transfer::Way::kTcp) &&
      !Allows(ways, transfer::Way::kRdma)) {
    return InvalidArgumentError("--ways is " + options.cluster.ways +
                                ", by which workers that lend nothing reach no memory");
  }
  KVSTORE_RETURN_IF_ERROR(text::ParseNumber(options.cluster.threads, 1, 64).status());
  KVSTORE_ASSIGN_OR_RETURN(options.requests,
                           text::ParseNumber(line.Get("requests", "1000"), 0, 1'000'000'000));
  if (line.Has("restart-after")) {
    KVSTORE_ASSIGN_OR_RETURN(options.restart_after,
                             text::ParseNumber(line.Get("restart-after", ""), 0, 1'000'000'000));
  }
  if (line.Has("kill-master-after")) {
    KVSTORE_ASSIGN_OR_RETURN(
        options.kill_master_after,
        text::ParseNumber(line.Get("kill-master-after", ""), 0, 1'000'000'000));
  }
  options.cluster.replicas = line.Get("replicas", options.cluster.replicas);
  KVSTORE_RETURN_IF_ERROR(text::ParseNumber(options.cluster.replicas, 1, kDemoNodes).status());
  options.cluster.supervise = line.Has("for");
  if (line.Has("for")) {
    KVSTORE_ASSIGN_OR_RETURN(options.again_for, text::ParseDuration(line.Get("for", "")));
  }
  KVSTORE_ASSIGN_OR_RETURN(options.window, text::ParseNumber(line.Get("window", "8"), 1, 1000));
  KVSTORE_ASSIGN_OR_RETURN(options.deadline, text::ParseDuration(line.Get("deadline", "110s")));
  if (line.Has("for") && !line.Has("deadline")) options.deadline += options.again_for;
  return options;
}

// One line that is written over on a terminal, a line now and then elsewhere.
class ProgressLine {
 public:
  void Show(const Results& results) {
    if (results.restart.after > 0 && !restart_told_) {
      Tell(results.restart, "prefill");
      restart_told_ = true;
    }
    if (results.master_restart.after > 0 && !master_restart_told_) {
      Tell(results.master_restart, "the master");
      master_restart_told_ = true;
    }
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
  // Stays where it is, on a terminal too.
  void Tell(const Restart& restart, const std::string& who) {
    End();
    std::cout << "  after " << restart.after << " requests: " << who << " (process "
              << restart.killed << ") was killed, process " << restart.started << " took over"
              << std::endl;
  }

  const bool on_terminal_ = isatty(STDOUT_FILENO) == 1;
  bool restart_told_ = false;
  bool master_restart_told_ = false;
  TimePoint next_;
};

// The largest request's blocks, all of which decode wants at once.
size_t LargestRequest(const std::vector<TraceRequest>& requests) {
  size_t largest = 0;
  for (const TraceRequest& request : requests) largest = std::max(largest, request.blocks.size());
  return largest;
}

// What can be known before anything is started.
struct Plan {
  std::vector<TraceRequest> requests;
  uint64_t restart_after = 0;      // 0: never
  uint64_t kill_master_after = 0;  // 0: never
};

Status CheckAfter(const std::string& option, uint64_t after, const Plan& plan) {
  if (after == 0 || after < plan.requests.size()) return Status::Ok();
  return InvalidArgumentError(option + " is " + std::to_string(after) + ", but there are only " +
                              std::to_string(plan.requests.size()) + " requests");
}

Result<Plan> MakePlan(const DemoOptions& options) {
  Plan plan;
  KVSTORE_ASSIGN_OR_RETURN(plan.requests, ReadTrace(options.cluster.trace, options.requests));
  KVSTORE_RETURN_IF_ERROR(
      CheckRoom(options, LargestRequest(plan.requests), "the largest request's blocks"));
  // Whoever kills by hand wants nobody else to.
  const size_t all = options.cluster.supervise ? 0 : plan.requests.size();
  plan.restart_after = options.restart_after.value_or(all / 2);
  plan.kill_master_after = options.kill_master_after.value_or(all * 3 / 4);
  KVSTORE_RETURN_IF_ERROR(CheckAfter("--restart-after", plan.restart_after, plan));
  KVSTORE_RETURN_IF_ERROR(CheckAfter("--kill-master-after", plan.kill_master_after, plan));
  return plan;
}

Status RunDemo(const DemoOptions& options, const Plan& plan, DemoCluster* cluster,
               Results* results) {
  const TimePoint deadline = BootClock::now() + options.deadline;
  std::cout << "starting a master, " << kDemoNodes << " nodes that lend " << options.cluster.lend
            << " each, a prefill and a decode worker that lend nothing" << std::endl;
  KVSTORE_RETURN_IF_ERROR(cluster->Start(options.cluster, deadline));
  if (options.shm_allowed && !cluster->nodes_share_memory()) {
    std::cout << "the nodes can't share their memory here: kvstore_node says why" << std::endl;
  }
  std::cout << "replaying " << plan.requests.size() << " requests of " << options.cluster.trace
            << " (meanwhile: kvctl --master " << cluster->master_address() << " status)"
            << std::endl;
  ProgressLine line;
  results->block_bytes = options.block_bytes;
  results->shm_expected = options.shm_allowed && cluster->nodes_share_memory();
  const ReplayOptions replay = {.window = options.window,
                                .restart_after = plan.restart_after,
                                .kill_master_after = plan.kill_master_after,
                                .again_until = BootClock::now() + options.again_for,
                                .deadline = deadline};
  const Status replayed =
      Replay(cluster, plan.requests, replay, results, [&](const Results& now) { line.Show(now); });
  line.End();
  return replayed;
}

int Demo(const DemoOptions& options, const Plan& plan) {
  DemoCluster cluster;
  Results results;
  const Status status = RunDemo(options, plan, &cluster, &results);
  const size_t stopped = cluster.Stop();
  if (!status.ok()) {
    std::cerr << "kvdemo: " << status.ToString() << '\n'
              << "kvdemo: " << results.Progress() << "; all " << stopped
              << " processes are stopped\n";
    if (results.errors > 0)
      std::cerr << "kvdemo: the first error: " << results.first_problem << '\n';
    return status.code() == StatusCode::kCancelled ? 130 : 1;
  }
  std::cout << '\n';
  results.Print(std::cout);
  std::cout << "all " << stopped << " processes are stopped\n";
  return results.good() ? 0 : 1;
}

constexpr Program kProgram = {
    .name = "kvdemo",
    .purpose =
        "starts a cluster on this machine, replays a trace on it, checks every byte, stops it",
    .options = kOptions,
    .epilogue =
        "\nExit status: 0 done; 1 errors, wrong bytes, not finished, less than 95 % of the bytes "
        "went by\n"
        "shared memory although they could, or a restart after which nothing was left (of the "
        "master:\n"
        "anything was lost); 2 usage; 130 interrupted\n",
};

int Main(const text::CommandLine& line) {
  const Result<DemoOptions> options = ReadOptions(line);
  if (!options.ok()) return FailUsage(kProgram, options.status());
  const Result<Plan> plan = MakePlan(*options);
  if (!plan.ok()) return FailUsage(kProgram, plan.status());
  return Demo(*options, *plan);
}

}  // namespace
}  // namespace kvstore::demo

int main(int argc, char** argv) {
  return kvstore::demo::RunProgram(kvstore::demo::kProgram, argc, argv, kvstore::demo::Main);
}
