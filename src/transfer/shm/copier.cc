#include "transfer/shm/copier.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "transfer/mover.h"

namespace kvstore::transfer {
namespace {

// A copy that waits for a slot looks this often whether it should go on.
constexpr Duration kSlotStep = std::chrono::milliseconds(20);

// Whether somebody at this end wants the copy to go no further.
Status Ended(const Parcel& parcel) {
  if (parcel.target.closed->load(std::memory_order_relaxed)) {
    return UnavailableError("the peer was closed at this end");
  }
  return parcel.batch->Ended();
}

}  // namespace

Status ShmCopier::Copy(const ShmRegion& region, const Parcel& parcel, size_t index,
                       bool streamed) const {
  const transfer::Copy& copy = parcel.batch->copy(index);
  KVSTORE_RETURN_IF_ERROR(Ended(parcel));
  KVSTORE_RETURN_IF_ERROR(
      region.CheckBounds(copy.offset, parcel.batch->size_of(index), copy.guard));
  return copy.access == Access::kRead ? Read(region, parcel, index, streamed)
                                      : Write(region, parcel, index, streamed);
}

Status ShmCopier::Read(const ShmRegion& region, const Parcel& parcel, size_t index,
                       bool streamed) const {
  const transfer::Copy& copy = parcel.batch->copy(index);
  KVSTORE_RETURN_IF_ERROR(region.Check(copy.guard));
  Step(ShmStep::kWordRead);
  KVSTORE_RETURN_IF_ERROR(Move(region, parcel, index, streamed, region.data() + copy.offset));
  if (!guards_.check_word_after_read) return Status::Ok();
  return region.CheckAfterRead(copy.guard);
}

Status ShmCopier::Write(const ShmRegion& region, const Parcel& parcel, size_t index,
                        bool streamed) const {
  const transfer::Copy& copy = parcel.batch->copy(index);
  const Stretch stretch{.offset = copy.offset, .length = parcel.batch->size_of(index)};
  const auto wait_until_free = [&] {
    (void)region.ledger().WaitForCopySlot(BootClock::now() + kSlotStep);
    return Ended(parcel);
  };
  // Mapped before it is announced: an announcement holds the memory's owner up.
  std::shared_ptr<Window> window;
  if (stretch.length > 0) {
    KVSTORE_ASSIGN_OR_RETURN(window, region.windows().Get(stretch.offset, stretch.length));
  }
  KVSTORE_ASSIGN_OR_RETURN(const Announcement announced,
                           Announce(region, SlotKind::kCopy, stretch, copy.guard, wait_until_free));
  if (window == nullptr) return Status::Ok();
  window->Prepare(stretch.offset, stretch.length);
  return Move(region, parcel, index, streamed, window->At(stretch.offset));
}

Result<Announcement> ShmCopier::Announce(const ShmRegion& region, SlotKind kind,
                                         const Stretch& stretch, const std::optional<Guard>& guard,
                                         const std::function<Status()>& wait_until_free) const {
  if (!guards_.announce_before_word) {
    KVSTORE_RETURN_IF_ERROR(region.Check(guard));
    Step(ShmStep::kWordRead);
  }
  const LedgerEntry entry{
      .region = region.id(), .offset = stretch.offset, .length = stretch.length};
  std::optional<Announcement> announced = region.ledger().Announce(kind, entry);
  while (!announced) {
    KVSTORE_RETURN_IF_ERROR(wait_until_free());
    announced = region.ledger().Announce(kind, entry);
  }
  Step(ShmStep::kSlotSet);
  if (guards_.announce_before_word) {
    KVSTORE_RETURN_IF_ERROR(region.Check(guard));
    Step(ShmStep::kWordRead);
  }
  return *std::move(announced);
}

Status ShmCopier::Move(const ShmRegion& region, const Parcel& parcel, size_t index, bool streamed,
                       std::byte* memory) const {
  const transfer::Copy& copy = parcel.batch->copy(index);
  const uint64_t size = parcel.batch->size_of(index);
  Mover mover(copy, streamed);
  for (uint64_t done = 0; done < size;) {
    if (done > 0) {
      KVSTORE_RETURN_IF_ERROR(Ended(parcel));
      KVSTORE_RETURN_IF_ERROR(region.Check(copy.guard));
    }
    const uint64_t length = std::min(size - done, kMoveBytes);
    mover.Move(memory + done, length);
    if (done == 0) Step(ShmStep::kFirstSlice);
    done += length;
    parcel.batch->NoteMoved(length);
  }
  Step(ShmStep::kLastSlice);
  return Status::Ok();
}

}  // namespace kvstore::transfer
