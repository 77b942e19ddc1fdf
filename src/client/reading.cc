#include "client/reading.h"

#include <limits>
#include <string>

namespace kvstore::client {
namespace {

uint64_t CapacityOf(const GetItem& item) {
  uint64_t capacity = 0;
  for (const Piece& piece : item.pieces) {
    const uint64_t sum = capacity + piece.size;
    if (sum < capacity) return std::numeric_limits<uint64_t>::max();
    capacity = sum;
  }
  return capacity;
}

}  // namespace

Result<transfer::Stretch> PartOf(const GetItem& item, uint64_t size) {
  const bool to_the_end = item.length == kToTheEnd;
  if (item.offset > size || (!to_the_end && item.length > size - item.offset)) {
    return InvalidArgumentError((to_the_end ? "bytes" : std::to_string(item.length) + " bytes") +
                                " from " + std::to_string(item.offset) +
                                " on were asked for; the object has " + std::to_string(size));
  }
  const transfer::Stretch part{item.offset, to_the_end ? size - item.offset : item.length};
  const uint64_t capacity = CapacityOf(item);
  if (part.length <= capacity) return part;
  return InvalidArgumentError("the object has " + std::to_string(size) + " bytes, of which " +
                              std::to_string(part.length) + " were asked for; the pieces hold " +
                              std::to_string(capacity));
}

}  // namespace kvstore::client
