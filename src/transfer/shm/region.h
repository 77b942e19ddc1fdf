#ifndef KVSTORE_SRC_TRANSFER_SHM_REGION_H_
#define KVSTORE_SRC_TRANSFER_SHM_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/guards.h"
#include "transfer/shm/connection.h"
#include "transfer/shm/mapped_file.h"
#include "transfer/shm/windows.h"

namespace kvstore::transfer {

// A region of a peer, as this process reaches it for one kind of access. Whoever touches its memory
// keeps it alive, also when the connection that brought it has ended. Thread-safe.
class ShmRegion {
 public:
  // Takes what the holder answered; trusts nothing of it. unavailable: it makes no sense, or can't
  // be mapped.
  static Result<std::shared_ptr<ShmRegion>> Create(std::shared_ptr<ShmConnection> connection,
                                                   RegionId id, Access access,
                                                   ShmConnection::Answer answer);

  RegionId id() const { return id_; }
  LedgerWriter& ledger() const { return connection_->ledger(); }

  // What no word can make good: bounds, and a guard that isn't named. invalid_argument.
  Status CheckBounds(uint64_t offset, uint64_t length, const std::optional<Guard>& guard) const;
  // Reads the words, sequentially consistently. OK: the region is open, and the memory is still
  // that of the guard's birth. not_found; aborted.
  Status CheckWords(const std::optional<Guard>& guard) const;
  // The same, for what is about to touch the memory. unavailable: the connection has ended, so that
  // the holder may look no more for what begins.
  Status Check(const std::optional<Guard>& guard) const;
  // After the last byte of a read was taken: the same, of the time after that.
  Status CheckAfterRead(const std::optional<Guard>& guard) const;

  // Whether this registration of the memory is over, for good.
  bool IsClosed() const;

  // Of a kRead region: where it begins.
  std::byte* data() const { return data_.data(); }
  // Of a kWrite region.
  Windows& windows() const { return *windows_; }

 private:
  ShmRegion() = default;
  const Word& WordAt(uint64_t index) const;

  std::shared_ptr<ShmConnection> connection_;
  RegionId id_ = 0;
  bool guarded_ = false;
  uint64_t size_ = 0;
  uint64_t granule_ = 0;
  uint64_t registration_ = 0;
  MappedFile words_;
  MappedFile data_;                   // kRead
  std::unique_ptr<Windows> windows_;  // kWrite
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_REGION_H_
