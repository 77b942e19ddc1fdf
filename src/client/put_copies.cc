#include "client/put_copies.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/failures.h"
#include "client/grant.h"
#include "client/put.h"

namespace kvstore::client {
namespace {

// A holder that gives no sign of life for so long, or for a third of the time that is left, is
// given up, so that there is time to write elsewhere.
constexpr Duration kPatience = std::chrono::seconds(2);

}  // namespace

// If the master knew that, there is nowhere else, and what went wrong there is the answer.
Status PutCopies::CheckReachable(const Status& before, Write* write) const {
  for (size_t i = 0; i < unreachable_.size(); ++i) {
    const auto& segments = write->segments;
    if (std::find(segments.begin(), segments.end(), unreachable_[i]) == segments.end()) continue;
    write->again = i >= complained_;
    return !before.ok() ? before : UnavailableError("not committed: a holder can't be reached");
  }
  return Status::Ok();
}

void PutCopies::Complain() {
  if (complained_ == unreachable_.size()) return;
  parts_.master.Complain(
      {{unreachable_.begin() + static_cast<ptrdiff_t>(complained_), unreachable_.end()}});
  complained_ = unreachable_.size();
}

Status PutCopies::Plan(const PutItem& item, std::span<const Replica> replicas, CopyPlan* plan,
                       Write* write) {
  KVSTORE_RETURN_IF_ERROR(CheckGrant(parts_.clock.Now(), write->grant_end, deadline_));
  const uint64_t size = SizeOf(item);
  if (size == 0) return Status::Ok();
  if (size >= RunningChecksum::kWorthwhile) write->checksum = std::make_unique<RunningChecksum>();
  transfer::Tap* tap = write->checksum.get();  // of the first replica's copies
  for (const Replica& replica : replicas) {
    KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId holder, peers_.Open(replica.segment.holder));
    KVSTORE_ASSIGN_OR_RETURN(
        const CopyPlan::Span span,
        plan->AddWrite(item.pieces, size, replica, holder, std::exchange(tap, nullptr)));
    write->copies.push_back(span);
  }
  return Status::Ok();
}

void PutCopies::Carry(const CopyPlan& plan, std::span<Write> writes) {
  if (plan.copies().empty()) return;
  TimePoint until = deadline_;
  for (const Write& write : writes) {
    if (write.fate == Write::Fate::kCommit) until = std::min(until, write.grant_end);
  }
  const Duration time = until - parts_.clock.Now();
  const Duration patience = std::min<Duration>(kPatience, time / 3);
  const std::vector<transfer::Completion> all = parts_.engine.Run(plan.copies(), {until, patience});
  for (Write& write : writes) Judge(all, WasFair(patience), until < deadline_, &write);
}

// What became of one item's copies. A holder that was silent for long enough can't be reached.
void PutCopies::Judge(std::span<const transfer::Completion> all, bool fair, bool grant_ended_first,
                      Write* write) {
  const PutGuards guards;
  for (size_t replica = 0; replica < write->copies.size(); ++replica) {
    const CopyPlan::Span& span = write->copies[replica];
    const auto completions = all.subspan(span.begin, span.end - span.begin);
    const Status error = transfer::FirstError(completions);
    if (error.ok()) continue;
    const bool met_nobody = fair && std::any_of(completions.begin(), completions.end(), MetNobody);
    if (met_nobody) {
      const SegmentId& segment = write->segments[replica];
      if (std::find(unreachable_.begin(), unreachable_.end(), segment) == unreachable_.end()) {
        unreachable_.push_back(segment);
      }
      if (parts_.failures != nullptr) parts_.failures->Add(segment, parts_.clock.Now());
    }
    const bool in_doubt = std::any_of(completions.begin(), completions.end(), [](const auto& c) {
      return c.outcome == transfer::Outcome::kInDoubt;
    });
    if (write->status.ok() && guards.commit_after_last_copy) {
      write->status = NotCommitted(error, grant_ended_first, in_doubt);
      write->fate = Write::Fate::kAbort;
      write->again = met_nobody || WasTakenBack(error);
    }
    write->in_doubt = write->in_doubt || (in_doubt && guards.nothing_is_said_in_doubt);
  }
  if (write->in_doubt) write->fate = Write::Fate::kLeave;
}

}  // namespace kvstore::client
