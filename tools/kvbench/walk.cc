#include "tools/kvbench/walk.h"

#include <sys/mman.h>

#include <cstring>
#include <string>
#include <utility>

namespace kvstore::bench {

Result<Walk> Walk::Private(uint64_t size) {
  void* const pages =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    return ResourceExhaustedError("no memory for " + std::to_string(size) + " bytes");
  }
  Walk walk(static_cast<std::byte*>(pages), size);
  walk.private_ = {walk.base_, [size](std::byte* base) { munmap(base, size); }};
  Fill(walk.all());
  return walk;
}

Result<Walk> Walk::Shared(uint64_t size) {
  constexpr uint64_t kGranule = 4096;
  const uint64_t whole = (size + kGranule - 1) / kGranule * kGranule;
  KVSTORE_ASSIGN_OR_RETURN(transfer::SharedMemory memory,
                           transfer::SharedMemory::Create(whole, kGranule));
  KVSTORE_RETURN_IF_ERROR(memory.Touch(0, whole));
  Walk walk(memory.base(), size);
  walk.shared_ = std::move(memory);
  Fill(walk.all());
  return walk;
}

std::span<std::byte> Walk::Next(uint64_t size) {
  if (at_ + size > size_) at_ = 0;
  const std::span<std::byte> stretch(base_ + at_, size);
  at_ += size;
  return stretch;
}

Walk Walk::Part(size_t index, size_t parts) const {
  return {base_ + size_ / parts * index, size_ / parts};
}

void Fill(std::span<std::byte> bytes) {
  uint64_t state = 0x9e3779b97f4a7c15;
  for (size_t at = 0; at < bytes.size(); at += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(bytes.data() + at, &state, std::min(sizeof(state), bytes.size() - at));
  }
}

}  // namespace kvstore::bench
