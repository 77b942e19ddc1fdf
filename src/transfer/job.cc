#include "transfer/job.h"

#include <algorithm>
#include <utility>

namespace kvstore::transfer {

Job::Job(Parcel parcel, Way way, uint64_t slice_bytes)
    : batch_(std::move(parcel.batch)),
      copies_(std::move(parcel.copies)),
      way_(way),
      slice_bytes_(slice_bytes),
      progress_(copies_.size()) {
  for (size_t i = 0; i < copies_.size(); ++i) {
    progress_[i].cursor = ScatterCursor(batch_->copy(copies_[i]).pieces);
    progress_[i].tell_cursor = progress_[i].cursor;
    total_bytes_ += batch_->size_of(copies_[i]);
    has_writes_ = has_writes_ || batch_->copy(copies_[i]).access == Access::kWrite;
  }
}

bool Job::AllHandedOut(size_t index) const {
  const Progress& progress = progress_[index];
  return progress.outcome != Outcome::kDone ||
         (progress.started && progress.handed_out == batch_->size_of(copies_[index]));
}

void Job::NoteFailure(Progress* progress, Outcome outcome, Status status) {
  // The first error counts, but a doubt outweighs every certainty.
  if (progress->outcome == Outcome::kDone ||
      (outcome == Outcome::kInDoubt && progress->outcome == Outcome::kFailed)) {
    progress->outcome = outcome;
    progress->status = std::move(status);
  }
}

bool Job::HasJustEnded(size_t index) {
  Progress& progress = progress_[index];
  if (progress.finished || progress.outstanding > 0 || !AllHandedOut(index)) return false;
  progress.finished = true;
  return true;
}

void Job::CheckFinished(size_t index, std::vector<size_t>* ended) {
  if (HasJustEnded(index)) ended->push_back(index);
}

void Job::Report(const std::vector<size_t>& ended) {
  for (const size_t index : ended) {
    Outcome outcome;
    Status status;
    {
      MutexLock lock(mu_);
      outcome = progress_[index].outcome;
      status = std::move(progress_[index].status);
    }
    batch_->Finish(copies_[index], outcome, std::move(status), way_);
  }
}

std::optional<Slice> Job::TakeRetry(std::vector<size_t>* ended) {
  while (!retries_.empty()) {
    const Slice slice = retries_.front();
    retries_.pop_front();
    Progress& progress = progress_[slice.copy];
    if (progress.outcome == Outcome::kDone) return slice;
    --progress.outstanding;
    CheckFinished(slice.copy, ended);
  }
  return std::nullopt;
}

std::optional<Slice> Job::TakeFresh(std::vector<size_t>* ended) {
  for (; current_ < progress_.size(); ++current_) {
    if (AllHandedOut(current_)) {
      CheckFinished(current_, ended);
      continue;
    }
    Progress& progress = progress_[current_];
    const uint64_t left = batch_->size_of(copies_[current_]) - progress.handed_out;
    const Slice slice{.copy = current_,
                      .offset = progress.handed_out,
                      .length = std::min(left, slice_bytes_),
                      .cursor = progress.cursor};
    progress.cursor.Advance(slice.length);
    progress.handed_out += slice.length;
    progress.started = true;
    ++progress.outstanding;
    return slice;
  }
  return std::nullopt;
}

std::optional<Slice> Job::Next() {
  std::vector<size_t> ended;
  std::optional<Slice> slice;
  {
    MutexLock lock(mu_);
    slice = TakeRetry(&ended);
    if (!slice) slice = TakeFresh(&ended);
  }
  Report(ended);
  return slice;
}

bool Job::HasWork() {
  MutexLock lock(mu_);
  return !retries_.empty() || current_ < progress_.size();
}

void Job::Retry(const Slice& slice) {
  MutexLock lock(mu_);
  retries_.push_back(slice);
}

// Told in order: what had passed behind these bytes is told with them. The slice is outstanding, so
// that the copy is not final before this returns.
void Job::NotePassed(const Slice& slice, uint64_t bytes) {
  const Copy& copy = this->copy(slice);
  if (copy.tap == nullptr) return;
  const uint64_t size = batch_->size_of(copies_[slice.copy]);
  ScatterCursor cursor;
  for (uint64_t told = 0, next = 0;; told = next) {
    {
      MutexLock lock(mu_);
      Progress& progress = progress_[slice.copy];
      if (next == 0) {
        progress.passed.resize(size / slice_bytes_ + 1);
        uint64_t& passed = progress.passed[slice.offset / slice_bytes_];
        passed = std::max(passed, slice.offset % slice_bytes_ + bytes);
        if (std::exchange(progress.telling, true)) return;
        told = progress.told;
        cursor = progress.tell_cursor;
      }
      next = told - told % slice_bytes_ + progress.passed[told / slice_bytes_];
      if (next <= told) {
        progress.told = told;
        progress.tell_cursor = cursor;
        progress.telling = false;
        return;
      }
    }
    cursor.Tell(next - told, copy.tap);
    cursor.Advance(next - told);
  }
}

void Job::Finish(const Slice& slice, Outcome outcome, Status status) {
  if (outcome == Outcome::kDone && copy(slice).access == Access::kRead) {
    NotePassed(slice, slice.length);
  }
  {
    MutexLock lock(mu_);
    Progress& progress = progress_[slice.copy];
    --progress.outstanding;
    if (outcome != Outcome::kDone) NoteFailure(&progress, outcome, std::move(status));
    if (!HasJustEnded(slice.copy)) return;
    outcome = progress.outcome;
    status = std::move(progress.status);
  }
  batch_->Finish(copies_[slice.copy], outcome, std::move(status), way_);
}

void Job::FailRest(const Status& status) {
  std::vector<size_t> ended;
  {
    MutexLock lock(mu_);
    for (const Slice& slice : retries_) {
      --progress_[slice.copy].outstanding;
      NoteFailure(&progress_[slice.copy], Outcome::kFailed, status);
      CheckFinished(slice.copy, &ended);
    }
    retries_.clear();
    for (; current_ < progress_.size(); ++current_) {
      if (!AllHandedOut(current_)) {
        NoteFailure(&progress_[current_], Outcome::kFailed, status);
      }
      CheckFinished(current_, &ended);
    }
  }
  Report(ended);
}

}  // namespace kvstore::transfer
