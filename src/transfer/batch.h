#ifndef KVSTORE_SRC_TRANSFER_BATCH_H_
#define KVSTORE_SRC_TRANSFER_BATCH_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kvstore/transfer.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

// What the copies of one engine came to, by way. Thread-safe.
class WayTotals {
 public:
  void Count(const Completion& completion, Access access, uint64_t size);
  void CountTime(Way way, Duration time);
  void CountMapping(Way way);
  WayCounters Get(Way way) const;

 private:
  struct Totals {
    std::atomic<uint64_t> done = 0, failed = 0, in_doubt = 0, read = 0, written = 0;
    std::atomic<uint64_t> mappings = 0;
    std::atomic<Duration::rep> time = 0;
  };
  std::array<Totals, kWayCount> totals_;
};

// One batch as the ways see it: the copies, and the place where each leaves its completion.
// Thread-safe; shared by the submitter's Batch and the ways that still carry a part of it.
class BatchState {
 public:
  BatchState(std::span<const Copy> copies, const CopyLimits& limits,
             std::shared_ptr<WayTotals> totals);

  size_t size() const { return copies_.size(); }
  const Copy& copy(size_t index) const { return copies_[index]; }
  // The sum of its pieces' sizes; kept by SetSize before any way sees the batch.
  uint64_t size_of(size_t index) const { return sizes_[index]; }
  void SetSize(size_t index, uint64_t size) { sizes_[index] = size; }

  TimePoint submitted() const { return submitted_; }
  Duration stall() const { return limits_.stall; }
  TimePoint deadline() const { return limits_.deadline; }
  // By when a peer is to have been reached: the deadline, or earlier.
  TimePoint reach_by() const;
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  // OK while the batch should go on; else cancelled or deadline_exceeded.
  Status Ended() const;

  void NoteMoved(uint64_t bytes) { moved_.fetch_add(bytes, std::memory_order_relaxed); }
  uint64_t moved() const { return moved_.load(std::memory_order_relaxed); }

  // Ends a copy: exactly once for each, when it touches memory no more.
  void Finish(size_t index, Outcome outcome, Status status, Way way);

  bool Wait(TimePoint until);
  void WaitForAll();
  const std::vector<Completion>& completions() const NO_THREAD_SAFETY_ANALYSIS {
    return completions_;  // unchanging once all are final, which the caller has waited for
  }
  // Likewise, once.
  std::vector<Completion> TakeCompletions() NO_THREAD_SAFETY_ANALYSIS {
    return std::move(completions_);
  }

 private:
  const std::vector<Copy> copies_;
  const CopyLimits limits_;
  const TimePoint submitted_ = BootClock::now();
  const std::shared_ptr<WayTotals> totals_;
  std::vector<uint64_t> sizes_;  // unchanging after validation
  std::atomic<bool> cancelled_ = false;
  std::atomic<uint64_t> moved_ = 0;

  Mutex mu_;
  CondVar all_final_;
  size_t unfinished_ GUARDED_BY(mu_);
  std::array<bool, kWayCount> ways_ GUARDED_BY(mu_){};  // that carried some of it
  std::vector<Completion> completions_ GUARDED_BY(mu_);
};

// What Submit returns. Thread-safe; in a forked child its destructor does nothing.
class SubmittedBatch final : public Batch {
 public:
  explicit SubmittedBatch(std::shared_ptr<BatchState> state);
  ~SubmittedBatch() override;

  bool Wait(TimePoint until) override { return state_->Wait(until); }
  void Cancel() override { state_->Cancel(); }
  uint64_t moved() const override { return state_->moved(); }
  const std::vector<Completion>& completions() const override { return state_->completions(); }

 private:
  const std::shared_ptr<BatchState> state_;
  const pid_t creator_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_BATCH_H_
