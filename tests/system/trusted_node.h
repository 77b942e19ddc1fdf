#ifndef KVSTORE_TESTS_SYSTEM_TRUSTED_NODE_H_
#define KVSTORE_TESTS_SYSTEM_TRUSTED_NODE_H_

#include <chrono>
#include <thread>

#include "kvstore/clock.h"
#include "kvstore/status.h"

namespace kvstore::cluster {

// What `put` says at last, after `timeout` at the latest. A node that was held up for a moment is
// suspected, and gets no objects: that passes.
template <typename Put>
Status OnceANodeIsTrusted(Duration timeout, const Put& put) {
  const TimePoint until = BootClock::now() + timeout;
  Status status = put();
  while (status.code() == StatusCode::kResourceExhausted && BootClock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = put();
  }
  return status;
}

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_TRUSTED_NODE_H_
