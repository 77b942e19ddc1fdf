#ifndef KVSTORE_SRC_CLIENT_GATHERED_H_
#define KVSTORE_SRC_CLIENT_GATHERED_H_

#include <cstddef>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "thread_annotations.h"

namespace kvstore::client {

// What the master is to be told of and need not be at once, each item once, until somebody takes it
// along. Bounded: what finds no room is left out. Thread-safe.
template <typename Item>
class Gathered {
 public:
  static constexpr size_t kMostKept = 65'536;

  void Add(const Item& item) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (items_.size() == kMostKept) return;
    const bool is_new = items_.insert(item).second;
    if (is_new && items_.size() == 1) changed_.NotifyAll();
  }

  // All that is there, perhaps nothing.
  std::vector<Item> Take() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    std::vector<Item> taken(items_.begin(), items_.end());
    items_.clear();
    return taken;
  }

  // For the one who takes them. Waits until there is something, or Close: then false.
  bool AwaitSome() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!closed_ && items_.empty()) changed_.Wait(mu_);
    return !closed_;
  }
  // Lets them gather until then; false: closed.
  bool Gather(TimePoint until) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!closed_ && BootClock::now() < until) changed_.WaitUntil(mu_, until);
    return !closed_;
  }
  void Close() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    closed_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mu_;
  CondVar changed_;  // nothing became something, or closed
  std::unordered_set<Item> items_ GUARDED_BY(mu_);
  bool closed_ GUARDED_BY(mu_) = false;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_GATHERED_H_
