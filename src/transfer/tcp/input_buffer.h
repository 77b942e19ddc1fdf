#ifndef KVSTORE_SRC_TRANSFER_TCP_INPUT_BUFFER_H_
#define KVSTORE_SRC_TRANSFER_TCP_INPUT_BUFFER_H_

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace kvstore::transfer {

// Bytes that came ahead: headers, and what was read along with them. Small, so that of a long frame
// nearly everything goes straight to its place. Confined to one thread.
class InputBuffer {
 public:
  static constexpr size_t kCapacity = 16 << 10;

  size_t size() const { return end_ - begin_; }
  std::span<const std::byte> bytes() const { return std::span(bytes_).subspan(begin_, size()); }
  void Drop(size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Moves up to `room` bytes out to `to`; returns how many.
  size_t MoveTo(void* to, size_t room) {
    const size_t count = std::min(room, size());
    if (count > 0) std::memcpy(to, bytes_.data() + begin_, count);
    Drop(count);
    return count;
  }

  // Where a receive may put further bytes; Received says how many it did.
  iovec FreeSpace() {
    if (begin_ > 0) {
      std::memmove(bytes_.data(), bytes_.data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    return {bytes_.data() + end_, bytes_.size() - end_};
  }
  void Received(size_t count) { end_ += count; }

 private:
  std::array<std::byte, kCapacity> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_INPUT_BUFFER_H_
