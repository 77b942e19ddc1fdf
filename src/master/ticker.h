#ifndef KVSTORE_SRC_MASTER_TICKER_H_
#define KVSTORE_SRC_MASTER_TICKER_H_

#include <functional>
#include <thread>

#include "kvstore/clock.h"
#include "thread_annotations.h"

namespace kvstore::master {

// The one background thread: calls `tick` every `interval` until it is destroyed, which waits for
// the last call. Thread-compatible.
class Ticker {
 public:
  Ticker(Duration interval, std::function<void()> tick);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  void Run() EXCLUDES(mu_);

  const Duration interval_;
  const std::function<void()> tick_;
  Mutex mu_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_TICKER_H_
