#ifndef KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_
#define KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

  // First looks come before others: peers that have failed before may well do so again.
  enum class Haste : uint8_t { kFirstLook, kAnotherLook };
  // Begins a look, unless one is under way.
  void Send(const Target& target, Haste haste) EXCLUDES(mu_);
  // Waits for the look at that peer, until then; what came of it. `patience`: from when the look
  // was asked for no longer than that, and than half of the time that there was, so that who waits
  // for several looks one by one doesn't wait so long for each. unavailable: it isn't over. OK at
  // once where none is under way.
  Status Await(PeerId peer, std::optional<Duration> patience, TimePoint until) EXCLUDES(mu_);
  // Whether looks wait for a thread.
  bool others_wait() const { return others_wait_; }
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
  std::deque<std::shared_ptr<Task>> first_ GUARDED_BY(mu_);  // of these, for a thread; first looks
  std::deque<std::shared_ptr<Task>> another_ GUARDED_BY(mu_);  // likewise; others
  std::atomic<bool> others_wait_ = false;                      // in these
  std::vector<std::thread> threads_;                           // until End
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_SCOUT_H_
