#include "client/copy_plan.h"

#include <algorithm>
#include <limits>
#include <string>

namespace kvstore::client {
namespace {

uint64_t SaturatingSum(uint64_t a, uint64_t b) {
  return b > std::numeric_limits<uint64_t>::max() - a ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

uint64_t BytesIn(const Replica& replica) {
  uint64_t sum = 0;
  for (const Range& range : replica.ranges) sum = SaturatingSum(sum, range.length);
  return sum;
}

template <typename AnyPiece>
uint64_t BytesIn(std::span<const AnyPiece> pieces) {
  uint64_t sum = 0;
  for (const AnyPiece& piece : pieces) sum = SaturatingSum(sum, piece.size);
  return sum;
}

// Walks through pieces once, handing out their bytes in order as sub-pieces.
template <typename AnyPiece>
class PieceReader {
 public:
  explicit PieceReader(std::span<const AnyPiece> pieces) : pieces_(pieces) {}

  // The next `size` bytes; the pieces hold at least as many.
  std::vector<Piece> Take(uint64_t size) {
    std::vector<Piece> taken;
    while (size > 0) {
      const AnyPiece& piece = pieces_[next_];
      const uint64_t part = std::min(size, piece.size - used_);
      if (part > 0) taken.push_back({At(piece, used_), part});
      size -= part;
      used_ += part;
      if (used_ == piece.size) {
        ++next_;
        used_ = 0;
      }
    }
    return taken;
  }

 private:
  // The transfer layer's pieces serve both directions; a write's pieces are only read from.
  static void* At(const AnyPiece& piece, uint64_t offset) {
    return static_cast<char*>(const_cast<void*>(piece.data)) + offset;
  }

  const std::span<const AnyPiece> pieces_;
  size_t next_ = 0;    // piece to take from
  uint64_t used_ = 0;  // bytes of it already handed out
};

}  // namespace

template <typename AnyPiece>
Result<CopyPlan::Span> CopyPlan::Add(transfer::Access access, std::span<const AnyPiece> pieces,
                                     uint64_t size, const Replica& replica, transfer::PeerId peer) {
  if (BytesIn(replica) < size || BytesIn(pieces) < size) {
    return InternalError("an object of " + std::to_string(size) + " bytes, ranges of " +
                         std::to_string(BytesIn(replica)) + ", pieces of " +
                         std::to_string(BytesIn(pieces)) + "; report this");
  }
  Span span{copies_.size(), copies_.size()};
  PieceReader<AnyPiece> reader(pieces);
  uint64_t left = size;
  for (const Range& range : replica.ranges) {
    const uint64_t part = std::min(left, range.length);  // the last range has slack to its granule
    if (part == 0) continue;
    scatter_lists_.push_back(reader.Take(part));
    copies_.push_back({.access = access,
                       .peer = peer,
                       .region = replica.segment.index,
                       .offset = range.offset,
                       .pieces = scatter_lists_.back(),
                       .guard = transfer::Guard{range.offset, replica.birth}});
    left -= part;
  }
  span.end = copies_.size();
  return span;
}

Result<CopyPlan::Span> CopyPlan::AddWrite(std::span<const ConstPiece> pieces, uint64_t size,
                                          const Replica& replica, transfer::PeerId peer) {
  return Add(transfer::Access::kWrite, pieces, size, replica, peer);
}

Result<CopyPlan::Span> CopyPlan::AddRead(std::span<const Piece> pieces, uint64_t size,
                                         const Replica& replica, transfer::PeerId peer) {
  return Add(transfer::Access::kRead, pieces, size, replica, peer);
}

}  // namespace kvstore::client
