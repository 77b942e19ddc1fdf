#include "client/new_object.h"

#include <algorithm>
#include <string>
#include <utility>

#include "client/checksum.h"
#include "client/grant.h"
#include "client/item_checks.h"
#include "client/open_peers.h"

namespace kvstore::client {
namespace {

using Mappings = std::vector<std::unique_ptr<transfer::Mapping>>;
using Created = Result<std::unique_ptr<NewObject>>;

// A put whose bytes are written where they will lie. While its mappings exist its holder gives the
// memory to nobody, even when the grant has run out.
class ObjectInPlace final : public NewObject {
 public:
  ObjectInPlace(const Parts& parts, uint64_t sequence, uint64_t size, TimePoint grant_end,
                Mappings mappings)
      : parts_(parts),
        sequence_(sequence),
        size_(size),
        grant_end_(grant_end),
        mappings_(std::move(mappings)) {
    for (const auto& mapping : mappings_) pieces_.push_back({mapping->data(), mapping->size()});
  }

  ~ObjectInPlace() override {
    if (ended_) return;
    LetGo();
    AbortPuts(parts_, {sequence_}, TimePoint::max());
  }

  std::span<const Piece> pieces() const override { return pieces_; }
  uint64_t size() const override { return size_; }
  TimePoint deadline() const override { return grant_end_; }
  Status Seal(Duration timeout) override;

 private:
  // Whether what is in the memory now is still this put's. Asked after the last byte.
  Status StillMine(TimePoint deadline) const;
  Status Commit(uint64_t checksum, TimePoint deadline);

  void LetGo() {
    pieces_.clear();
    mappings_.clear();
  }

  const Parts parts_;
  const uint64_t sequence_;
  const uint64_t size_;
  const TimePoint grant_end_;
  Mappings mappings_;
  std::vector<Piece> pieces_;  // the mappings' memory
  bool ended_ = false;         // Seal was called
};

// Commit comes after the last byte, hence after the mappings: as long as they exist, this process
// may write.
Status ObjectInPlace::Seal(Duration timeout) {
  if (ended_) return FailedPreconditionError("a new object is sealed once, whatever the answer");
  KVSTORE_RETURN_IF_ERROR(CheckTimeout(timeout));
  ended_ = true;
  const TimePoint deadline = After(parts_.clock.Now(), timeout);
  std::vector<ConstPiece> bytes;
  for (const Piece& piece : pieces_) bytes.push_back({piece.data, piece.size});
  const uint64_t checksum = Checksum(bytes);
  const Status mine = StillMine(deadline);
  LetGo();
  if (mine.ok()) return Commit(checksum, deadline);
  AbortPuts(parts_, {sequence_}, deadline);
  return mine;
}

Status ObjectInPlace::StillMine(TimePoint deadline) const {
  const TimePoint now = parts_.clock.Now();
  if (now >= grant_end_) return LostGrant();
  if (now >= deadline) return DeadlineExceededError("not committed: no time is left to commit it");
  const bool stand = std::all_of(mappings_.begin(), mappings_.end(),
                                 [](const auto& mapping) { return mapping->Stands(); });
  if (stand) return Status::Ok();
  return AbortedError(
      "not committed: its memory was taken back, another master reigns, or its holder has left the "
      "pool; create the object anew");
}

Status ObjectInPlace::Commit(uint64_t checksum, TimePoint deadline) {
  CommitPut request;
  request.sequences = {sequence_};
  request.checksums = {checksum};
  const Status answer = parts_.master.Commit(std::move(request), deadline).at(0).status;
  if (WasNotTakenUp(answer)) AbortPuts(parts_, {sequence_}, deadline);
  // Its bytes are gone with its memory: unlike a Put it can't be begun again from here.
  if (HasEnded(answer)) {
    return PerhapsCommitted(AbortedError(answer.message() + ": create the object anew"));
  }
  return Committed(answer);
}

// One call of CreateObjects. Confined to the thread that makes it.
class CreateCall {
 public:
  CreateCall(const Parts& parts, std::span<const CreateItem> items, const PutOptions& options)
      : parts_(parts),
        items_(items),
        options_(options),
        asked_at_(parts.clock.Now()),
        deadline_(After(asked_at_, options.timeout)),
        first_sequence_(parts.master.NewSequences(items.size())),
        own_peers_(parts),
        peers_(parts.peers != nullptr ? *parts.peers : own_peers_) {}

  std::vector<Created> Run();

 private:
  StartPut Request() const;
  Created Take(const StartPutAnswer& answer);
  Result<Mappings> Map(const Replica& replica, uint64_t size, TimePoint grant_end);

  const Parts& parts_;
  const std::span<const CreateItem> items_;
  const PutOptions& options_;
  const TimePoint asked_at_;  // grants count from here
  const TimePoint deadline_;
  const uint64_t first_sequence_;
  OpenPeers own_peers_;
  OpenPeers& peers_;
};

// In waves, as Put: what is given up of one may be the room that the next waits for.
std::vector<Created> CreateCall::Run() {
  std::vector<Created> all;
  for (size_t i = 0; i < items_.size(); ++i) all.emplace_back(InternalError("without an answer"));
  const std::unique_ptr<StartedPuts> started = parts_.master.Start(Request(), deadline_);
  while (true) {
    const std::vector<StartPutAnswer> wave = started->NextWave();
    if (wave.empty()) return all;
    std::vector<uint64_t> given_up;
    for (const StartPutAnswer& answer : wave) {
      Created& created = all[answer.index];
      created = Take(answer);
      const bool to_abort = answer.status.ok() || MayYetBeGranted(answer.status);
      if (!created.ok() && to_abort) given_up.push_back(first_sequence_ + answer.index);
    }
    AbortPuts(parts_, std::move(given_up), deadline_);
  }
}

StartPut CreateCall::Request() const {
  StartPut request = Asking(options_);
  for (uint32_t i = 0; i < items_.size(); ++i) {
    request.keys.Add(items_[i].key);
    request.sequences.push_back(first_sequence_ + i);
    request.sizes.push_back(items_[i].size);
  }
  request.positions = PositionsOf(items_);
  request.placement = Placement::kThisHost;
  return request;
}

Created CreateCall::Take(const StartPutAnswer& answer) {
  KVSTORE_RETURN_IF_ERROR(answer.status);
  const uint64_t size = items_[answer.index].size;
  const TimePoint grant_end = GrantEnd(answer, asked_at_);
  KVSTORE_RETURN_IF_ERROR(CheckGrant(parts_.clock.Now(), grant_end, deadline_));
  Mappings mappings;
  if (size > 0) {
    if (answer.replicas.size() != 1) {
      return InternalError("a grant of " + std::to_string(answer.replicas.size()) +
                           " replicas for one; report this");
    }
    KVSTORE_ASSIGN_OR_RETURN(mappings, Map(answer.replicas[0], size, grant_end));
  }
  std::unique_ptr<NewObject> object = std::make_unique<ObjectInPlace>(
      parts_, first_sequence_ + answer.index, size, grant_end, std::move(mappings));
  return object;
}

Result<Mappings> CreateCall::Map(const Replica& replica, uint64_t size, TimePoint grant_end) {
  KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId holder, peers_.Open(replica.segment.holder));
  Mappings mappings;
  uint64_t left = size;
  for (const Range& range : replica.ranges) {
    const uint64_t part = std::min(left, range.length);  // the last range has slack to its granule
    if (part == 0) continue;
    Result<std::unique_ptr<transfer::Mapping>> mapping =
        parts_.engine.Map({.access = transfer::Access::kWrite,
                           .peer = holder,
                           .region = replica.segment.index,
                           .offset = range.offset,
                           .length = part,
                           .guard = transfer::Guard{range.offset, replica.birth}},
                          std::min(deadline_, grant_end));
    if (!mapping.ok()) return NotCommitted(mapping.status(), grant_end < deadline_);
    mappings.push_back(*std::move(mapping));
    left -= part;
  }
  if (left == 0) return mappings;
  return InternalError("an object of " + std::to_string(size) + " bytes, ranges of " +
                       std::to_string(size - left) + "; report this");
}

}  // namespace

std::vector<Created> CreateObjects(const Parts& parts, std::span<const CreateItem> items,
                                   const PutOptions& options) {
  if (options.replicas == 1) return CreateCall(parts, items, options).Run();
  std::vector<Created> refused;
  for (size_t i = 0; i < items.size(); ++i) {
    refused.emplace_back(
        InvalidArgumentError("an object that is made in place has one replica, not " +
                             std::to_string(options.replicas) + "; Put makes several"));
  }
  return refused;
}

}  // namespace kvstore::client
