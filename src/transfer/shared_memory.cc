#include "kvstore/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "transfer/guards.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kHugePage = 2u << 20;
// How often the kernel may say that it has no pages just now.
constexpr int kPopulateTries = 100;

uint64_t PageBytes() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }
uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
uint64_t RoundDown(uint64_t value, uint64_t unit) { return value / unit * unit; }

// By `errno`. Only for want of memory does it help to lend less.
Status MapError(uint64_t bytes) {
  std::string why = "can't map " + std::to_string(bytes) + " bytes to share (";
  why += std::strerror(errno);
  why += errno == ENOMEM  ? "); lend less"
         : errno == EFBIG ? "); lend less, or raise the limit of a file's size (ulimit -f)"
                          : ")";
  return ResourceExhaustedError(why);
}

// Beyond the limit of a file's size the kernel ends the process, rather than fail.
bool MayBeSoLarge(uint64_t bytes) {
  rlimit limit{};
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || bytes <= limit.rlim_cur;
}

// An anonymous file of so many bytes, for good; -1 with errno.
int MakeFile(const char* name, uint64_t bytes, unsigned flags) {
  if (!MayBeSoLarge(bytes)) {
    errno = EFBIG;
    return -1;
  }
  const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
  if (fd < 0) return -1;
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
    return fd;
  }
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

void* MapFile(int fd, uint64_t bytes) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

// Maps the file at a multiple of a huge page, so that the kernel can use huge pages throughout.
void* MapAligned(int fd, uint64_t bytes) {
  void* const raw = mmap(nullptr, bytes + kHugePage, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return raw;
  char* const start = static_cast<char*>(raw);
  const uint64_t head =
      RoundUp(reinterpret_cast<uintptr_t>(raw), kHugePage) - reinterpret_cast<uintptr_t>(raw);
  if (head > 0) munmap(start, head);
  if (head < kHugePage) munmap(start + head + bytes, kHugePage - head);
  void* const mapped =
      mmap(start + head, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  if (mapped == MAP_FAILED) {
    const int why = errno;
    munmap(start + head, bytes);
    errno = why;
  }
  return mapped;
}

// Whether the kernel made the pages present; otherwise `errno` says why not.
bool Populate(void* start, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  return madvise(start, bytes, MADV_POPULATE_WRITE) == 0;
#else
  errno = EINVAL;
  return false;
#endif
}

// Whole pages around [begin, end) of a mapping.
Status MakePresent(void* base, uint64_t begin, uint64_t end) {
  const uint64_t page = PageBytes();
  begin = RoundDown(begin, page);
  end = RoundUp(end, page);
  char* const start = static_cast<char*>(base) + begin;
  int tries = kPopulateTries;
  while (!Populate(start, end - begin)) {
    if (errno == EINTR || (errno == EAGAIN && --tries > 0)) continue;
    if (errno != EINVAL) {
      return ResourceExhaustedError("can't have the pages of bytes " + std::to_string(begin) +
                                    " to " + std::to_string(end) + " (" + std::strerror(errno) +
                                    ")");
    }
    // A kernel before 5.14. An atomic that adds nothing: words that share a page are in use.
    for (char* at = start; at < start + (end - begin); at += page) {
      __atomic_fetch_add(at, 0, __ATOMIC_RELAXED);
    }
    break;
  }
  return Status::Ok();
}

}  // namespace

Result<SharedMemory> SharedMemory::Create(uint64_t size, uint64_t granule) {
  if (granule == 0 || (granule & (granule - 1)) != 0 || granule % PageBytes() != 0) {
    return InvalidArgumentError("a granule of " + std::to_string(granule) +
                                " bytes is no power of two of whole pages");
  }
  if (size == 0 || size % granule != 0) {
    return InvalidArgumentError(std::to_string(size) + " bytes are not whole granules of " +
                                std::to_string(granule));
  }
  if (size > std::numeric_limits<int64_t>::max() / 2) {
    errno = ENOMEM;
    return MapError(size);
  }
  SharedMemory memory;
  memory.size_ = size;
  memory.granule_ = granule;
  memory.mapped_ = RoundUp(size, kHugePage);

  void* pages = MAP_FAILED;
  memory.data_fd_ = MakeFile("kvstore", memory.mapped_, MFD_HUGETLB);
  // Mapping takes the pages out of the kernel's reserve, or fails.
  if (memory.data_fd_ >= 0) pages = MapFile(memory.data_fd_, memory.mapped_);
  memory.huge_ = pages != MAP_FAILED;
  if (!memory.huge_) {
    if (memory.data_fd_ >= 0) close(memory.data_fd_);
    memory.data_fd_ = MakeFile("kvstore", memory.mapped_, 0);
    if (memory.data_fd_ < 0) return MapError(size);
    pages = MapAligned(memory.data_fd_, memory.mapped_);
    if (pages == MAP_FAILED) return MapError(size);
    madvise(pages, memory.mapped_, MADV_HUGEPAGE);  // a wish: refused where huge pages are off
  }
  memory.base_ = static_cast<std::byte*>(pages);

  // One word more than there are granules: see SharedFiles.
  memory.words_mapped_ = RoundUp((size / granule + 1) * sizeof(Word), PageBytes());
  memory.words_fd_ = MakeFile("kvstore-words", memory.words_mapped_, 0);
  if (memory.words_fd_ < 0) return MapError(memory.words_mapped_);
  void* const words = MapFile(memory.words_fd_, memory.words_mapped_);
  if (words == MAP_FAILED) return MapError(memory.words_mapped_);
  memory.words_ = words;
  // The engine writes the word behind the last granule's, whether or not that granule is in use.
  const uint64_t behind = size / granule * sizeof(Word);
  KVSTORE_RETURN_IF_ERROR(MakePresent(words, behind, behind + sizeof(Word)));
  // The mapping above is the last that may be written through.
  const MappingGuards guards;
  if (guards.words_are_the_holders &&
      fcntl(memory.words_fd_, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0) {
    return FailedPreconditionError(std::string("this kernel can't seal memory against writing (") +
                                   std::strerror(errno) + "); Linux 5.1 and later can");
  }
  for (const auto& [start, bytes] :
       {std::pair(pages, memory.mapped_), {words, memory.words_mapped_}}) {
    madvise(start, bytes, MADV_DONTDUMP);
    if (guards.mappings_end_at_a_fork && madvise(start, bytes, MADV_DONTFORK) != 0) {
      return MapError(bytes);
    }
  }
  return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept { *this = std::move(other); }

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(size_, other.size_);
  std::swap(granule_, other.granule_);
  std::swap(huge_, other.huge_);
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
  std::swap(words_, other.words_);
  std::swap(words_mapped_, other.words_mapped_);
  std::swap(data_fd_, other.data_fd_);
  std::swap(words_fd_, other.words_fd_);
  std::swap(keeps_pages_, other.keeps_pages_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (base_ != nullptr) munmap(base_, mapped_);
  if (words_ != nullptr) munmap(words_, words_mapped_);
  if (data_fd_ >= 0) close(data_fd_);
  if (words_fd_ >= 0) close(words_fd_);
}

std::span<Word> SharedMemory::words() const {
  // Zero bytes are a Word of 0: a lock-free atomic without a destructor to run.
  static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(uint64_t));
  return {static_cast<Word*>(words_), size_ / granule_};
}

Status SharedMemory::Touch(uint64_t begin, uint64_t end) {
  KVSTORE_RETURN_IF_ERROR(MakePresent(base_, begin, end));
  return MakePresent(words_, begin / granule_ * sizeof(Word),
                     RoundUp(end, granule_) / granule_ * sizeof(Word));
}

void SharedMemory::GiveBack(uint64_t begin, uint64_t end) {
  const uint64_t page = PageBytes();
  begin = RoundUp(begin, page);
  end = RoundDown(end, page);
  // It can't fail for memory that is mapped so; and where it did, the pages would merely stay.
  if (huge_ || keeps_pages_ || begin >= end) return;
  (void)madvise(base_ + begin, end - begin, MADV_REMOVE);
}

}  // namespace kvstore::transfer
