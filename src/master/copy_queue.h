#ifndef KVSTORE_SRC_MASTER_COPY_QUEUE_H_
#define KVSTORE_SRC_MASTER_COPY_QUEUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/object.h"
#include "proto/verbs.h"

namespace kvstore::master {

// A complete object that wants a replica elsewhere than it lies.
struct CopyWork {
  TimePoint due{};        // nothing is tried before
  uint32_t failures = 0;  // in a row
  bool lacking = false;   // it has fewer replicas than it wants
  uint64_t task = 0;      // the one that an operator has asked for; 0: none
  bool moved = false;     // what that moves is filled, and to be noted before the old one goes
};

// A replica that is being filled.
struct RunningCopy {
  HeldReplica* filled = nullptr;
  SegmentId to;  // where that lies
  Replica from;
  TimePoint started{};
  uint64_t task = 0;  // it is made for; 0: none
};

// Which objects want replicas elsewhere, in the order in which they are due, and which copies run:
// one per object at a time. Pure. O(log n) each. Thread-compatible.
class CopyQueue {
 public:
  bool empty() const { return works_.empty(); }
  CopyWork* Find(const PutId& put);
  const CopyWork* Find(const PutId& put) const;
  // The object's work, due now where it is new.
  CopyWork& Want(const PutId& put, TimePoint now);
  void SetLacking(CopyWork* work, bool lacking);
  // Not while its copy runs.
  void Postpone(const PutId& put, TimePoint due);
  // Its copy, if one runs, counts no more.
  void Forget(const PutId& put);
  // Of those whose copy doesn't run.
  std::optional<PutId> FirstDue(TimePoint now) const;

  // The object has work, and no copy runs.
  void Start(const PutId& put, RunningCopy copy);
  // Its copy runs no more; it is due again then.
  void End(const PutId& put, TimePoint due);
  const RunningCopy* Running(const PutId& put) const;
  const std::map<PutId, RunningCopy>& running() const { return running_; }
  // Copies that this node is read for, or fills.
  size_t RunningAt(const Incarnation& node) const;

  size_t size() const { return works_.size(); }
  size_t lacking() const { return lacking_; }

 private:
  void Count(const RunningCopy& copy, int by);

  std::unordered_map<PutId, CopyWork> works_;
  std::set<std::pair<TimePoint, PutId>> by_due_;  // works_ without those in running_
  std::map<PutId, RunningCopy> running_;
  std::map<Incarnation, int> running_at_;  // no zeros
  size_t lacking_ = 0;
};

// Bytes per second, spent in advance: while some are left something may begin, however large.
// Thread-compatible.
class ByteBudget {
 public:
  // Some are left. As many as come in a second are saved up at most.
  bool IsLeft(TimePoint now, uint64_t per_second);
  void Spend(uint64_t bytes) { left_ -= static_cast<double>(bytes); }

 private:
  double left_ = 0;
  TimePoint filled_{};
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_COPY_QUEUE_H_
