#include "transfer/shm/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "transfer/guards.h"

namespace kvstore::transfer {

Result<uint64_t> SealedSize(const FileDescriptor& file) {
  constexpr int kForGood = F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = fcntl(file.get(), F_GET_SEALS);
  struct stat facts {};
  if (seals < 0 || (seals & kForGood) != kForGood || fstat(file.get(), &facts) != 0) {
    return FailedPreconditionError("the peer's file may change its size, or is no memory at all");
  }
  return static_cast<uint64_t>(facts.st_size);
}

Result<MappedFile> MappedFile::Map(const FileDescriptor& file, uint64_t offset, uint64_t bytes,
                                   Access access) {
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const start =
      mmap(nullptr, bytes, protection, MAP_SHARED, file.get(), static_cast<off_t>(offset));
  if (start == MAP_FAILED) {
    return FailedPreconditionError("can't map " + std::to_string(bytes) + " shared bytes (" +
                                   std::strerror(errno) + ")");
  }
  MappedFile mapped;
  mapped.data_ = static_cast<std::byte*>(start);
  mapped.size_ = bytes;
  madvise(start, bytes, MADV_DONTDUMP);
  if (MappingGuards().mappings_end_at_a_fork && madvise(start, bytes, MADV_DONTFORK) != 0) {
    return FailedPreconditionError(std::string("can't keep shared memory from children (") +
                                   std::strerror(errno) + ")");
  }
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace kvstore::transfer
