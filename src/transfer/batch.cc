#include "transfer/batch.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace kvstore::transfer {

std::string_view WayName(Way way) {
  switch (way) {
    case Way::kAutomatic:
      return "automatic";
    case Way::kLocal:
      return "local";
    case Way::kShm:
      return "shm";
    case Way::kTcp:
      return "tcp";
    case Way::kRdma:
      return "rdma";
  }
  return "unknown";
}

Status FirstError(std::span<const Completion> completions) {
  for (const Completion& completion : completions) {
    if (completion.outcome != Outcome::kDone) return completion.status;
  }
  return Status::Ok();
}

void WayTotals::Count(const Completion& completion, Access access, uint64_t size) {
  Totals& totals = totals_[static_cast<size_t>(completion.way)];
  if (completion.outcome == Outcome::kDone) {
    totals.done.fetch_add(1, std::memory_order_relaxed);
    auto& bytes = access == Access::kRead ? totals.read : totals.written;
    bytes.fetch_add(size, std::memory_order_relaxed);
    return;
  }
  totals.failed.fetch_add(1, std::memory_order_relaxed);
  if (completion.outcome == Outcome::kInDoubt) {
    totals.in_doubt.fetch_add(1, std::memory_order_relaxed);
  }
}

void WayTotals::CountTime(Way way, Duration time) {
  totals_[static_cast<size_t>(way)].time.fetch_add(time.count(), std::memory_order_relaxed);
}

void WayTotals::CountMapping(Way way) {
  totals_[static_cast<size_t>(way)].mappings.fetch_add(1, std::memory_order_relaxed);
}

WayCounters WayTotals::Get(Way way) const {
  const auto index = static_cast<size_t>(way);
  if (index >= kWayCount) return {};
  const Totals& totals = totals_[index];
  return {.copies_done = totals.done.load(std::memory_order_relaxed),
          .copies_failed = totals.failed.load(std::memory_order_relaxed),
          .copies_in_doubt = totals.in_doubt.load(std::memory_order_relaxed),
          .bytes_read = totals.read.load(std::memory_order_relaxed),
          .bytes_written = totals.written.load(std::memory_order_relaxed),
          .time = Duration(totals.time.load(std::memory_order_relaxed)),
          .mappings = totals.mappings.load(std::memory_order_relaxed)};
}

BatchState::BatchState(std::span<const Copy> copies, const CopyLimits& limits,
                       std::shared_ptr<WayTotals> totals)
    : copies_(copies.begin(), copies.end()),
      limits_(limits),
      totals_(std::move(totals)),
      sizes_(copies.size(), 0),
      unfinished_(copies.size()),
      completions_(copies.size()) {}

TimePoint BatchState::reach_by() const {
  if (limits_.stall == Duration::max()) return limits_.deadline;
  return std::min(limits_.deadline, submitted_ + limits_.stall);
}

Status BatchState::Ended() const {
  if (cancelled_.load(std::memory_order_relaxed)) return CancelledError("the batch was cancelled");
  if (BootClock::now() >= limits_.deadline) {
    return DeadlineExceededError("the batch's deadline passed before the copy ended");
  }
  return Status::Ok();
}

void BatchState::Finish(size_t index, Outcome outcome, Status status, Way way) {
  Completion completion{.outcome = outcome, .status = std::move(status), .way = way};
  totals_->Count(completion, copies_[index].access, sizes_[index]);
  MutexLock lock(mu_);
  completions_[index] = std::move(completion);
  ways_[static_cast<size_t>(way)] = true;
  if (--unfinished_ > 0) return;
  const Duration time = BootClock::now() - submitted_;
  for (size_t i = 0; i < kWayCount; ++i) {
    if (ways_[i]) totals_->CountTime(static_cast<Way>(i), time);
  }
  all_final_.NotifyAll();
}

bool BatchState::Wait(TimePoint until) {
  MutexLock lock(mu_);
  while (unfinished_ > 0) {
    if (BootClock::now() >= until) return false;
    all_final_.WaitUntil(mu_, until);
  }
  return true;
}

void BatchState::WaitForAll() {
  MutexLock lock(mu_);
  while (unfinished_ > 0) all_final_.Wait(mu_);
}

SubmittedBatch::SubmittedBatch(std::shared_ptr<BatchState> state)
    : state_(std::move(state)), creator_(getpid()) {}

SubmittedBatch::~SubmittedBatch() {
  if (getpid() != creator_) return;  // no thread of this process will ever end these copies
  state_->Cancel();
  state_->WaitForAll();
}

}  // namespace kvstore::transfer
