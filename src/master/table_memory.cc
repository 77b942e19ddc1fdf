#include "master/table_memory.h"

#include <sys/mman.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <cstdlib>

#include "thread_annotations.h"

namespace kvstore::master {
namespace {

// AddressSanitizer looks for what is lost in malloc's memory alone.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kFromMalloc = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kFromMalloc = true;
#else
constexpr bool kFromMalloc = false;
#endif
#else
constexpr bool kFromMalloc = false;
#endif

struct FreePart {
  FreePart* next;
};

// Of each power of two those that are free. A smaller one is cut from the next larger; they are not
// put together again, since tables hardly ever shrink.
class Store {
 public:
  void* Take(size_t bytes) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    size_t size = bytes;
    while (size < kMostTableMemory && free_[IndexOf(size)] == nullptr) size *= 2;
    FreePart*& first = free_[IndexOf(size)];
    std::byte* const taken = first == nullptr ? Map() : reinterpret_cast<std::byte*>(first);
    if (first != nullptr) first = first->next;
    // The upper half of each that is cut is free.
    while (size > bytes) {
      size /= 2;
      Keep(taken + size, size);
    }
    return taken;
  }

  void Give(void* memory, size_t bytes) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Keep(memory, bytes);
  }

 private:
  static constexpr size_t kSizes = std::bit_width(kMostTableMemory / kLeastTableMemory);

  static size_t IndexOf(size_t bytes) {
    return static_cast<size_t>(std::countr_zero(bytes / kLeastTableMemory));
  }

  void Keep(void* memory, size_t bytes) REQUIRES(mu_) {
    FreePart*& first = free_[IndexOf(bytes)];
    first = new (memory) FreePart{first};
  }

  // The kernel aligns nothing to more than a page. But what follows an aligned one is aligned too;
  // else twice as much is asked for, and cut.
  static std::byte* Map() {
    constexpr size_t kBytes = kMostTableMemory;
    std::byte* begin = MapSome(kBytes);
    if (reinterpret_cast<uintptr_t>(begin) % kBytes != 0) {
      munmap(begin, kBytes);
      begin = MapSome(2 * kBytes);
      const size_t before = (kBytes - reinterpret_cast<uintptr_t>(begin) % kBytes) % kBytes;
      if (before > 0) munmap(begin, before);
      begin += before;
      munmap(begin + kBytes, kBytes - before);
    }
    madvise(begin, kBytes, MADV_HUGEPAGE);  // without, it is slower
    return begin;
  }
  static std::byte* MapSome(size_t bytes) {
    void* const mapped =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(mapped);
  }

  Mutex mu_;
  std::array<FreePart*, kSizes> free_ GUARDED_BY(mu_){};
};

Store& TheStore() {
  static auto* const store = new Store;  // tables may outlive what is destroyed at exit
  return *store;
}

}  // namespace

void* TakeTableMemory(size_t bytes) {
  assert(std::has_single_bit(bytes) && bytes >= kLeastTableMemory && bytes <= kMostTableMemory);
  if (!kFromMalloc) return TheStore().Take(bytes);
  void* memory = nullptr;
  if (posix_memalign(&memory, bytes, bytes) != 0) throw std::bad_alloc();
  return memory;
}

void GiveTableMemory(void* memory, size_t bytes) {
  if (kFromMalloc) return std::free(memory);
  TheStore().Give(memory, bytes);
}

}  // namespace kvstore::master
