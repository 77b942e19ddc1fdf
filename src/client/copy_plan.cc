#include "client/copy_plan.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace kvstore::client {
namespace {

// Room for the pieces of small objects; a batch of them so takes one allocation, not one each.
constexpr size_t kKeptTogether = 32;

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

  // The next `size` bytes; the pieces hold at least as many. Until the next call.
  std::span<const Piece> Take(uint64_t size) {
    if (std::optional<Piece> one = TakeOne(size)) {
      one_ = *one;
      return {&one_, 1};
    }
    taken_.clear();
    while (size > 0) {
      const AnyPiece& piece = pieces_[next_];
      const uint64_t part = std::min(size, piece.size - used_);
      if (part > 0) taken_.push_back({At(piece, used_), part});
      size -= part;
      used_ += part;
      if (used_ == piece.size) {
        ++next_;
        used_ = 0;
      }
    }
    return taken_;
  }

 private:
  // If they lie in the piece that is come to.
  std::optional<Piece> TakeOne(uint64_t size) {
    if (size == 0 || pieces_[next_].size - used_ < size) return std::nullopt;
    const Piece taken{At(pieces_[next_], used_), size};
    used_ += size;
    return taken;
  }

  // The transfer layer's pieces serve both directions; a write's pieces are only read from.
  static void* At(const AnyPiece& piece, uint64_t offset) {
    return static_cast<char*>(const_cast<void*>(piece.data)) + offset;
  }

  const std::span<const AnyPiece> pieces_;
  size_t next_ = 0;    // piece to take from
  uint64_t used_ = 0;  // bytes of it already handed out
  Piece one_;
  std::vector<Piece> taken_;
};

}  // namespace

transfer::Copy CopyOf(transfer::Access access, std::span<const Piece> pieces, const Range& range,
                      uint64_t offset, const Replica& replica, transfer::PeerId peer) {
  return {.access = access,
          .peer = peer,
          .region = replica.segment.index,
          .offset = range.offset + offset,
          .pieces = pieces,
          .guard = transfer::Guard{range.offset, replica.birth}};
}

template <typename AnyPiece>
Result<CopyPlan::Span> CopyPlan::Add(transfer::Access access, std::span<const AnyPiece> pieces,
                                     const transfer::Stretch& part, const Replica& replica,
                                     transfer::PeerId peer, transfer::Tap* tap) {
  const uint64_t end = SaturatingSum(part.offset, part.length);
  if (BytesIn(replica) < end || BytesIn(pieces) < part.length) {
    return InternalError("bytes " + std::to_string(part.offset) + " to " + std::to_string(end) +
                         " of an object, ranges of " + std::to_string(BytesIn(replica)) +
                         ", pieces of " + std::to_string(BytesIn(pieces)) + "; report this");
  }
  Span span{copies_.size(), copies_.size()};
  PieceReader<AnyPiece> reader(pieces);
  uint64_t begin = 0;  // of the range, in the object
  for (const Range& range : replica.ranges) {
    const uint64_t from = std::max(begin, part.offset);
    const uint64_t next = SaturatingSum(begin, range.length);
    const uint64_t to = std::min(next, end);  // the last range has slack to its granule
    if (from < to) AddCopy(access, reader.Take(to - from), range, from - begin, replica, peer);
    begin = next;
    if (begin >= end) break;
  }
  span.end = copies_.size();
  if (span.begin < span.end) copies_[span.begin].tap = tap;
  return span;
}

std::span<const Piece> CopyPlan::Keep(std::span<const Piece> pieces) {
  if (pieces.empty()) return {};
  if (kept_.empty() || kept_.back().capacity() - kept_.back().size() < pieces.size()) {
    kept_.emplace_back().reserve(std::max(pieces.size(), kKeptTogether));
  }
  std::vector<Piece>& kept = kept_.back();
  const size_t begin = kept.size();
  kept.insert(kept.end(), pieces.begin(), pieces.end());
  return std::span(kept).subspan(begin);
}

void CopyPlan::AddCopy(transfer::Access access, std::span<const Piece> pieces, const Range& range,
                       uint64_t offset, const Replica& replica, transfer::PeerId peer) {
  copies_.push_back(CopyOf(access, Keep(pieces), range, offset, replica, peer));
}

Result<CopyPlan::Span> CopyPlan::AddWrite(std::span<const ConstPiece> pieces, uint64_t size,
                                          const Replica& replica, transfer::PeerId peer,
                                          transfer::Tap* tap) {
  return Add(transfer::Access::kWrite, pieces, {0, size}, replica, peer, tap);
}

Result<CopyPlan::Span> CopyPlan::AddRead(std::span<const Piece> pieces,
                                         const transfer::Stretch& part, const Replica& replica,
                                         transfer::PeerId peer, transfer::Tap* tap, bool proven) {
  if (part.length > 0) {
    KVSTORE_ASSIGN_OR_RETURN(const Span span,
                             Add(transfer::Access::kRead, pieces, part, replica, peer, tap));
    for (size_t i = span.begin; i < span.end; ++i) copies_[i].proven = proven;
    return span;
  }
  if (replica.ranges.empty()) return InternalError("a replica without ranges; report this");
  AddCopy(transfer::Access::kRead, {}, replica.ranges.front(), 0, replica, peer);
  return Span{copies_.size() - 1, copies_.size()};
}

}  // namespace kvstore::client
