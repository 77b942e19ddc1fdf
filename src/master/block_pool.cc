#include "master/block_pool.h"

#include <cassert>
#include <new>

#include "master/table_memory.h"

namespace kvstore::master {

BlockPool::~BlockPool() {
  for (const Chunk* chunk : with_room_) assert(!chunk);
}

void* BlockPool::Take(size_t bytes) {
  if (bytes > kLargest) return ::operator new(bytes);
  const size_t size_class = ClassOf(bytes);
  Chunk* chunk = with_room_[size_class];
  if (!chunk) {
    chunk = new (TakeTableMemory(kChunkBytes)) Chunk{};
    Link(size_class, chunk);
  }
  ++chunk->used;
  void* block = chunk->free;
  if (block) {
    chunk->free = chunk->free->next;
  } else {
    block = reinterpret_cast<std::byte*>(chunk + 1) + chunk->fresh++ * size_class * kStep;
  }
  if (chunk->used == Capacity(size_class)) Unlink(size_class, chunk);
  return block;
}

void BlockPool::Give(void* block, size_t bytes) {
  if (bytes > kLargest) return ::operator delete(block);
  const size_t size_class = ClassOf(bytes);
  const auto address = reinterpret_cast<uintptr_t>(block);
  auto* const chunk =
      reinterpret_cast<Chunk*>(static_cast<std::byte*>(block) - address % kChunkBytes);
  if (chunk->used == Capacity(size_class)) Link(size_class, chunk);
  if (--chunk->used > 0) {
    chunk->free = new (block) FreeBlock{chunk->free};
    return;
  }
  Unlink(size_class, chunk);
  GiveTableMemory(chunk, kChunkBytes);
}

void BlockPool::Link(size_t size_class, Chunk* chunk) {
  Chunk*& first = with_room_[size_class];
  chunk->previous = nullptr;
  chunk->next = first;
  if (first) first->previous = chunk;
  first = chunk;
}

void BlockPool::Unlink(size_t size_class, Chunk* chunk) {
  (chunk->previous ? chunk->previous->next : with_room_[size_class]) = chunk->next;
  if (chunk->next) chunk->next->previous = chunk->previous;
}

}  // namespace kvstore::master
