#ifndef KVSTORE_SRC_TRANSFER_SHM_SHARED_REGIONS_H_
#define KVSTORE_SRC_TRANSFER_SHM_SHARED_REGIONS_H_

#include <map>
#include <vector>

#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/shm/frame.h"
#include "transfer/shm/shared_files.h"

namespace kvstore::transfer {

// The regions of this engine that other processes may map. Thread-safe; calls guards without
// holding its lock.
class SharedRegions {
 public:
  // A region as a peer gets it; both files invalid if `reply` says why not.
  struct Opened {
    ShmReply reply;
    FileDescriptor data;
    FileDescriptor words;
  };

  // Closes all that is open.
  ~SharedRegions();

  // Opens it to peers. `memory` and `guard` (null: none) live until Remove. invalid_argument:
  // an engine has that memory already.
  Status Add(RegionId id, const SharedMemory& memory, RegionGuard* guard);
  // Stores it in the memory itself that this registration is over: whoever looks from now on
  // touches nothing.
  void Close(RegionId id);
  // Closes and forgets it, when no guard of it is being called any more.
  void Remove(RegionId id);

  Opened Open(const ShmRequest& request);
  std::vector<RegionId> Ids();
  // Bytes; 0: there is no such region.
  uint64_t SizeOf(RegionId id);
  // Tells all guards that others may touch less than before.
  void CallOthersLeft();

 private:
  struct Shared {
    SharedFiles files;
    RegionGuard* guard;
    uint64_t registration;
    size_t calls = 0;  // of its guard, now
  };

  static void CloseOne(const Shared& region);

  Mutex mu_;
  CondVar call_ended_;
  std::map<RegionId, Shared> regions_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SHARED_REGIONS_H_
