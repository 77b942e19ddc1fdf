#ifndef KVSTORE_SRC_MASTER_NODE_LOG_H_
#define KVSTORE_SRC_MASTER_NODE_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Tells operators what becomes of the members: a warning where lent memory is in doubt or lost,
// else a line at info. That a client which lends nothing has left is only for -v=1: such come and
// go with every command. At most 50 lines a second; how many more there were is said afterwards.
// Thread-safe.
class NodeLog {
 public:
  struct Line {
    bool warning = false;
    std::string text;
  };

  // Call it also now and then without events: what was left out is told by a later call.
  void Write(TimePoint now, const std::vector<NodeEvent>& events) EXCLUDES(mu_);
  // What Write would write, at info or above.
  std::vector<Line> Compose(TimePoint now, const std::vector<NodeEvent>& events) EXCLUDES(mu_);

 private:
  Mutex mu_;
  TimePoint second_ GUARDED_BY(mu_){};    // began then
  uint64_t written_ GUARDED_BY(mu_) = 0;  // in it
  uint64_t left_out_ GUARDED_BY(mu_) = 0;
};

// "node 'a' (00..01) is gone: silent for 16.5 s; 3 objects, 8.0 MiB, are lost with it".
std::string Describe(const NodeEvent& event);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_NODE_LOG_H_
