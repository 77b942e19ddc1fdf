#ifndef KVSTORE_TOOLS_KVBENCH_CLIENT_WORKER_H_
#define KVSTORE_TOOLS_KVBENCH_CLIENT_WORKER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/demo/child.h"

namespace kvstore::bench {

// What each of several client processes does, call after call.
struct ClientWork {
  std::string master;
  bool puts = false;     // new objects, one a call; else it gets those of its own
  uint64_t size = 0;     // bytes, of each object
  uint64_t objects = 0;  // its own; put before it is ready, or at most between two removals
  uint64_t who = 0;
};

// Several such processes, which work when told to. Confined to one thread.
class ClientWorkers {
 public:
  static Result<std::unique_ptr<ClientWorkers>> Start(const std::string& programs, ClientWork work,
                                                      size_t most);
  // Gives them time to remove what they have put.
  ~ClientWorkers();

  // The first `count` of them at the same time: calls per second, in all.
  Result<double> Work(size_t count, Duration time);

 private:
  std::vector<std::unique_ptr<demo::Child>> workers_;
};

// One such process: says when it is ready; works for so many microseconds as each line of its
// standard input has, and says how many calls it has done; ends with its standard input.
int WorkAsClient(const ClientWork& work);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_CLIENT_WORKER_H_
