#ifndef KVSTORE_TOOLS_KVBENCH_WALK_H_
#define KVSTORE_TOOLS_KVBENCH_WALK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "kvstore/result.h"
#include "kvstore/shared_memory.h"

namespace kvstore::bench {

// Memory to be walked through stretch by stretch, and again from its start: none of it is in a
// cache when it is come to, if it is large, and all of it is, if it is small. Its pages are there
// from the beginning. Confined to one thread.
class Walk {
 public:
  // As a program's own memory.
  static Result<Walk> Private(uint64_t size);
  // As what a node lends.
  static Result<Walk> Shared(uint64_t size);

  // The next stretch; `size` is no more than that of the whole.
  std::span<std::byte> Next(uint64_t size);
  // As walks of their own, which this outlives: the `index`th of so many equal parts; the first
  // bytes.
  Walk Part(size_t index, size_t parts) const;
  Walk Beginning(uint64_t size) const { return {base_, size}; }
  std::span<std::byte> all() const { return {base_, size_}; }

 private:
  Walk(std::byte* base, uint64_t size) : base_(base), size_(size) {}

  std::shared_ptr<std::byte> private_;  // unmaps it
  std::optional<transfer::SharedMemory> shared_;
  std::byte* base_;
  uint64_t size_;
  uint64_t at_ = 0;
};

// Bytes that don't repeat.
void Fill(std::span<std::byte> bytes);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_WALK_H_
