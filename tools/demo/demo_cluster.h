#ifndef KVSTORE_TOOLS_DEMO_DEMO_CLUSTER_H_
#define KVSTORE_TOOLS_DEMO_DEMO_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/demo/child.h"

namespace kvstore::demo {

struct ClusterOptions {
  std::string programs;  // the folder of kvstore_master, kvstore_node and replay_worker
  std::string trace;
  std::string block = "64KiB";
  std::string lend = "1GiB";   // by each of the two nodes; the workers lend nothing
  std::string ways = "all";    // of nodes and workers
  std::string threads = "2";   // of each worker
  std::string replicas = "1";  // of each block
  // A master or node that is killed is started again, as a service manager would.
  bool supervise = false;
};

inline constexpr size_t kDemoNodes = 2;

// The demo's processes, all on loopback, on ports that the kernel picks. SIGINT and SIGTERM are
// caught from construction on. The folder $XDG_RUNTIME_DIR (or /tmp) has, while it runs,
// kvdemo-PID/ with the master's state file and `processes`: a line "NAME PID ADDRESS" for each that
// runs, for tools/kill-master and tools/kill-node. Confined to one thread, in a process that has no
// other.
class DemoCluster {
 public:
  DemoCluster();
  // Kills what Stop has not ended.
  ~DemoCluster();
  DemoCluster(const DemoCluster&) = delete;
  DemoCluster& operator=(const DemoCluster&) = delete;

  // Returns when all are ready; as Watch when that fails, deadline_exceeded at `until`.
  Status Start(const ClusterOptions& options, TimePoint until);

  Child& prefill() { return *prefill_; }
  Child& decode() { return *decode_; }
  // Whether every node has said that processes of this host may share its memory.
  bool nodes_share_memory() const;
  const std::string& master_address() const { return master_address_; }

  // Kills the prefill worker, which gets no time to tidy up, and starts another one; returns when
  // it is ready. Errors as for Start.
  Status ReplacePrefill(TimePoint until);

  // Kills the master, under whatever load there is, and starts it again on the same port with the
  // same state file. Returns when it is ready. Errors as for Start.
  Status ReplaceMaster(TimePoint until);
  Child& master() { return *master_; }
  // Masters and nodes that were started again because they had ended.
  size_t started_again() const { return started_again_; }

  // Waits until a process has said something, or `until`. cancelled: SIGINT or SIGTERM came;
  // unavailable: a process has ended that should not have, with its last words.
  Status Watch(TimePoint until);

  // No more work for the workers: they may end from now on.
  void CloseInputs();

  // Ends all in order, workers first: what does not end in a few seconds, or when told so a second
  // time by a signal, is killed. Returns how many there were.
  size_t Stop();

 private:
  Status MakeFolder();
  // The file `processes`.
  Status TellProcesses() const;
  Status BeginMaster();
  Status StartMaster(TimePoint until);
  Result<std::unique_ptr<Child>> StartNode(const std::string& name) const;
  // One that has ended, if it is to be started again. False: it is not.
  Result<bool> StartAgain(const Child* ended);
  Result<std::unique_ptr<Child>> StartWorker(const std::string& role) const;
  Status WaitForLine(Child* child, const std::string& text, TimePoint until);
  // Waits for output, a signal or `until`; reads all pipes. False: told to stop.
  bool PollOnce(TimePoint until);
  void WaitForExit(Child* child, TimePoint until);
  std::vector<Child*> All() const;

  ClusterOptions options_;
  int signals_ = -1;
  bool may_end_ = false;  // workers
  bool in_a_hurry_ = false;
  std::string folder_;
  std::string master_address_;
  size_t started_again_ = 0;
  std::unique_ptr<Child> master_;
  std::vector<std::unique_ptr<Child>> nodes_;
  std::unique_ptr<Child> prefill_, decode_;
};

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_DEMO_CLUSTER_H_
