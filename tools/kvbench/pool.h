#ifndef KVSTORE_TOOLS_KVBENCH_POOL_H_
#define KVSTORE_TOOLS_KVBENCH_POOL_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "tools/demo/child.h"

namespace kvstore::bench {

struct PoolOptions {
  std::string programs;      // the folder of kvstore_master and kvstore_node
  uint64_t lend_bytes = 0;   // by one node; 0: there is none
  std::string ways = "all";  // of the node, as kvstore_node has them
  std::string state_file;    // so that the master can be started again; empty: it can't
};

// Waits until the process has said a line with `text`, and returns that line. unavailable: it has
// ended; deadline_exceeded: it has said nothing of the kind in 60 s.
Result<std::string> AwaitLine(demo::Child* child, const std::string& text);
// Waits until it has ended, or so long.
void AwaitExit(demo::Child* child, Duration time);

// A master and a node as processes of their own, on loopback, as they are shipped; they end with
// this object. Confined to one thread.
class Pool {
 public:
  static Result<std::unique_ptr<Pool>> Start(const PoolOptions& options);

  const std::string& address() const { return address_; }
  pid_t master_pid() const { return master_->pid(); }
  pid_t node_pid() const { return node_->pid(); }

  // A client in this process. `ways`: as ClientOptions has them.
  Result<std::unique_ptr<Client>> Connect(ClientOptions options = {}) const;

  // Kills the master and starts another at the same address, which has said nothing yet.
  Status ReplaceMaster();

 private:
  explicit Pool(PoolOptions options) : options_(std::move(options)) {}
  Status StartMaster(const std::string& port);

  const PoolOptions options_;
  std::string address_;
  std::unique_ptr<demo::Child> master_;
  std::unique_ptr<demo::Child> node_;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_POOL_H_
