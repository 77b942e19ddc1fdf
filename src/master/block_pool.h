#ifndef KVSTORE_SRC_MASTER_BLOCK_POOL_H_
#define KVSTORE_SRC_MASTER_BLOCK_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace kvstore::master {

// Memory for millions of small blocks of many sizes: without malloc's 8 to 16 bytes for each, and
// without the holes that are left where they lie among what comes and goes. Blocks of one size, in
// steps of 8 bytes, lie together in chunks of 64 KiB; a chunk goes back when its last block does.
// What is larger comes from malloc. Thread-compatible.
class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // Every block has been given back.
  ~BlockPool();

  // Aligned to 8 bytes.
  void* Take(size_t bytes);
  // What Take gave for so many.
  void Give(void* block, size_t bytes);

 private:
  static constexpr size_t kStep = 8;
  static constexpr size_t kLargest = 512;
  static constexpr size_t kChunkBytes = size_t{64} << 10;

  struct FreeBlock {
    FreeBlock* next;
  };
  struct Chunk {
    Chunk* previous;  // of those of its size that have room
    Chunk* next;
    FreeBlock* free;  // that have been given back
    uint32_t used;    // blocks that are taken
    uint32_t fresh;   // those from this one on have never been
  };

  static size_t ClassOf(size_t bytes) { return (bytes + kStep - 1) / kStep; }
  static size_t Capacity(size_t size_class) {
    return (kChunkBytes - sizeof(Chunk)) / (size_class * kStep);
  }
  void Link(size_t size_class, Chunk* chunk);
  void Unlink(size_t size_class, Chunk* chunk);

  std::array<Chunk*, kLargest / kStep + 1> with_room_{};  // by size
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_BLOCK_POOL_H_
