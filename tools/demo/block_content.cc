#include "tools/demo/block_content.h"

#include <array>
#include <cstdio>

namespace kvstore::demo {
namespace {

// A bijection of 64 bits (the finalizer of MurmurHash3's kind: multiply and fold), cheap enough to
// compute faster than memory can be read.
uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  return x ^ (x >> 32);
}

uint64_t WordAt(uint64_t seed, uint64_t place) { return Mix(seed + place); }

// Seeds of different blocks lie far apart, so that their runs of places don't overlap.
uint64_t SeedOf(uint64_t block) { return (block + 1) * 0x9e3779b97f4a7c15ULL; }

}  // namespace

std::string KeyOfBlock(uint64_t block) {
  std::array<char, 40> key{};
  std::snprintf(key.data(), key.size(), "demo/block/%012llu",
                static_cast<unsigned long long>(block));
  return key.data();
}

void FillBlock(uint64_t block, std::span<uint64_t> content) {
  const uint64_t seed = SeedOf(block);
  for (size_t i = 0; i < content.size(); ++i) content[i] = WordAt(seed, i);
}

uint64_t CountWrongBytes(uint64_t block, std::span<const uint64_t> content) {
  const uint64_t seed = SeedOf(block);
  uint64_t differing = 0;
  for (size_t i = 0; i < content.size(); ++i) differing |= content[i] ^ WordAt(seed, i);
  if (differing == 0) return 0;
  uint64_t wrong = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    for (uint64_t rest = content[i] ^ WordAt(seed, i); rest != 0; rest >>= 8) {
      wrong += (rest & 0xff) != 0;
    }
  }
  return wrong;
}

}  // namespace kvstore::demo
