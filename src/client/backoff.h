#ifndef KVSTORE_SRC_CLIENT_BACKOFF_H_
#define KVSTORE_SRC_CLIENT_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <random>

#include "kvstore/clock.h"

namespace kvstore::client {

// Pauses between tries to reach the master. Each is drawn from half to the whole of a span that
// doubles up to the longest, so that the nodes of a pool that lost its master don't come back in
// step. Thread-compatible.
class Backoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(50);
  static constexpr Duration kLongest = std::chrono::seconds(2);

  Duration Next() {
    const Duration::rep whole = span_.count();
    span_ = std::min(span_ * 2, kLongest);
    return Duration(std::uniform_int_distribution<Duration::rep>(whole / 2, whole)(random_));
  }

  // The master was reached: the next pause is a short one again.
  void Reset() { span_ = kFirst; }

 private:
  Duration span_ = kFirst;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_BACKOFF_H_
