#ifndef KVSTORE_TOOLS_DEMO_BLOCK_CONTENT_H_
#define KVSTORE_TOOLS_DEMO_BLOCK_CONTENT_H_

#include <cstdint>
#include <span>
#include <string>

namespace kvstore::demo {

// "demo/block/000000000017".
std::string KeyOfBlock(uint64_t block);

// Stands in for a block's KV cache. Every 8 bytes depend on the block's id and on their place, so
// that a reader knows what it must find without asking anyone, and no two blocks, and no two places
// of one, hold the same. `size` is a multiple of 8.
void FillBlock(uint64_t block, std::span<uint64_t> content);

// How many bytes of `content` are not those of the block.
uint64_t CountWrongBytes(uint64_t block, std::span<const uint64_t> content);

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_BLOCK_CONTENT_H_
