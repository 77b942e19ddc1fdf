#ifndef KVSTORE_SRC_MASTER_STREAM_TABLE_H_
#define KVSTORE_SRC_MASTER_STREAM_TABLE_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "thread_annotations.h"

namespace kvstore::master {

// One stream of a client, as far as its end is concerned. Thread-safe.
class Endable {
 public:
  virtual ~Endable() = default;
  // The client is told `why` (an OK status: a clean end) as soon as gRPC can; nothing is sent or
  // received after it. Later calls do nothing.
  virtual void End(const Status& why) = 0;
  // The same once what waits for being sent has been.
  virtual void EndWhenSent(const Status& why) { End(why); }
  // Whether the client has said who it is.
  virtual bool greeted() const = 0;
};

// All streams that are open, so that silent ones are ended in time and all of them at shutdown.
// Thread-safe.
class StreamTable {
 public:
  struct Bounds {
    size_t streams = 32'768;
    Duration hello_within = std::chrono::seconds(5);
  };

  explicit StreamTable(const Bounds& bounds) : bounds_(bounds) {}

  // resource_exhausted: there are too many; unavailable: the table is closed. The table shares the
  // stream until Remove.
  Status Add(TimePoint now, const std::shared_ptr<Endable>& stream) EXCLUDES(mu_);
  void Remove(const Endable* stream) EXCLUDES(mu_);
  size_t size() const EXCLUDES(mu_);

  // Ends the streams that have not said hello in time. O(those that are due).
  void EndSilent(TimePoint now) EXCLUDES(mu_);
  // Ends all once they have sent what they had to, at `sent_by` at the latest, and refuses further
  // ones with the same status. Afterwards none begins anything any more: gRPC takes nothing once
  // its queue is being shut down.
  void Close(const Status& why, TimePoint sent_by) EXCLUDES(mu_);

 private:
  std::vector<std::shared_ptr<Endable>> All() const EXCLUDES(mu_);

  const Bounds bounds_;
  mutable Mutex mu_;
  CondVar emptied_;
  std::unordered_map<const Endable*, std::shared_ptr<Endable>> streams_ GUARDED_BY(mu_);
  // In the order of their deadlines, since all have the same time.
  std::deque<std::pair<TimePoint, std::weak_ptr<Endable>>> hellos_due_ GUARDED_BY(mu_);
  Status closed_ GUARDED_BY(mu_);
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_STREAM_TABLE_H_
