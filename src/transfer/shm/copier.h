#ifndef KVSTORE_SRC_TRANSFER_SHM_COPIER_H_
#define KVSTORE_SRC_TRANSFER_SHM_COPIER_H_

#include <cstddef>
#include <functional>

#include "kvstore/result.h"
#include "transfer/guards.h"
#include "transfer/shm/ledger.h"
#include "transfer/shm/region.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// How bytes are moved through shared memory (docs/decisions/0004-shared-memory.md): a read copies
// first and then looks whether the memory still stood; a write announces what it touches before it
// looks whether it may. Thread-safe.
class ShmCopier {
 public:
  explicit ShmCopier(const TransferGuards& guards) : guards_(guards) {}

  // Carries one copy of the parcel, `streamed` as Mover has it. OK: done; else it has failed, and
  // touches nothing any more.
  Status Copy(const ShmRegion& region, const Parcel& parcel, size_t index, bool streamed) const;

  // Announces a stretch of the region, and then looks whether it may be touched: as long as the
  // announcement lives, if so. `wait_until_free`: as LedgerWriter::WaitForCopySlot, or an error.
  Result<Announcement> Announce(const ShmRegion& region, SlotKind kind, const Stretch& stretch,
                                const std::optional<Guard>& guard,
                                const std::function<Status()>& wait_until_free) const;

 private:
  Status Read(const ShmRegion& region, const Parcel& parcel, size_t index, bool streamed) const;
  Status Write(const ShmRegion& region, const Parcel& parcel, size_t index, bool streamed) const;
  Status Move(const ShmRegion& region, const Parcel& parcel, size_t index, bool streamed,
              std::byte* memory) const;
  void Step(ShmStep step) const {
    if (guards_.at_step) guards_.at_step(step);
  }

  const TransferGuards guards_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_COPIER_H_
