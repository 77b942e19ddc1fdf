#ifndef KVSTORE_SRC_MASTER_ORDER_QUEUE_H_
#define KVSTORE_SRC_MASTER_ORDER_QUEUE_H_

#include <deque>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "kvstore/status.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Where orders to a node go: its session stream.
class SessionPort {
 public:
  virtual ~SessionPort() = default;
  // May drop them: the catalog sends unanswered orders again. Never called by two threads at once.
  virtual void Send(Orders orders) = 0;
  virtual void EndSession(const Status& why) = 0;
};

// The orders to one session, in the order in which the catalog made them, whichever threads carry
// them out: a holder must not be told of a release after what was asked for since. Thread-safe.
class OrderQueue {
 public:
  explicit OrderQueue(std::shared_ptr<SessionPort> port) : port_(std::move(port)) {}

  const std::shared_ptr<SessionPort>& port() const { return port_; }

  // Only keeps them, so that it may be called with the catalog locked; that gives the order.
  void Add(Orders orders) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    waiting_.push_back({std::move(orders), false});
  }

  // As Add; they may become one message with others. False: so many wait already that they are to
  // be sent.
  bool AddToGathered(Orders orders) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (waiting_.empty() || !waiting_.back().gathers) {
      waiting_.push_back({std::move(orders), true});
      return true;
    }
    std::vector<Order>& gathered = waiting_.back().orders.orders;
    std::move(orders.orders.begin(), orders.orders.end(), std::back_inserter(gathered));
    return gathered.size() < kMostGathered;
  }

  // Sends what has been added. Where another thread is at it, that one sends it, and this returns
  // at once.
  void Send() EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      if (std::exchange(sending_, true)) return;
    }
    for (;;) {
      Orders next;
      {
        MutexLock lock(mu_);
        if (waiting_.empty()) {
          sending_ = false;
          return;
        }
        next = std::move(waiting_.front().orders);
        waiting_.pop_front();
      }
      port_->Send(std::move(next));
    }
  }

 private:
  const std::shared_ptr<SessionPort> port_;

  struct Waiting {
    Orders orders;
    bool gathers = false;  // more may be added to them
  };
  static constexpr size_t kMostGathered = 512;

  Mutex mu_;
  std::deque<Waiting> waiting_ GUARDED_BY(mu_);
  bool sending_ GUARDED_BY(mu_) = false;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ORDER_QUEUE_H_
