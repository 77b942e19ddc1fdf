#ifndef KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_
#define KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "thread_annotations.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// Finds out whether a peer can be reached, in threads of its own: who has copies to carry need not
// wait until a device gives up. At most one look at a peer at a time. Thread-safe.
class Scout {
 public:
  // Returns within a bounded time, and soon once the target is closed or the scout ends.
  using Look = std::function<Status(const Target& target)>;

  // Throws std::system_error where the machine has no thread left: later, who sends it could do
  // nothing about that.
  explicit Scout(Look look);
  ~Scout();

  // Begins a look, unless one is under way.
  void Send(const Target& target) EXCLUDES(mu_);
  // Waits for the look at that peer, until then and no longer than `patience` from its beginning;
  // what came of it. unavailable: it isn't over. OK at once where none is under way.
  Status Await(PeerId peer, Duration patience, TimePoint until) EXCLUDES(mu_);
  // Comes before what `look` needs ends; from one thread.
  void End() EXCLUDES(mu_);
  bool ending() const { return ending_; }

 private:
  struct Task {
    Target target;
    TimePoint began;
    bool over = false;  // guarded by mu_, as is the result
    Status result;
  };

  void Work() EXCLUDES(mu_);

  const Look look_;
  std::atomic<bool> ending_ = false;
  Mutex mu_;
  CondVar changed_;
  std::map<PeerId, std::shared_ptr<Task>> tasks_ GUARDED_BY(mu_);  // under way
  std::deque<std::shared_ptr<Task>> waiting_ GUARDED_BY(mu_);      // of these, for a thread
  std::vector<std::thread> threads_;                               // until End
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_
