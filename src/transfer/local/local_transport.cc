#include "transfer/local/local_transport.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "transfer/scatter.h"

namespace kvstore::transfer {
namespace {

// A copy asks this often whether it should go on: about every 100 microseconds.
constexpr uint64_t kSliceBytes = 1 << 20;

// Moves the next `length` bytes between the pieces and `memory`. Both may be the same memory.
void MoveSlice(Access access, ScatterCursor* cursor, std::byte* memory, uint64_t length) {
  while (length > 0) {
    std::array<iovec, 64> parts;
    const size_t count = cursor->Gather(length, parts);
    uint64_t moved = 0;
    for (size_t i = 0; i < count; ++i) {
      std::byte* const there = memory + moved;
      if (access == Access::kRead) {
        std::memmove(parts[i].iov_base, there, parts[i].iov_len);
      } else {
        std::memmove(there, parts[i].iov_base, parts[i].iov_len);
      }
      moved += parts[i].iov_len;
    }
    cursor->Advance(moved);
    memory += moved;
    length -= moved;
  }
}

}  // namespace

LocalTransport::LocalTransport(Registry& registry, std::function<Incarnation()> own)
    : registry_(registry), own_(std::move(own)) {}

LocalTransport::~LocalTransport() {
  std::thread worker;
  {
    MutexLock lock(mu_);
    ending_ = true;
    for (Parcel& parcel : parcels_) parcel.batch->Cancel();
    if (current_ != nullptr) current_->Cancel();
    posted_.NotifyAll();
    worker = std::move(worker_);
  }
  if (worker.joinable()) worker.join();
}

Status LocalTransport::Reaches(const PeerDescriptor& peer) const {
  if (peer.incarnation == own_()) return Status::Ok();
  return FailedPreconditionError("local leads only to this process itself");
}

void LocalTransport::Post(Parcel parcel) {
  MutexLock lock(mu_);
  if (!worker_.joinable()) worker_ = std::thread([this] { Work(); });
  parcels_.push_back(std::move(parcel));
  posted_.NotifyOne();
}

void LocalTransport::Work() {
  for (;;) {
    Parcel parcel;
    {
      MutexLock lock(mu_);
      current_.reset();
      while (parcels_.empty() && !ending_) posted_.Wait(mu_);
      if (parcels_.empty()) return;
      parcel = std::move(parcels_.front());
      parcels_.pop_front();
      current_ = parcel.batch;
    }
    Carry(std::move(parcel));
  }
}

void LocalTransport::Carry(Parcel parcel) {
  for (const size_t index : parcel.copies) {
    Status status = CopyOne(*parcel.batch, index);
    const Outcome outcome = status.ok() ? Outcome::kDone : Outcome::kFailed;
    parcel.batch->Finish(index, outcome, std::move(status), Way::kLocal);
  }
}

Status LocalTransport::CopyOne(const BatchState& batch, size_t index) {
  const Copy& copy = batch.copy(index);
  const uint64_t size = batch.size_of(index);
  KVSTORE_RETURN_IF_ERROR(batch.Ended());
  KVSTORE_ASSIGN_OR_RETURN(
      const RegionAccess memory,
      registry_.Begin(copy.access, copy.region, copy.offset, size, copy.guard));
  ScatterCursor cursor(copy.pieces);
  for (uint64_t done = 0; done < size;) {
    if (done > 0) {
      KVSTORE_RETURN_IF_ERROR(batch.Ended());
      if (!memory.StillStands()) return AbortedError("the memory was withdrawn during the copy");
    }
    const uint64_t length = std::min(size - done, kSliceBytes);
    MoveSlice(copy.access, &cursor, memory.data() + done, length);
    done += length;
  }
  if (copy.access == Access::kRead && !memory.StoodToTheEnd()) {
    return AbortedError("the memory was withdrawn during the read; its bytes mean nothing");
  }
  return Status::Ok();
}

}  // namespace kvstore::transfer
