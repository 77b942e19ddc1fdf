#ifndef KVSTORE_SRC_TRANSFER_SHM_MAPPED_FILE_H_
#define KVSTORE_SRC_TRANSFER_SHM_MAPPED_FILE_H_

#include <cstddef>
#include <cstdint>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/shm/file_descriptor.h"

namespace kvstore::transfer {

// The size of an anonymous file that can neither shrink nor grow, so that what is mapped of it can
// always be touched. failed_precondition: it is no such file.
Result<uint64_t> SealedSize(const FileDescriptor& file);

// A stretch of a file mapped into this process, shared with all who map it. Not inherited by forked
// children, not in core files. Unmapped when destroyed. Thread-compatible; movable.
class MappedFile {
 public:
  // `offset` and `bytes`: whole pages of the file's kind, within it. kWrite: reading, too.
  // failed_precondition: the kernel won't, not with this file, or not so much.
  static Result<MappedFile> Map(const FileDescriptor& file, uint64_t offset, uint64_t bytes,
                                Access access);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // kRead: only to be read.
  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_MAPPED_FILE_H_
