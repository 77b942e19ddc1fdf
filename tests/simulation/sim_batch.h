#ifndef KVSTORE_TESTS_SIMULATION_SIM_BATCH_H_
#define KVSTORE_TESTS_SIMULATION_SIM_BATCH_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kvstore/transfer.h"
#include "simulation/fabric.h"
#include "simulation/frame.h"

namespace kvstore::simulation {

class BatchState;

// A frame under way, and whose copy it is a part of.
struct Request {
  std::shared_ptr<BatchState> batch;
  size_t copy = 0;
  Frame frame;
  std::unique_ptr<Serving> serving;  // at the holder, while it is carried out
};

// How far the copies of one batch are. Frames that outlive the batch hold it, and change nothing.
class BatchState {
 public:
  BatchState(Fabric* fabric, Process* process, std::span<const transfer::Copy> copies);

  // A frame of the copy has been handed to its path.
  void Sent(size_t copy) { ++progress_[copy].unanswered; }
  // The copy is carried out by this process itself, and can be called off: then it touches nothing
  // any more.
  void RunsHere(size_t copy, transfer::Way way, std::function<void()> call_off) {
    progress_[copy].way = way;
    progress_[copy].call_off = std::move(call_off);
  }
  // Which way the copy goes, unless it is carried out by the process itself.
  void Goes(size_t copy, transfer::Way way) { progress_[copy].way = way; }
  bool IsFinal(size_t copy) const { return progress_[copy].is_final; }
  // The holder has answered for one frame.
  void Answered(size_t copy, const Frame& frame, const Status& verdict);
  // No frame of the copy will be answered any more: it ends as failed, or in doubt.
  void Lost(size_t copy, const Status& why);
  void LoseAll(const Status& why);
  // Those alone that depend on a holder.
  void LoseWaiting(const Status& why);
  // No holder has answered any of it since then, and some of it waits for one; none: nothing does.
  std::optional<Instant> WaitsSince() const;
  void Finish(size_t copy, transfer::Outcome outcome, Status status);

  // The local bytes [from, from + n) of a copy, gathered from its pieces.
  std::vector<std::byte> Gather(size_t copy, uint64_t from, uint64_t n) const;

  // See transfer::Batch.
  bool Wait(TimePoint until);
  const std::vector<transfer::Completion>& completions() const { return completions_; }
  uint64_t moved() const { return moved_; }

 private:
  struct Progress {
    transfer::Access access = transfer::Access::kRead;
    std::vector<transfer::Piece> pieces;
    transfer::Tap* tap = nullptr;
    size_t unanswered = 0;
    Status refusal;  // of its first refused frame
    transfer::Way way = transfer::Way::kTcp;
    std::function<void()> call_off;  // unless it depends on the holder
    bool is_final = false;
  };

  // Bytes that came over the network may have been changed on the way.
  void Scatter(size_t copy, uint64_t from, std::vector<std::byte> bytes);
  // Before anybody can see that the copy is final.
  void TellTap(const Progress& progress) const;

  Fabric* const fabric_;
  Process* const process_;
  std::vector<Progress> progress_;
  std::vector<transfer::Completion> completions_;
  size_t unfinished_;
  std::optional<Scheduler::Waiter> waiter_;
  Instant heard_at_;
  uint64_t moved_ = 0;  // bytes
};

// What Submit hands out. Its destruction makes all copies final.
class SimBatch final : public transfer::Batch {
 public:
  explicit SimBatch(std::shared_ptr<BatchState> state) : state_(std::move(state)) {}
  ~SimBatch() override { Cancel(); }

  bool Wait(TimePoint until) override { return state_->Wait(until); }
  void Cancel() override { state_->LoseAll(CancelledError("the batch was cancelled")); }
  uint64_t moved() const override { return state_->moved(); }
  const std::vector<transfer::Completion>& completions() const override {
    return state_->completions();
  }

 private:
  const std::shared_ptr<BatchState> state_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_BATCH_H_
