#ifndef KVSTORE_SRC_MASTER_GATHERER_H_
#define KVSTORE_SRC_MASTER_GATHERER_H_

#include <memory>
#include <thread>
#include <vector>

#include "kvstore/clock.h"
#include "master/order_queue.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Sends orders that can wait, some time after the first of them, so that a holder of many small
// puts is told of dozens with one message and confirms them with one. Who sends others to the same
// session meanwhile takes them along. Thread-safe.
class Gatherer {
 public:
  // For so long; zero: nothing waits.
  explicit Gatherer(Duration time);
  // What waits then is not sent: see SendAll.
  ~Gatherer();
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  // Something waits there.
  void Add(std::shared_ptr<OrderQueue> queue) EXCLUDES(mu_);
  // What waits is sent now, and nothing waits from now on.
  void SendAll() EXCLUDES(mu_);

 private:
  void Run() EXCLUDES(mu_);
  // False: it is to be sent at once.
  bool Keep(const std::shared_ptr<OrderQueue>& queue) EXCLUDES(mu_);

  const Duration time_;
  Mutex mu_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mu_) = false;
  bool at_once_ GUARDED_BY(mu_);
  std::vector<std::shared_ptr<OrderQueue>> queues_ GUARDED_BY(mu_);  // each once
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_GATHERER_H_
