#ifndef KVSTORE_SRC_TRANSFER_SHM_SHARED_FILES_H_
#define KVSTORE_SRC_TRANSFER_SHM_SHARED_FILES_H_

#include "kvstore/result.h"
#include "kvstore/shared_memory.h"
#include "kvstore/transfer.h"
#include "transfer/shm/file_descriptor.h"

namespace kvstore::transfer {

// The engine's access to the files of a shared memory, which outlives it. Thread-safe.
class SharedFiles {
 public:
  explicit SharedFiles(const SharedMemory& memory) : memory_(memory) {}

  // To be handed to a peer: what is mapped through it can be written only if kWrite was asked for.
  Result<FileDescriptor> OpenData(Access access) const;
  // The words can be read only, whoever holds the descriptor.
  Result<FileDescriptor> OpenWords() const;

  // The word behind the last granule's: which registration the memory is open under, by a number
  // that is never drawn twice; 0: none. Peers that find another number than theirs touch nothing.
  Word& registration() const {
    return static_cast<Word*>(memory_.words_)[memory_.size_ / memory_.granule_];
  }

  // From now on GiveBack leaves the pages where they are.
  static void KeepPages(const SharedMemory& memory) { memory.keeps_pages_ = true; }

  const SharedMemory& memory() const { return memory_; }

 private:
  const SharedMemory& memory_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SHARED_FILES_H_
