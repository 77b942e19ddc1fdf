#include "client/put.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "client/ahead.h"
#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/grant.h"
#include "client/put_copies.h"

namespace kvstore::client {
namespace {

// Between one beginning and the next; there is none before the second.
constexpr Duration kFirstPause = std::chrono::milliseconds(10);
constexpr Duration kLongestPause = std::chrono::seconds(1);
constexpr uint64_t kMostAhead = 32u << 20;  // put by one call into memory that is held ahead
// So many items are committed while the next are copied.
constexpr size_t kCommittedAtOnce = 128;

// Items of which the master is being told that they are to be committed.
struct Committing {
  std::vector<Write*> writes;
  std::unique_ptr<Asked<ItemAnswer>> answers;  // null: there are none, or no more
};

// One call of PutObjects. Confined to the thread that makes it.
class PutCall {
 public:
  PutCall(const Parts& parts, std::span<const PutItem> items, const PutOptions& options)
      : parts_(parts),
        items_(items),
        options_(options),
        deadline_(After(parts.clock.Now(), options.timeout)),
        copies_(parts, deadline_),
        statuses_(items.size()),
        in_question_(items.size()),
        instead_of_(items.size()) {
    if (!options.check_source) return;
    at_entry_.reserve(items.size());
    for (const PutItem& item : items) at_entry_.push_back(Checksum(item.pieces));
  }

  std::vector<Status> Run();

 private:
  // Puts all items into memory that is held ahead; those that are to be begun again. Nothing: there
  // is no such memory for them, and nothing has happened.
  std::optional<std::vector<uint32_t>> PutAhead(std::span<const uint32_t> all);
  std::vector<Ahead::Piece> TakePieces() const;
  // Nothing more is written or committed under the grant of these, which are to be begun again.
  static void GiveUp(const Status& why, std::span<Write> writes);
  // Copies some of these items to their pieces, and has them committed.
  Committing PutPieces(std::span<const Ahead::Piece> pieces, std::span<Write> writes);
  void EndWave(std::span<const uint32_t> indices, std::span<const Write> writes,
               std::vector<uint32_t>* again);
  // Puts the items of these indices once, in waves; those that are to be begun again.
  std::vector<uint32_t> PutOnce(std::span<const uint32_t> indices);
  StartPut Request(std::span<const uint32_t> indices) const;
  std::vector<Write> Plan(std::span<const uint32_t> indices,
                          const std::vector<StartPutAnswer>& wave, CopyPlan* plan);
  // `held`: pieces of the items, by place, where they have had no StartPut.
  Committing BeginCommit(std::span<Write> writes, std::span<const Ahead::Piece> held = {});
  // OK unless `checksum`, of what was copied, shows that its memory has changed.
  Status CheckSource(const Write& write, uint64_t checksum) const;
  static void EndCommit(Committing* committing);
  void Abort(std::span<Write> writes);

  uint64_t SequenceOf(const Write& write) const { return first_sequence_ + write.place; }

  const Parts& parts_;
  const std::span<const PutItem> items_;
  const PutOptions& options_;
  const TimePoint deadline_;
  PutCopies copies_;
  std::vector<Status> statuses_;
  // Once it was to be committed and the master knew nothing of it, another master may have
  // committed it before: others may have seen it.
  std::vector<bool> in_question_;
  // The sequence of the last beginning that is in doubt; 0: none.
  std::vector<uint64_t> instead_of_;
  std::vector<uint64_t>
      at_entry_;  // checksums of the items as the call began, if they are to count

  // Of the beginning under way.
  std::vector<PutItem> begun_;     // its items
  std::vector<uint32_t> indices_;  // theirs among all
  TimePoint asked_at_{};           // grants count from here
  uint64_t first_sequence_ = 0;
};

// A put whose grant did not outlive its master, or that the next master never heard of, is begun
// again; so is one of whose holders one can't be reached, once the master knows it and may grant
// elsewhere. Its first id is aborted before, or given up with the second's beginning, so that no
// more than one of the two is ever visible, and the other does not stand in its way.
std::vector<Status> PutCall::Run() {
  std::vector<uint32_t> all(items_.size());
  std::iota(all.begin(), all.end(), 0);
  const std::optional<std::vector<uint32_t>> put_ahead = PutAhead(all);
  std::vector<uint32_t> open = put_ahead ? *put_ahead : PutOnce(all);
  Duration pause{};
  while (true) {
    const TimePoint next = After(parts_.clock.Now(), pause);
    if (open.empty() || next >= deadline_) return std::move(statuses_);
    copies_.Complain();
    parts_.master.Pause(next);
    pause = pause == Duration::zero() ? kFirstPause : std::min(2 * pause, kLongestPause);
    open = PutOnce(open);
  }
}

// The answers come in waves, since an item that waits for room must not hold up the others; and
// what one wave commits may be what is evicted for the next.
std::vector<uint32_t> PutCall::PutOnce(std::span<const uint32_t> indices) {
  begun_.clear();
  indices_.assign(indices.begin(), indices.end());
  for (const uint32_t index : indices) begun_.push_back(items_[index]);
  asked_at_ = parts_.clock.Now();
  first_sequence_ = parts_.master.NewSequences(begun_.size());
  std::vector<uint32_t> again;
  const std::unique_ptr<StartedPuts> started = parts_.master.Start(Request(indices), deadline_);
  while (true) {
    const std::vector<StartPutAnswer> wave = started->NextWave();
    if (wave.empty()) return again;
    CopyPlan plan;
    std::vector<Write> writes = Plan(indices, wave, &plan);
    copies_.Carry(plan, writes);
    Committing committing = BeginCommit(writes);
    EndCommit(&committing);
    Abort(writes);
    EndWave(indices, writes, &again);
  }
}

void PutCall::EndWave(std::span<const uint32_t> indices, std::span<const Write> writes,
                      std::vector<uint32_t>* again) {
  for (const Write& write : writes) {
    const uint32_t index = indices[write.place];
    if (write.again) again->push_back(index);
    if (write.in_doubt) instead_of_[index] = SequenceOf(write);
    in_question_[index] = in_question_[index] || write.in_question;
    statuses_[index] = in_question_[index] ? PerhapsCommitted(write.status) : write.status;
  }
}

// One message, the commit, instead of two. Until then the master knows nothing of these puts, so
// that one that was not written is simply not committed. They share one grant and one holder: where
// one is to be begun again since either is lost, so are all that have not been copied yet.
std::optional<std::vector<uint32_t>> PutCall::PutAhead(std::span<const uint32_t> all) {
  const std::vector<Ahead::Piece> pieces = TakePieces();
  if (pieces.empty()) return std::nullopt;
  begun_.assign(items_.begin(), items_.end());
  indices_.assign(all.begin(), all.end());
  first_sequence_ = parts_.master.NewSequences(begun_.size());
  std::vector<Write> writes(begun_.size());
  for (uint32_t i = 0; i < writes.size(); ++i) writes[i].place = i;
  std::vector<Committing> under_way;
  const Write* lost = nullptr;
  for (std::span<Write> rest(writes); lost == nullptr && !rest.empty();) {
    const std::span<Write> some = rest.first(std::min(rest.size(), kCommittedAtOnce));
    rest = rest.subspan(some.size());
    under_way.push_back(PutPieces(pieces, some));
    for (const Write& write : some) lost = write.again ? &write : lost;
    for (Committing& committing : under_way) {
      if (committing.answers == nullptr || !committing.answers->HaveCome()) continue;
      EndCommit(&committing);
      for (const Write* write : committing.writes) lost = write->again ? write : lost;
    }
    if (lost != nullptr) GiveUp(lost->status, rest);
  }
  if (lost == nullptr) {
    parts_.ahead->LookAhead(parts_.self.incarnation, parts_.clock);
  }
  for (Committing& committing : under_way) EndCommit(&committing);
  const auto any = [&writes](bool Write::*flag) {
    return std::any_of(writes.begin(), writes.end(), [flag](const Write& w) { return w.*flag; });
  };
  parts_.ahead->Left(pieces, any(&Write::in_doubt) ? Ahead::End::kInDoubt
                             : any(&Write::again)  ? Ahead::End::kRefused
                                                   : Ahead::End::kUsed);
  if (std::any_of(writes.begin(), writes.end(), [](const Write& write) {
        return write.status.code() == StatusCode::kAlreadyExists;
      })) {
    parts_.ahead->FoundTaken(parts_.clock);
  }
  Abort(writes);
  std::vector<uint32_t> again;
  EndWave(all, writes, &again);
  return again;
}

Committing PutCall::PutPieces(std::span<const Ahead::Piece> pieces, std::span<Write> writes) {
  CopyPlan plan;
  for (Write& write : writes) {
    const Ahead::Piece& piece = pieces[write.place];
    write.grant_end = piece.end;
    write.segments = {piece.replica.segment};
    write.status = copies_.Plan(begun_[write.place], {&piece.replica, 1}, &plan, &write);
    write.fate = write.status.ok() ? Write::Fate::kCommit : Write::Fate::kLeave;
    write.again = !write.status.ok();
  }
  copies_.Carry(plan, writes);
  for (Write& write : writes) {
    // What was left of the grant when it was taken was too short; another's time is not.
    write.again = write.again || HasEnded(write.status);
    if (write.fate == Write::Fate::kAbort) write.fate = Write::Fate::kLeave;
  }
  return BeginCommit(writes, pieces);
}

void PutCall::GiveUp(const Status& why, std::span<Write> writes) {
  for (Write& write : writes) {
    write.status = why;
    write.again = true;
  }
}

std::vector<Ahead::Piece> PutCall::TakePieces() const {
  const bool fits = parts_.ahead != nullptr && options_.replicas == 1 &&
                    options_.placement == Placement::kLocalFirst &&
                    options_.preferred_nodes.empty();
  if (!fits || items_.empty()) return {};
  std::vector<uint64_t> sizes;
  sizes.reserve(items_.size());
  uint64_t sum = 0;
  for (const PutItem& item : items_) {
    sizes.push_back(SizeOf(item));
    sum += sizes.back();
    if (sum > kMostAhead) return {};
  }
  return parts_.ahead->Take(sizes, parts_.self.incarnation, parts_.clock, deadline_);
}

StartPut PutCall::Request(std::span<const uint32_t> indices) const {
  StartPut request = Asking(options_);
  for (uint32_t place = 0; place < begun_.size(); ++place) {
    request.keys.Add(begun_[place].key);
    request.sequences.push_back(first_sequence_ + place);
    request.sizes.push_back(SizeOf(begun_[place]));
  }
  request.positions = PositionsOf(std::span<const PutItem>(begun_));
  for (size_t place = 0; place < indices.size(); ++place) {
    const uint64_t earlier = instead_of_[indices[place]];
    if (earlier == 0) continue;
    request.instead_of.resize(indices.size());
    request.instead_of[place] = earlier;
  }
  return request;
}

std::vector<Write> PutCall::Plan(std::span<const uint32_t> indices,
                                 const std::vector<StartPutAnswer>& wave, CopyPlan* plan) {
  std::vector<Write> writes;
  for (const StartPutAnswer& answer : wave) {
    Write write;
    write.place = answer.index;
    write.status = answer.status;
    if (answer.status.ok()) {
      write.grant_end = GrantEnd(answer, asked_at_);
      for (const Replica& replica : answer.replicas) write.segments.push_back(replica.segment);
      if (SizeOf(begun_[answer.index]) > 0) {
        write.status = copies_.CheckReachable(statuses_[indices[answer.index]], &write);
      }
      if (write.status.ok()) {
        write.status = copies_.Plan(begun_[answer.index], answer.replicas, plan, &write);
      }
      write.fate = write.status.ok() ? Write::Fate::kCommit : Write::Fate::kAbort;
    } else if (MayYetBeGranted(answer.status)) {
      write.fate = Write::Fate::kAbort;
      write.again = HasEnded(answer.status);
    }
    writes.push_back(std::move(write));
  }
  return writes;
}

Committing PutCall::BeginCommit(std::span<Write> writes, std::span<const Ahead::Piece> held) {
  CommitPut request;
  std::vector<PutItem> items;
  Committing committing;
  if (!held.empty()) request.put = Asking(options_);
  for (Write& write : writes) {
    if (write.fate != Write::Fate::kCommit) continue;
    const std::span<const ConstPiece> pieces = begun_[write.place].pieces;
    const uint64_t checksum =
        write.checksum != nullptr ? write.checksum->Finish(pieces) : Checksum(pieces);
    write.status = CheckSource(write, checksum);
    if (!write.status.ok()) {
      write.fate = held.empty() ? Write::Fate::kAbort : Write::Fate::kLeave;
      continue;
    }
    request.sequences.push_back(SequenceOf(write));
    request.checksums.push_back(checksum);
    committing.writes.push_back(&write);
    if (held.empty()) continue;
    const PutItem& item = begun_[write.place];
    request.pieces.push_back(held[write.place].name);
    request.put.keys.Add(item.key);
    request.put.sizes.push_back(SizeOf(item));
    items.push_back(item);
  }
  if (committing.writes.empty()) return committing;
  if (!held.empty()) {
    request.put.sequences = request.sequences;
    request.put.positions = PositionsOf(std::span<const PutItem>(items));
  }
  committing.answers = parts_.master.BeginCommit(std::move(request), deadline_);
  return committing;
}

Status PutCall::CheckSource(const Write& write, uint64_t checksum) const {
  if (at_entry_.empty() || checksum == at_entry_[indices_[write.place]]) return Status::Ok();
  if (!PutGuards().source_is_as_it_was) return Status::Ok();
  return AbortedError("not committed: the memory was changed while it was being put");
}

void PutCall::EndCommit(Committing* committing) {
  const std::unique_ptr<Asked<ItemAnswer>> answers = std::move(committing->answers);
  if (answers == nullptr) return;
  for (const ItemAnswer& answer : answers->Wait()) {
    Write& write = *committing->writes[answer.index];
    write.status = Committed(answer.status);
    write.in_question = HasEnded(answer.status);
    write.again = write.in_question || IsOfNoGrant(answer.status);
    if (write.in_question || WasNotTakenUp(answer.status)) write.fate = Write::Fate::kAbort;
  }
}

// What is begun again needs the answer, whatever time it takes.
void PutCall::Abort(std::span<Write> writes) {
  std::vector<uint64_t> sequences;
  AbortPut request;
  std::vector<Write*> again;
  for (Write& write : writes) {
    if (write.fate != Write::Fate::kAbort) continue;
    (write.again ? request.sequences : sequences).push_back(SequenceOf(write));
    if (write.again) again.push_back(&write);
  }
  AbortPuts(parts_, std::move(sequences), deadline_);
  if (again.empty()) return;
  for (const ItemAnswer& answer : parts_.master.Abort(std::move(request), deadline_)) {
    if (answer.status.code() == StatusCode::kFailedPrecondition) {
      again[answer.index]->again = false;  // it is committed
      again[answer.index]->status = Status::Ok();
    }
  }
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
