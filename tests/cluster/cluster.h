#ifndef KVSTORE_TESTS_CLUSTER_CLUSTER_H_
#define KVSTORE_TESTS_CLUSTER_CLUSTER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/child_process.h"
#include "kvstore/client.h"

namespace kvstore::cluster {

// A kvstore_master process of its own on a free port of loopback; ready when constructed, or the
// test fails and running() is false. Unless its flags say otherwise it keeps no state, serves at
// once, and suspects nodes that were silent for 10 s: a test may be held up for a moment. One that
// is about silence says SuspectAfter.
class MasterProcess {
 public:
  // `within`: the command that is to run it, such as nsenter.
  explicit MasterProcess(const std::vector<std::string>& flags = {},
                         const std::vector<std::string>& within = {});

  bool running() const { return !address_.empty(); }
  const std::string& address() const { return address_; }  // "127.0.0.1:PORT"
  const std::string& metrics_address() const { return metrics_address_; }
  ChildProcess& process() { return *process_; }
  // The lines of its metrics that begin so: "kvstore_reads_noted_total 17\n". With --metrics_port.
  std::string Metric(const std::string& name) const;

 private:
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
  std::string metrics_address_;
};

// The master's flag for when silent nodes are suspected. Four times as late under the thread
// sanitizer: it slows programs tenfold, and one that lives is not to be taken for dead.
std::string SuspectAfter(int ms);

// A kvstore_node process that lends `lend` ("64MiB") to that master's pool.
class NodeProcess {
 public:
  NodeProcess(const MasterProcess& master, const std::string& name, const std::string& lend,
              const std::vector<std::string>& flags = {});
  // Of the master at that address.
  NodeProcess(const std::string& master, const std::string& name, const std::string& lend,
              const std::vector<std::string>& flags = {});

  bool running() const { return running_; }
  ChildProcess& process() { return *process_; }

 private:
  std::unique_ptr<ChildProcess> process_;
  bool running_ = false;
};

// A client in the test's own process, or null with a failed expectation.
std::unique_ptr<Client> Join(const MasterProcess& master, uint64_t lend_bytes = 0,
                             const std::string& name = "test");

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_CLUSTER_H_
