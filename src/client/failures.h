#ifndef KVSTORE_SRC_CLIENT_FAILURES_H_
#define KVSTORE_SRC_CLIENT_FAILURES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "client/gathered.h"
#include "kvstore/clock.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// Holders that could not be reached, or whose copies broke off: for a while they are read last, and
// the master is told of them. Time is passed in. Thread-safe.
class Failures {
 public:
  static constexpr Duration kReadLastFor = std::chrono::seconds(10);

  void Add(const SegmentId& segment, TimePoint now) EXCLUDES(mu_);
  // The places of the replicas in the order in which they are to be read; empty: as they are.
  std::vector<size_t> Order(std::span<const Replica> replicas, TimePoint now) const EXCLUDES(mu_);

  // For the one who tells the master.
  Gathered<SegmentId>& untold() { return untold_; }

 private:
  static constexpr size_t kMostKept = 8192;  // twice as many as a pool has members

  Gathered<SegmentId> untold_;
  std::atomic<bool> any_{false};  // so that who has met none pays nothing

  mutable Mutex mu_;
  std::unordered_map<Incarnation, TimePoint> until_ GUARDED_BY(mu_);
};

// Whether a holder that was silent for so long had time to answer. Who had less is not said to be
// out of reach.
bool WasFair(Duration silence);
// Whether that is how a copy ends whose holder can't be reached, or was silent for longer than the
// copy's limits allow. One that only ran out of time may have been moving bytes.
bool MetNobody(const transfer::Completion& completion);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_FAILURES_H_
