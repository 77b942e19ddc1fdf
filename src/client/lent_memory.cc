#include "client/lent_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace kvstore::client {
namespace {

constexpr uint64_t kHugePage = 2u << 20;
// Left to the rest of the machine: a lender that takes the last page gets somebody killed.
constexpr uint64_t kReserve = 64u << 20;
constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
uint64_t RoundDown(uint64_t value, uint64_t unit) { return value / unit * unit; }

uint64_t PageBytes() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

Status MapError(uint64_t bytes) {
  return ResourceExhaustedError("can't map " + std::to_string(bytes) + " bytes to lend (" +
                                std::strerror(errno) + "); lend less");
}

void* MapAnonymous(size_t bytes, int flags) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

// Maps `bytes` at a multiple of a huge page, so that the kernel can use huge pages throughout.
void* MapAligned(size_t bytes) {
  void* const raw = MapAnonymous(bytes + kHugePage, 0);
  if (raw == MAP_FAILED) return raw;
  char* const start = static_cast<char*>(raw);
  const uint64_t head =
      RoundUp(reinterpret_cast<uintptr_t>(raw), kHugePage) - reinterpret_cast<uintptr_t>(raw);
  if (head > 0) munmap(start, head);
  if (head < kHugePage) munmap(start + head + bytes, kHugePage - head);
  return start + head;
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
  while (!Populate(start, end - begin)) {
    if (errno == EINTR || errno == EAGAIN) continue;
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

// The number in a one-line file of the kernel's; kUnknown when there is none ("max").
uint64_t ReadNumber(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : kUnknown;
}

// The number behind `name` in a file of such lines; kUnknown when there is none.
uint64_t ReadNumber(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    uint64_t number = 0;
    if (word == name && file >> number) return number;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kUnknown;
}

// What this process's control group has left to it; kUnknown: no limit. Files that it may drop from
// memory don't count as used.
uint64_t AvailableToGroup() {
  const uint64_t limit = ReadNumber("/sys/fs/cgroup/memory.max");
  const uint64_t used = ReadNumber("/sys/fs/cgroup/memory.current");
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  const uint64_t dropped = ReadNumber("/sys/fs/cgroup/memory.stat", "inactive_file");
  const uint64_t kept = used - std::min(used, dropped == kUnknown ? 0 : dropped);
  return limit - std::min(limit, kept);
}

}  // namespace

Result<LentMemory> LentMemory::Map(uint64_t size, uint64_t granule) {
  if (size > std::numeric_limits<uint64_t>::max() / 2) return MapError(size);
  LentMemory memory(size, granule);
  const size_t page_bytes = RoundUp(size, kHugePage);
  void* pages = MapAnonymous(page_bytes, MAP_HUGETLB);
  memory.huge_ = pages != MAP_FAILED;
  if (!memory.huge_) {
    pages = MapAligned(page_bytes);
    if (pages == MAP_FAILED) return MapError(size);
    madvise(pages, page_bytes, MADV_HUGEPAGE);  // a wish: refused where huge pages are off
  }
  memory.pages_ = {pages, page_bytes};

  const size_t word_bytes = RoundUp(size / granule * sizeof(Word), PageBytes());
  void* const words = MapAnonymous(word_bytes, 0);
  if (words == MAP_FAILED) return MapError(word_bytes);
  memory.words_ = {words, word_bytes};

  for (const Mapping& mapping : {memory.pages_, memory.words_}) {
    madvise(mapping.start, mapping.bytes, MADV_DONTDUMP);
    if (madvise(mapping.start, mapping.bytes, MADV_DONTFORK) != 0) return MapError(mapping.bytes);
  }
  return memory;
}

LentMemory::LentMemory(LentMemory&& other) noexcept
    : size_(other.size_),
      granule_(other.granule_),
      huge_(other.huge_),
      pages_(std::exchange(other.pages_, {})),
      words_(std::exchange(other.words_, {})) {}

LentMemory& LentMemory::operator=(LentMemory&& other) noexcept {
  std::swap(size_, other.size_);
  std::swap(granule_, other.granule_);
  std::swap(huge_, other.huge_);
  std::swap(pages_, other.pages_);
  std::swap(words_, other.words_);
  return *this;
}

LentMemory::~LentMemory() { Unmap(); }

void LentMemory::Unmap() {
  for (const Mapping& mapping : {pages_, words_}) {
    if (mapping.start != nullptr) munmap(mapping.start, mapping.bytes);
  }
}

std::span<Word> LentMemory::words() const {
  // Zero bytes are a Word of 0: a lock-free atomic without a destructor to run.
  static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(uint64_t));
  return {static_cast<Word*>(words_.start), size_ / granule_};
}

Status LentMemory::Touch(uint64_t begin, uint64_t end, uint64_t available) {
  // Huge pages of the reserve were set aside when they were mapped.
  if (!huge_ && (available < kReserve || available - kReserve < end - begin)) {
    return ResourceExhaustedError(std::to_string(available >> 20) +
                                  " MiB of memory are available here, too few for " +
                                  std::to_string((end - begin) >> 20) + " MiB more; lend less");
  }
  KVSTORE_RETURN_IF_ERROR(MakePresent(pages_.start, begin, end));
  return MakePresent(words_.start, begin / granule_ * sizeof(Word),
                     RoundUp(end, granule_) / granule_ * sizeof(Word));
}

uint64_t AvailableMemory() {
  const uint64_t kib = ReadNumber("/proc/meminfo", "MemAvailable:");
  const uint64_t machine = kib == kUnknown ? kUnknown : kib << 10;
  return std::min(machine, AvailableToGroup());
}

}  // namespace kvstore::client
