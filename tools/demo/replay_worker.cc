// A worker of the demo. As `prefill` it stores the blocks of a request that the pool lacks; as
// `decode` it waits for all of them, gets them and checks every byte. It lends no memory. Is told
// by standard input, a line each: the number of a request of the trace, or "totals"; reports on
// standard output (report.h).

#include <glog/logging.h>

#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/client.h"
#include "thread_annotations.h"
#include "tools/demo/program.h"
#include "tools/demo/roles.h"
#include "tools/demo/trace.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::demo {
namespace {

constexpr text::Option kOptions[] = {
    {"role", "", "ROLE", "prefill or decode"},
    {"master", "", "HOST:PORT", "the pool's master"},
    {"name", "", "NAME", "shown to operators (default: the role)"},
    {"trace", "", "FILE", "the trace whose requests are named"},
    {"block", "", "SIZE", "bytes of a block, a multiple of 8 (default 64KiB)"},
    {"ways", "", "LIST", "how bytes may travel: some of local,shm,rdma,tcp (default all but rdma)"},
    {"threads", "", "N", "requests served at once (default 2)"},
    {"replicas", "", "N", "of each block (default 1)"},
    {"wait", "", "TIME", "how long decode waits for a block (default 2s)"},
    {"help", "h", "", "this text"},
    {"version", "", "", "print the version"},
};

struct WorkerOptions {
  bool prefill = false;
  std::string trace;
  ClientOptions client;
  RoleOptions role;
  uint64_t threads = 0;
};

Result<WorkerOptions> ReadOptions(const text::CommandLine& line) {
  WorkerOptions options;
  const std::string role = line.Get("role", "");
  if (role != "prefill" && role != "decode") {
    return InvalidArgumentError("--role is prefill or decode, not '" + role + "'");
  }
  options.prefill = role == "prefill";
  options.trace = line.Get("trace", "");
  options.client.master = line.Get("master", options.client.master);
  options.client.name = line.Get("name", role);
  KVSTORE_ASSIGN_OR_RETURN(options.client.ways, text::ParseWays(line.Get("ways", "all")));
  KVSTORE_ASSIGN_OR_RETURN(options.role.block_bytes, text::ParseBytes(line.Get("block", "64KiB")));
  if (options.role.block_bytes == 0 || options.role.block_bytes % 8 != 0) {
    return InvalidArgumentError("--block is a multiple of 8, at least 8");
  }
  KVSTORE_ASSIGN_OR_RETURN(options.role.wait, text::ParseDuration(line.Get("wait", "2s")));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t replicas,
                           text::ParseNumber(line.Get("replicas", "1"), 1, kMaxReplicas));
  options.role.replicas = static_cast<uint32_t>(replicas);
  KVSTORE_ASSIGN_OR_RETURN(options.threads, text::ParseNumber(line.Get("threads", "2"), 1, 64));
  return options;
}

// Standard input and output, shared by the threads that serve. Thread-safe.
class Lines {
 public:
  bool Next(std::string* line) {
    const MutexLock lock(in_mu_);
    return static_cast<bool>(std::getline(std::cin, *line));
  }
  void Say(const Report& report) {
    const MutexLock lock(out_mu_);
    std::cout << report.ToLine() << std::endl;
  }

 private:
  Mutex in_mu_;
  Mutex out_mu_;
};

void Serve(Role* role, const std::vector<TraceRequest>& trace, Lines* lines) {
  const std::unique_ptr<RoleThread> thread = role->NewThread();
  for (std::string line; lines->Next(&line);) {
    if (line == "totals") {
      lines->Say(role->Totals());
      continue;
    }
    const Result<uint64_t> number = text::ParseNumber(line, 0, trace.size() - 1);
    Report report{.what = "request", .numbers = {}, .problem = ""};
    if (number.ok()) {
      report = thread->Serve(trace[*number]);
      report.numbers["id"] = *number;
    } else {
      AddProblem(&report, number.status());
    }
    lines->Say(report);
  }
}

Status Run(const WorkerOptions& options) {
  KVSTORE_ASSIGN_OR_RETURN(const std::vector<TraceRequest> trace, ReadTrace(options.trace, 0));
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(options.client));
  const std::unique_ptr<Role> role = options.prefill ? NewPrefill(client.get(), options.role)
                                                     : NewDecode(client.get(), options.role);
  Lines lines;
  lines.Say({.what = "ready", .numbers = {}, .problem = ""});
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < options.threads; ++i) {
    threads.emplace_back(Serve, role.get(), std::cref(trace), &lines);
  }
  for (std::thread& thread : threads) thread.join();
  return Status::Ok();
}

constexpr Program kProgram = {
    .name = "replay_worker",
    .purpose = "a worker of the demo, started by kvdemo",
    .options = kOptions,
    .epilogue = "",
};

int Main(const text::CommandLine& line) {
  const Result<WorkerOptions> options = ReadOptions(line);
  if (!options.ok()) return FailUsage(kProgram, options.status());
  if (const Status status = Run(*options); !status.ok()) {
    std::cerr << "replay_worker: " << status.ToString() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace kvstore::demo

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging("replay_worker");
  return kvstore::demo::RunProgram(kvstore::demo::kProgram, argc, argv, kvstore::demo::Main);
}
