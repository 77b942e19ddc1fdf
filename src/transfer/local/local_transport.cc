#include "transfer/local/local_transport.h"

#include <algorithm>
#include <utility>

#include "transfer/mover.h"

namespace kvstore::transfer {
namespace {

// A stretch of a region of this process, counted as one long access.
class LocalMapping final : public Mapping {
 public:
  LocalMapping(RegionAccess memory, uint64_t size) : memory_(std::move(memory)), size_(size) {}

  std::byte* data() const override { return memory_.data(); }
  uint64_t size() const override { return size_; }
  bool Stands() const override { return memory_.StillStands(); }
  Way way() const override { return Way::kLocal; }

 private:
  const RegionAccess memory_;
  const uint64_t size_;
};

}  // namespace

LocalTransport::LocalTransport(Registry& registry, std::function<Incarnation()> own)
    : registry_(registry),
      own_(std::move(own)),
      carrier_([this](Parcel parcel) { Carry(std::move(parcel)); }) {}

Status LocalTransport::Reaches(const Target& target, RegionId, Access, TimePoint) {
  if (target.descriptor->incarnation == own_()) return Status::Ok();
  return FailedPreconditionError("local leads only to this process itself");
}

void LocalTransport::Carry(Parcel parcel) {
  const Access all = parcel.batch->copy(parcel.copies.front()).access;
  const bool streamed = IsStreamed(all, parcel.bytes());
  for (const size_t index : parcel.copies) {
    Status status = CopyOne(*parcel.batch, index, streamed);
    const Outcome outcome = status.ok() ? Outcome::kDone : Outcome::kFailed;
    parcel.batch->Finish(index, outcome, std::move(status), Way::kLocal);
  }
}

Status LocalTransport::CopyOne(BatchState& batch, size_t index, bool streamed) {
  const Copy& copy = batch.copy(index);
  const uint64_t size = batch.size_of(index);
  KVSTORE_RETURN_IF_ERROR(batch.Ended());
  KVSTORE_ASSIGN_OR_RETURN(
      const RegionAccess memory,
      registry_.Begin(copy.access, copy.region, copy.offset, size, copy.guard));
  Mover mover(copy, streamed);
  for (uint64_t done = 0; done < size;) {
    if (done > 0) {
      KVSTORE_RETURN_IF_ERROR(batch.Ended());
      if (!memory.StillStands()) return AbortedError("the memory was withdrawn during the copy");
    }
    const uint64_t length = std::min(size - done, kMoveBytes);
    mover.Move(memory.data() + done, length);
    done += length;
    batch.NoteMoved(length);
  }
  if (copy.access == Access::kRead && !memory.StoodToTheEnd()) {
    return AbortedError("the memory was withdrawn during the read; its bytes mean nothing");
  }
  return Status::Ok();
}

Result<std::unique_ptr<Mapping>> LocalTransport::Map(const Target&, const MapRequest& request,
                                                     TimePoint) {
  KVSTORE_ASSIGN_OR_RETURN(RegionAccess memory,
                           registry_.Begin(request.access, request.region, request.offset,
                                           request.length, request.guard));
  return std::unique_ptr<Mapping>(
      std::make_unique<LocalMapping>(std::move(memory), request.length));
}

}  // namespace kvstore::transfer
