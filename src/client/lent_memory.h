#ifndef KVSTORE_SRC_CLIENT_LENT_MEMORY_H_
#define KVSTORE_SRC_CLIENT_LENT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "client/holder.h"
#include "kvstore/result.h"
#include "kvstore/status.h"

namespace kvstore::client {

// The pages of one segment and, apart from them, its words. Anonymous memory, on huge pages where
// there are any; not inherited by children, not in core files. No page is there before it is
// touched, all hold zeros then. Thread-compatible; movable.
class LentMemory {
 public:
  // `size`: whole granules, not 0; `granule`: a power of two, whole pages. resource_exhausted: the
  // kernel won't map so much.
  static Result<LentMemory> Map(uint64_t size, uint64_t granule);

  LentMemory(LentMemory&& other) noexcept;
  LentMemory& operator=(LentMemory&& other) noexcept;
  ~LentMemory();

  std::byte* base() const { return static_cast<std::byte*>(pages_.start); }
  uint64_t size() const { return size_; }
  uint64_t granule() const { return granule_; }
  std::span<Word> words() const;
  bool huge() const { return huge_; }

  // Makes the pages of [begin, end) and of their words present; after OK touching them can't fail.
  // resource_exhausted: there are no pages for them, or hardly any: `available` bytes, of which the
  // rest of the machine keeps some.
  Status Touch(uint64_t begin, uint64_t end, uint64_t available);

 private:
  struct Mapping {
    void* start = nullptr;
    size_t bytes = 0;
  };

  LentMemory(uint64_t size, uint64_t granule) : size_(size), granule_(granule) {}
  void Unmap();

  uint64_t size_ = 0;
  uint64_t granule_ = 0;
  bool huge_ = false;  // of the kernel's reserve of huge pages, not by its own choice
  Mapping pages_;
  Mapping words_;
};

// Bytes of memory that the machine, or this process's control group, can still give without
// swapping or killing anything; the largest number when it doesn't say.
uint64_t AvailableMemory();

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_LENT_MEMORY_H_
