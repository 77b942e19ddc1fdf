#include "client/put.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/grant.h"
#include "client/open_peers.h"

namespace kvstore::client {
namespace {

// One item's way through a wave.
struct Write {
  // What the master is to hear of it.
  enum class Fate : uint8_t {
    kCommit,  // all bytes are in place, as far as is known
    kAbort,   // none of its copies can land any more, and it may hold memory, now or soon
    kLeave,   // it holds no memory, or bytes may still land, so that only the grant's end is safe
  };

  uint32_t index = 0;                  // of the item
  Fate fate = Fate::kLeave;            // kCommit iff `status` is OK
  Status status;                       // of the item, as far as the wave has come
  TimePoint grant_end{};               // by which it is to be written
  std::vector<CopyPlan::Span> copies;  // one per replica; none for an empty object
};

// One call of PutObjects. Confined to the thread that makes it.
class PutCall {
 public:
  PutCall(const Parts& parts, std::span<const PutItem> items, const PutOptions& options)
      : parts_(parts),
        items_(items),
        options_(options),
        asked_at_(parts.clock.Now()),
        deadline_(After(asked_at_, options.timeout)),
        first_sequence_(parts.master.NewSequences(items.size())) {}

  std::vector<Status> Run();

 private:
  StartPut Request() const;
  std::vector<Write> Plan(const std::vector<StartPutAnswer>& wave, CopyPlan* plan);
  Status PlanItem(const StartPutAnswer& answer, TimePoint grant_end, OpenPeers* peers,
                  CopyPlan* plan, std::vector<CopyPlan::Span>* copies);
  void Copy(const CopyPlan& plan, std::vector<Write>* writes);
  void Commit(std::vector<Write>* writes);
  void Abort(const std::vector<Write>& writes);

  uint64_t SequenceOf(const Write& write) const { return first_sequence_ + write.index; }

  const Parts& parts_;
  const std::span<const PutItem> items_;
  const PutOptions& options_;
  const TimePoint asked_at_;  // grants count from here
  const TimePoint deadline_;
  const uint64_t first_sequence_;
};

// The answers come in waves, since an item that waits for room must not hold up the others; and
// what one wave commits may be what is evicted for the next.
std::vector<Status> PutCall::Run() {
  std::vector<Status> statuses(items_.size());
  const std::unique_ptr<StartedPuts> started = parts_.master.Start(Request(), deadline_);
  while (true) {
    const std::vector<StartPutAnswer> wave = started->NextWave();
    if (wave.empty()) return statuses;
    CopyPlan plan;
    std::vector<Write> writes = Plan(wave, &plan);
    Copy(plan, &writes);
    Commit(&writes);
    Abort(writes);
    for (Write& write : writes) statuses[write.index] = std::move(write.status);
  }
}

StartPut PutCall::Request() const {
  StartPut request = Asking(options_);
  for (uint32_t i = 0; i < items_.size(); ++i) {
    request.keys.Add(items_[i].key);
    request.sequences.push_back(first_sequence_ + i);
    request.sizes.push_back(SizeOf(items_[i]));
  }
  request.positions = PositionsOf(items_);
  return request;
}

std::vector<Write> PutCall::Plan(const std::vector<StartPutAnswer>& wave, CopyPlan* plan) {
  OpenPeers own_peers(parts_);
  OpenPeers& peers = parts_.peers != nullptr ? *parts_.peers : own_peers;
  std::vector<Write> writes;
  for (const StartPutAnswer& answer : wave) {
    Write write;
    write.index = answer.index;
    write.status = answer.status;
    if (answer.status.ok()) {
      write.grant_end = GrantEnd(answer, asked_at_);
      write.status = PlanItem(answer, write.grant_end, &peers, plan, &write.copies);
      write.fate = write.status.ok() ? Write::Fate::kCommit : Write::Fate::kAbort;
    } else if (MayYetBeGranted(answer.status)) {
      write.fate = Write::Fate::kAbort;
    }
    writes.push_back(std::move(write));
  }
  return writes;
}

Status PutCall::PlanItem(const StartPutAnswer& answer, TimePoint grant_end, OpenPeers* peers,
                         CopyPlan* plan, std::vector<CopyPlan::Span>* copies) {
  KVSTORE_RETURN_IF_ERROR(CheckGrant(parts_.clock.Now(), grant_end, deadline_));
  const uint64_t size = SizeOf(items_[answer.index]);
  if (size == 0) return Status::Ok();
  for (const Replica& replica : answer.replicas) {
    KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId holder, peers->Open(replica.segment.holder));
    KVSTORE_ASSIGN_OR_RETURN(const CopyPlan::Span span,
                             plan->AddWrite(items_[answer.index].pieces, size, replica, holder));
    copies->push_back(span);
  }
  return Status::Ok();
}

void PutCall::Copy(const CopyPlan& plan, std::vector<Write>* writes) {
  if (plan.copies().empty()) return;
  TimePoint until = deadline_;
  for (const Write& write : *writes) {
    if (write.fate == Write::Fate::kCommit) until = std::min(until, write.grant_end);
  }
  const std::vector<transfer::Completion> all = parts_.engine.Run(plan.copies(), until);
  for (Write& write : *writes) {
    for (const CopyPlan::Span& span : write.copies) {
      const std::span<const transfer::Completion> completions =
          std::span(all).subspan(span.begin, span.end - span.begin);
      const bool in_doubt = std::any_of(completions.begin(), completions.end(), [](const auto& c) {
        return c.outcome == transfer::Outcome::kInDoubt;
      });
      const Status error = transfer::FirstError(completions);
      if (!error.ok() && write.status.ok()) {
        write.status = NotCommitted(error, until < deadline_, in_doubt);
        write.fate = Write::Fate::kAbort;
      }
      if (in_doubt) write.fate = Write::Fate::kLeave;
    }
  }
}

void PutCall::Commit(std::vector<Write>* writes) {
  CommitPut request;
  std::vector<Write*> committed;
  for (Write& write : *writes) {
    if (write.fate != Write::Fate::kCommit) continue;
    request.sequences.push_back(SequenceOf(write));
    request.checksums.push_back(Checksum(items_[write.index].pieces));
    committed.push_back(&write);
  }
  if (committed.empty()) return;
  for (const ItemAnswer& answer : parts_.master.Commit(std::move(request), deadline_)) {
    Write& write = *committed[answer.index];
    write.status = Committed(answer.status);
    if (WasNotTakenUp(answer.status)) write.fate = Write::Fate::kAbort;
  }
}

void PutCall::Abort(const std::vector<Write>& writes) {
  std::vector<uint64_t> sequences;
  for (const Write& write : writes) {
    if (write.fate == Write::Fate::kAbort) sequences.push_back(SequenceOf(write));
  }
  AbortPuts(parts_, std::move(sequences), deadline_);
}

}  // namespace

uint64_t SizeOf(const PutItem& item) {
  uint64_t size = 0;
  for (const ConstPiece& piece : item.pieces) size += piece.size;
  return size;
}

std::vector<Status> PutObjects(const Parts& parts, std::span<const PutItem> items,
                               const PutOptions& options) {
  return PutCall(parts, items, options).Run();
}

}  // namespace kvstore::client
