#ifndef KVSTORE_SRC_MASTER_SLAB_H_
#define KVSTORE_SRC_MASTER_SLAB_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "master/table_memory.h"

namespace kvstore::master {

// Elements in numbered slots, each at a fixed place in memory, without malloc's overhead. T keeps
// its number in a field `slot`. What they took is kept for the next ones. Thread-compatible.
template <typename T>
class Slab {
 public:
  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (size_t slot = 0; slot < slots(); ++slot) {
      if (T* const element = At(slot)) element->~T();
    }
  }

  // Slots that there are, free ones included. Only grows.
  size_t slots() const { return fresh_; }
  // null: the slot is free.
  T* At(size_t slot) const {
    Chunk& chunk = *chunks_[slot / kChunk];
    return chunk.used[slot % kChunk] ? std::launder(reinterpret_cast<T*>(Place(slot))) : nullptr;
  }

  T* New() {
    const uint32_t slot = free_ == kNone ? fresh_ : free_;
    if (slot / kChunk == chunks_.size()) chunks_.push_back(NewTablePart<Chunk>());
    std::byte* const place = Place(slot);
    if (slot == fresh_) {
      ++fresh_;
    } else {
      std::memcpy(&free_, place, sizeof(free_));
    }
    chunks_[slot / kChunk]->used.set(slot % kChunk);
    T* const element = new (place) T();
    element->slot = slot;
    return element;
  }

  void Delete(T* element) {
    const uint32_t slot = element->slot;
    element->~T();
    chunks_[slot / kChunk]->used.reset(slot % kChunk);
    std::memcpy(Place(slot), &free_, sizeof(free_));
    free_ = slot;
  }

 private:
  static constexpr size_t kChunkBytes = size_t{256} << 10;
  static constexpr size_t kChunk = kChunkBytes * 8 / (sizeof(T) * 8 + 1) - 8;
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Chunk {
    std::bitset<kChunk> used;
    // Where a slot is free again: the next such.
    alignas(T) std::array<std::byte, kChunk * sizeof(T)> places;
  };
  static_assert(sizeof(Chunk) <= kChunkBytes);

  std::byte* Place(size_t slot) const {
    return chunks_[slot / kChunk]->places.data() + slot % kChunk * sizeof(T);
  }

  std::vector<TablePart<Chunk>> chunks_;
  uint32_t fresh_ = 0;     // slots from here on have never been taken
  uint32_t free_ = kNone;  // the first of those that are free again
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SLAB_H_
