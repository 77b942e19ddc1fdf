#ifndef KVSTORE_SRC_TRANSFER_RDMA_LANE_CLOSER_H_
#define KVSTORE_SRC_TRANSFER_RDMA_LANE_CLOSER_H_

#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "kvstore/clock.h"
#include "thread_annotations.h"
#include "transfer/lane.h"
#include "transfer/rdma/queue_pair.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/staging.h"

namespace kvstore::transfer {

// What a lane leaves behind: its queue pairs, and what these may touch until they are closed.
struct LaneRemains {
  std::unique_ptr<CompletionQueue> completions;  // outlives the pairs
  std::vector<std::unique_ptr<QueuePair>> pairs;
  std::unique_ptr<StagingBuffer> staging;
  std::vector<RdmaRegions::Use> held;
};

// Closes what lanes over one device leave behind, in a thread of its own: nobody else waits for a
// device that takes long, and one that refuses is asked again until it obeys or is gone. What may
// be touched still is kept meanwhile. Thread-safe.
class LaneCloser {
 public:
  // `staging` outlives it, and gets its buffers back. Throws std::system_error where the machine
  // has no thread left: later, when a lane is to be closed, nobody could do without it.
  explicit LaneCloser(StagingPool& staging);
  // Tries a little longer, but waits for no device that doesn't come back from what it was told.
  // What isn't closed then is kept for as long as the process lives.
  ~LaneCloser();

  void Take(LaneRemains remains);
  // Waits for it, too, though that patience ends, which is asked all the same for what hangs on it.
  // True: nothing of it is touched any more.
  bool TakeAndWait(LaneRemains remains, TimePoint until, Patience& patience);

 private:
  struct Task {
    LaneRemains remains;
    bool closed = false;  // guarded by the mutex
  };
  using TaskPtr = std::shared_ptr<Task>;
  // With the thread, which may outlive the closer, in a device.
  struct Shared {
    explicit Shared(StagingPool& pool) : staging(pool) {}
    StagingPool& staging;  // not touched once it is abandoned
    Mutex mu;
    CondVar changed;
    std::list<TaskPtr> tasks GUARDED_BY(mu);  // that the thread hasn't seen
    bool ending GUARDED_BY(mu) = false;
    bool over GUARDED_BY(mu) = false;       // the thread is done
    bool abandoned GUARDED_BY(mu) = false;  // the closer has gone without it
  };

  TaskPtr Enqueue(LaneRemains remains);
  static void Work(Shared* shared) EXCLUDES(shared->mu);
  // Waits for something to do, for a step if some is there that was tried. True: it is the end.
  static bool AwaitWork(Shared* shared, std::list<TaskPtr>* open) EXCLUDES(shared->mu);
  // Closes what the device lets it; true: all of it.
  static bool ClosePairs(LaneRemains* remains);
  // What nothing touches any more.
  static void Release(Task* task, Shared* shared) REQUIRES(shared->mu);

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;  // joined by the destructor, or abandoned
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_LANE_CLOSER_H_
