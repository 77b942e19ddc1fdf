#ifndef KVSTORE_SRC_TRANSFER_SCATTER_H_
#define KVSTORE_SRC_TRANSFER_SCATTER_H_

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kvstore/transfer.h"

namespace kvstore::transfer {

// A position in a scatter list, which only moves on. The list is borrowed. Thread-compatible value.
class ScatterCursor {
 public:
  ScatterCursor() = default;
  explicit ScatterCursor(std::span<const Piece> pieces) : pieces_(pieces) {}

  // Describes the next `length` bytes from here, as far as `out` has room; returns how many entries
  // it used. The position stays.
  size_t Gather(uint64_t length, std::span<iovec> out) const {
    size_t used = 0;
    uint64_t skip = offset_;
    for (size_t i = index_; i < pieces_.size() && length > 0 && used < out.size(); ++i, skip = 0) {
      const uint64_t size = std::min(pieces_[i].size - skip, length);
      if (size == 0) continue;
      out[used++] = {static_cast<std::byte*>(pieces_[i].data) + skip, size};
      length -= size;
    }
    return used;
  }

  // Tells of the next `length` bytes from here. The position stays.
  void Tell(uint64_t length, Tap* tap) const {
    ScatterCursor at = *this;
    std::array<iovec, 1> part{};
    for (; length > 0; length -= part[0].iov_len) {
      at.Gather(length, part);
      tap->Take({static_cast<const std::byte*>(part[0].iov_base), part[0].iov_len});
      at.Advance(part[0].iov_len);
    }
  }

  void Advance(uint64_t bytes) {
    while (bytes > 0 && index_ < pieces_.size()) {
      const uint64_t step = std::min(pieces_[index_].size - offset_, bytes);
      offset_ += step;
      bytes -= step;
      if (offset_ == pieces_[index_].size) {
        ++index_;
        offset_ = 0;
      }
    }
  }

 private:
  std::span<const Piece> pieces_;
  size_t index_ = 0;     // of the piece that holds the next byte
  uint64_t offset_ = 0;  // in that piece
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SCATTER_H_
