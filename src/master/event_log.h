#ifndef KVSTORE_SRC_MASTER_EVENT_LOG_H_
#define KVSTORE_SRC_MASTER_EVENT_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "master/event_line.h"
#include "master/line_limiter.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Tells operators what becomes of the members, and with `objects` of each object as well, a line
// each: `event=NAME term=N ...`, names as in event_names.h. A warning where lent memory is in doubt
// or lost, else at info. That a client which lends nothing has left is only for -v=1: such come and
// go with every command. At most 50 lines a second of each kind; how many more there were is said
// afterwards. Thread-safe.
class EventLog {
 public:
  struct Options {
    LogFormat format = LogFormat::kText;
    bool objects = false;  // keys stand in the log then
  };
  struct Line {
    bool warning = false;
    std::string text;
  };

  EventLog(uint64_t term, const Options& options);

  // Whether it wants to be told of objects.
  bool WantsObjects() const { return options_.objects; }

  // Call it also now and then without events: what was left out is told by a later call.
  void Write(TimePoint now, const std::vector<NodeEvent>& nodes,
             const std::vector<ObjectEvent>& objects) EXCLUDES(mu_);
  // What Write would write, at info or above.
  std::vector<Line> Compose(TimePoint now, const std::vector<NodeEvent>& nodes,
                            const std::vector<ObjectEvent>& objects) EXCLUDES(mu_);

 private:
  std::string TextOf(const NodeEvent& event) const;
  std::string TextOf(const ObjectEvent& event) const;

  const uint64_t term_;
  const Options options_;
  Mutex mu_;
  LineLimiter limiter_ GUARDED_BY(mu_);
};

// "node 'a' (00..01) is gone: silent for 16.5 s; 3 objects, 8.0 MiB, are lost with it".
std::string Describe(const NodeEvent& event);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_EVENT_LOG_H_
