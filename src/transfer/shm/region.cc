#include "transfer/shm/region.h"

#include <atomic>
#include <string>
#include <utility>

namespace kvstore::transfer {
namespace {

// What was read before it isn't read after it.
void FenceAfterRead() {
#ifdef __SANITIZE_THREAD__
  // The sanitizer doesn't know fences; this is one to the machine, too.
  static std::atomic<uint64_t> nothing;
  nothing.fetch_add(0, std::memory_order_acq_rel);
#else
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}

}  // namespace

Result<std::shared_ptr<ShmRegion>> ShmRegion::Create(std::shared_ptr<ShmConnection> connection,
                                                     RegionId id, Access access,
                                                     ShmConnection::Answer answer) {
  const ShmReply& reply = answer.reply;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t data_size, SealedSize(answer.data));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t words_size, SealedSize(answer.words));
  // One word more than granules: the registration.
  if (data_size < reply.size || words_size / sizeof(Word) <= reply.size / reply.granule) {
    return UnavailableError("the peer's files are smaller than the region");
  }
  std::shared_ptr<ShmRegion> region(new ShmRegion);
  region->connection_ = std::move(connection);
  region->id_ = id;
  region->guarded_ = reply.guarded;
  region->size_ = reply.size;
  region->granule_ = reply.granule;
  region->registration_ = reply.registration;
  KVSTORE_ASSIGN_OR_RETURN(region->words_,
                           MappedFile::Map(answer.words, 0, words_size, Access::kRead));
  if (access == Access::kRead) {
    KVSTORE_ASSIGN_OR_RETURN(region->data_,
                             MappedFile::Map(answer.data, 0, data_size, Access::kRead));
  } else {
    region->windows_ = std::make_unique<Windows>(std::move(answer.data), data_size);
  }
  return region;
}

const Word& ShmRegion::WordAt(uint64_t index) const {
  return reinterpret_cast<const Word*>(words_.data())[index];
}

Status ShmRegion::CheckBounds(uint64_t offset, uint64_t length,
                              const std::optional<Guard>& guard) const {
  if (offset > size_ || length > size_ - offset) {
    return InvalidArgumentError(std::to_string(length) + " bytes at " + std::to_string(offset) +
                                " aren't within region " + std::to_string(id_) + " of " +
                                std::to_string(size_) + " bytes");
  }
  if (guarded_ && !guard.has_value()) {
    return InvalidArgumentError("region " + std::to_string(id_) +
                                " is guarded; the copy must name the guard that it relies on");
  }
  return Status::Ok();
}

bool ShmRegion::IsClosed() const {
  return WordAt(size_ / granule_).load(std::memory_order_seq_cst) != registration_;
}

Status ShmRegion::Check(const std::optional<Guard>& guard) const {
  KVSTORE_RETURN_IF_ERROR(CheckWords(guard));
  if (!connection_->ended()) return Status::Ok();
  return UnavailableError("the connection by which the peer shares its memory has ended");
}

Status ShmRegion::CheckWords(const std::optional<Guard>& guard) const {
  if (IsClosed()) return NotFoundError("region " + std::to_string(id_) + " isn't open any more");
  if (!guard) return Status::Ok();
  // No granule begins there: nothing was ever granted under that name.
  const bool named = guard->first < size_ && guard->first % granule_ == 0;
  if (named && WordAt(guard->first / granule_).load(std::memory_order_seq_cst) <= guard->birth) {
    return Status::Ok();
  }
  return AbortedError("the memory at " + std::to_string(guard->first) + " of region " +
                      std::to_string(id_) + " is no longer that of birth " +
                      std::to_string(guard->birth));
}

Status ShmRegion::CheckAfterRead(const std::optional<Guard>& guard) const {
  FenceAfterRead();
  return Check(guard);
}

}  // namespace kvstore::transfer
