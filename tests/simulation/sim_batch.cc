#include "simulation/sim_batch.h"

#include <algorithm>
#include <cstring>

namespace kvstore::simulation {

using transfer::Access;
using transfer::Outcome;

BatchState::BatchState(Fabric* fabric, Process* process, std::span<const transfer::Copy> copies)
    : fabric_(fabric),
      process_(process),
      completions_(copies.size()),
      unfinished_(copies.size()),
      heard_at_(fabric->scheduler()->now()) {
  progress_.reserve(copies.size());
  for (const transfer::Copy& copy : copies) {
    Progress& progress = progress_.emplace_back();
    progress.access = copy.access;
    progress.pieces.assign(copy.pieces.begin(), copy.pieces.end());
    progress.tap = copy.tap;
  }
}

void BatchState::Answered(size_t copy, const Frame& frame, const Status& verdict) {
  Progress& progress = progress_[copy];
  if (progress.is_final) return;
  --progress.unanswered;
  heard_at_ = fabric_->scheduler()->now();
  if (!verdict.ok() && progress.refusal.ok()) progress.refusal = verdict;
  if (verdict.ok() && progress.access == Access::kRead) {
    Scatter(copy, frame.from, frame.bytes);
    moved_ += frame.bytes.size();
  }
  if (progress.unanswered > 0) return;
  TellTap(progress);
  Finish(copy, progress.refusal.ok() ? Outcome::kDone : Outcome::kFailed, progress.refusal);
}

void BatchState::Lost(size_t copy, const Status& why) {
  Progress& progress = progress_[copy];
  if (progress.is_final) return;
  if (progress.call_off) {
    progress.call_off();
    Finish(copy, Outcome::kFailed, why);
    return;
  }
  const bool may_land = progress.access == Access::kWrite && progress.unanswered > 0;
  Finish(copy, may_land ? Outcome::kInDoubt : Outcome::kFailed, why);
}

void BatchState::LoseAll(const Status& why) {
  for (size_t i = 0; i < progress_.size(); ++i) Lost(i, why);
}

void BatchState::LoseWaiting(const Status& why) {
  for (size_t i = 0; i < progress_.size(); ++i) {
    if (!progress_[i].call_off) Lost(i, why);
  }
}

std::optional<Instant> BatchState::WaitsSince() const {
  const bool waits = std::any_of(progress_.begin(), progress_.end(),
                                 [](const Progress& p) { return !p.is_final && !p.call_off; });
  return waits ? std::optional(heard_at_) : std::nullopt;
}

void BatchState::Finish(size_t copy, Outcome outcome, Status status) {
  Progress& progress = progress_[copy];
  if (progress.is_final) return;
  if (outcome == Outcome::kInDoubt) fabric_->counts->Add(Event::kInDoubt);
  completions_[copy] = {outcome, std::move(status), progress.way};
  progress.is_final = true;
  --unfinished_;
  if (unfinished_ == 0 && waiter_.has_value()) {
    fabric_->scheduler()->Wake(*waiter_, Duration(0));
    waiter_.reset();
  }
}

bool BatchState::Wait(TimePoint until) {
  while (unfinished_ > 0 && process_->Now() < until && !process_->dead()) {
    waiter_ = fabric_->scheduler()->NextWait();
    fabric_->scheduler()->WaitUntil(process_->WhenShown(until));
    waiter_.reset();
  }
  if (process_->dead()) LoseAll(CancelledError("the process has ended"));
  return unfinished_ == 0;
}

std::vector<std::byte> BatchState::Gather(size_t copy, uint64_t from, uint64_t n) const {
  std::vector<std::byte> bytes;
  bytes.reserve(n);
  for (const transfer::Piece& piece : progress_[copy].pieces) {
    if (bytes.size() == n) break;
    if (from >= piece.size) {
      from -= piece.size;
      continue;
    }
    const uint64_t take = std::min<uint64_t>(piece.size - from, n - bytes.size());
    const auto* data = static_cast<const std::byte*>(piece.data) + from;
    bytes.insert(bytes.end(), data, data + take);
    from = 0;
  }
  return bytes;
}

void BatchState::Scatter(size_t copy, uint64_t from, std::vector<std::byte> bytes) {
  const Progress& progress = progress_[copy];
  Random& random = fabric_->random();
  if (!bytes.empty() && progress.way == transfer::Way::kTcp && random.Chance(fabric_->flips)) {
    fabric_->counts->Add(Event::kFlips);
    bytes[random.Below(bytes.size())] ^= static_cast<std::byte>(1u << random.Below(8));
  }
  uint64_t done = 0;
  for (const transfer::Piece& piece : progress.pieces) {
    if (from >= piece.size) {
      from -= piece.size;
      continue;
    }
    const uint64_t n = std::min<uint64_t>(piece.size - from, bytes.size() - done);
    if (n > 0) std::memcpy(static_cast<std::byte*>(piece.data) + from, bytes.data() + done, n);
    done += n;
    from = 0;
  }
}

// Some hear all bytes, some not those of the last piece; and some, of a copy that has failed, what
// means nothing.
void BatchState::TellTap(const Progress& progress) const {
  if (progress.tap == nullptr) return;
  const bool to_the_end = progress.pieces.size() % 3 != 2;
  for (size_t i = 0; i < progress.pieces.size(); ++i) {
    if (!to_the_end && i + 1 == progress.pieces.size()) return;
    const transfer::Piece& piece = progress.pieces[i];
    progress.tap->Take({static_cast<const std::byte*>(piece.data), piece.size});
  }
}

}  // namespace kvstore::simulation
