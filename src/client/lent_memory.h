#ifndef KVSTORE_SRC_CLIENT_LENT_MEMORY_H_
#define KVSTORE_SRC_CLIENT_LENT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "client/holder.h"
#include "kvstore/result.h"
#include "kvstore/shared_memory.h"
#include "kvstore/status.h"

namespace kvstore::client {

// The pages of one segment and, apart from them, its words: shared memory, whose pages are touched
// only while the machine has some to spare. Thread-compatible; movable.
class LentMemory {
 public:
  // `size`: whole granules, not 0; `granule`: a power of two, whole pages. resource_exhausted: the
  // kernel won't map so much.
  static Result<LentMemory> Map(uint64_t size, uint64_t granule);

  std::byte* base() const { return memory_.base(); }
  uint64_t size() const { return memory_.size(); }
  uint64_t granule() const { return memory_.granule(); }
  std::span<Word> words() const { return memory_.words(); }
  bool huge() const { return memory_.huge(); }
  const transfer::SharedMemory& shared() const { return memory_; }

  // Makes the pages of [begin, end) and of their words present; after OK touching them can't fail.
  // resource_exhausted: there are no pages for them, or hardly any: `available` bytes, of which the
  // rest of the machine keeps some.
  Status Touch(uint64_t begin, uint64_t end, uint64_t available);
  // As SharedMemory has it.
  void GiveBack(uint64_t begin, uint64_t end) { memory_.GiveBack(begin, end); }

 private:
  explicit LentMemory(transfer::SharedMemory memory) : memory_(std::move(memory)) {}

  transfer::SharedMemory memory_;
};

// Bytes of memory that the machine, or this process's control group, can still give without
// swapping or killing anything; the largest number when it doesn't say.
uint64_t AvailableMemory();

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_LENT_MEMORY_H_
