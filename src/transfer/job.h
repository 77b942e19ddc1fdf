#ifndef KVSTORE_SRC_TRANSFER_JOB_H_
#define KVSTORE_SRC_TRANSFER_JOB_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/scatter.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// What goes in one frame. Small enough to spread over connections and to end early, large enough
// that headers cost nothing. No slice is larger.
inline constexpr uint64_t kSliceBytes = 1 << 20;

// A stretch of one copy. Value.
struct Slice {
  size_t copy = 0;       // position in the job
  uint64_t offset = 0;   // in the copy
  uint64_t length = 0;   // 0: it only asks whether the memory is what the copy takes it for
  ScatterCursor cursor;  // at its first byte
};

// Where what becomes of slices is told.
class SliceSink {
 public:
  // The slice touches memory no more (save in doubt, at the holder).
  virtual void Finish(const Slice& slice, Outcome outcome, Status status) = 0;

 protected:
  ~SliceSink() = default;
};

// The copies of a parcel as slices, which several connections may carry at once. Each slice that
// Next hands out comes back through Finish or Retry; a copy is finished in its batch when it has no
// slice left anywhere. Thread-safe.
class Job final : public SliceSink {
 public:
  // `way`: for copies that end before anything carries them. `slice_bytes`: of each but a copy's
  // last.
  Job(Parcel parcel, Way way, uint64_t slice_bytes = kSliceBytes);
  // What carries it from now on; completions tell the last.
  void SetWay(Way way) { way_ = way; }

  const Copy& copy(const Slice& slice) const { return batch_->copy(copies_[slice.copy]); }
  uint64_t total_bytes() const { return total_bytes_; }
  size_t copy_count() const { return copies_.size(); }
  // Whether something of it may land at the holder.
  bool HasWrites() const { return has_writes_; }

  // OK while the job should go on, for all that is known here.
  Status Ended() const { return batch_->Ended(); }
  // How long the peer may be silent from `begun` on: since then there is a way to it.
  Duration stall() const { return batch_->stall(); }
  TimePoint begun() const { return begun_; }
  TimePoint deadline() const { return batch_->deadline(); }
  void NoteMoved(uint64_t bytes) { batch_->NoteMoved(bytes); }

  // The next slice to carry; none when all have been handed out. Skips the rest of failed copies.
  std::optional<Slice> Next();
  // Whether Next may have something to hand out.
  bool HasWork();
  // Hands a slice out again later: it is as if it had never been sent.
  void Retry(const Slice& slice);
  // The first `bytes` of the slice are in place, or of a write have been sent: the tap may hear of
  // them. Of a read that is retried, what has been placed is then not to be read again.
  void NotePassed(const Slice& slice, uint64_t bytes) EXCLUDES(mu_);
  void Finish(const Slice& slice, Outcome outcome, Status status) override;
  // Counts connections that broke under this job; returns how many with this one.
  int NoteBroken() { return broken_.fetch_add(1) + 1; }
  // Fails all that isn't handed out.
  void FailRest(const Status& status);

 private:
  struct Progress {
    ScatterCursor cursor;
    uint64_t handed_out = 0;  // bytes
    bool started = false;     // an empty copy has been handed out
    size_t outstanding = 0;   // slices that are handed out, or wait to be retried
    // Of a copy with a tap.
    std::vector<uint64_t> passed;  // per slice: its bytes in place, or sent
    uint64_t told = 0;             // bytes
    ScatterCursor tell_cursor;     // at the first that isn't told; of the thread that tells
    bool telling = false;          // a thread is; it tells of what passes meanwhile, too
    Outcome outcome = Outcome::kDone;
    Status status;
    bool finished = false;
  };

  bool AllHandedOut(size_t index) const REQUIRES(mu_);
  void NoteFailure(Progress* progress, Outcome outcome, Status status) REQUIRES(mu_);
  // Whether the copy has just ended.
  bool HasJustEnded(size_t index) REQUIRES(mu_);
  void CheckFinished(size_t index, std::vector<size_t>* ended) REQUIRES(mu_);
  std::optional<Slice> TakeRetry(std::vector<size_t>* ended) REQUIRES(mu_);
  std::optional<Slice> TakeFresh(std::vector<size_t>* ended) REQUIRES(mu_);
  void Report(const std::vector<size_t>& ended) EXCLUDES(mu_);

  const std::shared_ptr<BatchState> batch_;
  const std::vector<size_t> copies_;  // indices in the batch
  const TimePoint begun_ = BootClock::now();
  std::atomic<Way> way_;
  const uint64_t slice_bytes_;
  uint64_t total_bytes_ = 0;  // unchanging after construction
  bool has_writes_ = false;   // so is this
  std::atomic<int> broken_ = 0;

  Mutex mu_;
  std::vector<Progress> progress_ GUARDED_BY(mu_);  // one per copy
  size_t current_ GUARDED_BY(mu_) = 0;              // the first copy not handed out whole
  std::list<Slice> retries_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_JOB_H_
