#ifndef KVSTORE_SRC_TRANSFER_MOVER_H_
#define KVSTORE_SRC_TRANSFER_MOVER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "kvstore/transfer.h"
#include "transfer/scatter.h"

namespace kvstore::transfer {

// Copies in memory ask this often whether they should go on: about every 100 microseconds.
inline constexpr uint64_t kMoveBytes = 1 << 20;
// What is carried at once and is at least so much is streamed: it would push as much out of the
// caches as it brings. Of writes less: who reads them does so later, and from another processor.
inline constexpr uint64_t kStreamedRead = 4 << 20;
inline constexpr uint64_t kStreamedWrite = 1 << 20;
inline bool IsStreamed(Access access, uint64_t bytes) {
  return bytes >= (access == Access::kRead ? kStreamedRead : kStreamedWrite);
}

// Moves the bytes of one copy between its pieces and memory in order, and tells its tap. Bytes that
// are told are those that were moved, whoever else writes there. Confined to one thread.
class Mover {
 public:
  // `streamed`: past the caches, which is faster where they would not hold it.
  Mover(const Copy& copy, bool streamed)
      : Mover(copy.access, ScatterCursor(copy.pieces), copy.tap, streamed) {}
  // From the middle of a copy on; `tap` null: nobody listens here.
  Mover(Access access, const ScatterCursor& begin, Tap* tap, bool streamed)
      : access_(access), tap_(tap), streamed_(streamed), cursor_(begin) {}

  // Moves the next `length` bytes, and returns when all of them are in place for all who look. The
  // pieces may be the same memory.
  void Move(std::byte* memory, uint64_t length);

 private:
  // A part of one piece.
  void MovePart(std::byte* memory, std::byte* piece, uint64_t length);
  void MoveBlock(std::byte* to, const std::byte* from, uint64_t length);

  const Access access_;
  Tap* const tap_;
  const bool streamed_;
  ScatterCursor cursor_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_MOVER_H_
