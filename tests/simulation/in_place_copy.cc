#include "simulation/in_place_copy.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kvstore::simulation {

using transfer::Access;

InPlaceCopy::InPlaceCopy(Fabric* fabric, std::shared_ptr<SharedLink> link,
                         std::shared_ptr<BatchState> batch, size_t index,
                         const transfer::Copy& copy, uint64_t size)
    : fabric_(fabric),
      link_(std::move(link)),
      batch_(std::move(batch)),
      index_(index),
      size_(size),
      frame_{copy.access, copy.region, copy.offset, {}, copy.guard},
      region_(link_->FindRegion(copy.region)) {
  if (!IsWrite()) frame_.bytes.resize(size);
  batch_->Sent(index_);
}

bool InPlaceCopy::Step(uint64_t slice) {
  switch (stage_) {
    case Stage::kBegins:
      return Begin();
    case Stage::kAnnounced:
      return ReadWord(Stage::kCopies);
    case Stage::kWordRead:
      return Announce(Stage::kCopies);
    case Stage::kCopies:
      return moved_ < size_ ? MoveSlice(slice) : IsWrite() ? End(Status::Ok()) : EndRead();
    case Stage::kOver:
      return true;
  }
  return true;
}

bool InPlaceCopy::Begin() {
  const Status misfit = Misfit();
  if (!misfit.ok()) return End(misfit);
  if (!IsWrite()) {
    stage_ = Stage::kCopies;
    return false;
  }
  return fabric_->shared_guards.announce_before_word ? Announce(Stage::kAnnounced)
                                                     : ReadWord(Stage::kWordRead);
}

Status InPlaceCopy::Misfit() const { return MisfitOf(region_, frame_.offset, size_, frame_.guard); }

bool InPlaceCopy::Announce(Stage then) {
  slot_ = link_->Announce(frame_.region, {frame_.offset, size_});
  stage_ = then;
  return false;
}

bool InPlaceCopy::ReadWord(Stage then) {
  stage_ = then;
  if (link_->broken()) return End(UnavailableError("the holder looks at this ledger no more"));
  if (WordStands()) return false;
  fabric_->counts->Add(Event::kShmWritesRefused);
  return End(AbortedError("the memory has a new owner"));
}

bool InPlaceCopy::WordStands() const {
  return !frame_.guard.has_value() || region_->WordStands(*frame_.guard);
}

bool InPlaceCopy::MoveSlice(uint64_t slice) {
  const uint64_t n = std::min(slice, size_ - moved_);
  std::byte* const memory = region_->base + frame_.offset + moved_;
  if (IsWrite()) {
    const std::vector<std::byte> bytes = batch_->Gather(index_, moved_, n);
    std::memcpy(memory, bytes.data(), bytes.size());
  } else {
    std::memcpy(frame_.bytes.data() + moved_, memory, n);
  }
  moved_ += n;
  return false;
}

bool InPlaceCopy::EndRead() {
  if (!fabric_->shared_guards.check_word_after_read || WordStands()) return End(Status::Ok());
  fabric_->counts->Add(Event::kShmReadsRefusedAfter);
  return End(AbortedError("the memory got a new owner before the last byte was read"));
}

bool InPlaceCopy::End(const Status& verdict) {
  if (verdict.ok()) fabric_->counts->Add(IsWrite() ? Event::kShmWrites : Event::kShmReads);
  Abandon();
  batch_->Answered(index_, frame_, verdict);
  return true;
}

void InPlaceCopy::Abandon() {
  stage_ = Stage::kOver;
  if (slot_.has_value()) link_->Clear(*std::exchange(slot_, std::nullopt));
}

}  // namespace kvstore::simulation
