#ifndef KVSTORE_SRC_MASTER_SLAB_H_
#define KVSTORE_SRC_MASTER_SLAB_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

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
  size_t slots() const { return chunks_.size() * kChunk; }
  // null: the slot is free.
  T* At(size_t slot) const {
    Chunk& chunk = *chunks_[slot / kChunk];
    return chunk.used[slot % kChunk] ? std::launder(reinterpret_cast<T*>(Place(slot))) : nullptr;
  }

  T* New() {
    if (free_ == kNone) AddChunk();
    const uint32_t slot = free_;
    std::byte* const place = Place(slot);
    std::memcpy(&free_, place, sizeof(free_));
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
  static constexpr size_t kChunk = 1024;
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Chunk {
    std::bitset<kChunk> used;
    alignas(T) std::array<std::byte, kChunk * sizeof(T)> places;  // a free one: the next free slot
  };

  std::byte* Place(size_t slot) const {
    return chunks_[slot / kChunk]->places.data() + slot % kChunk * sizeof(T);
  }

  void AddChunk() {
    const size_t first = slots();
    chunks_.emplace_back(new Chunk);  // its places stay as they are
    for (size_t slot = first + kChunk; slot-- > first;) {
      std::memcpy(Place(slot), &free_, sizeof(free_));
      free_ = static_cast<uint32_t>(slot);
    }
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint32_t free_ = kNone;  // the first of all free slots
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SLAB_H_
