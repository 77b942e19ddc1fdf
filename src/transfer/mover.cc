#include "transfer/mover.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <span>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace kvstore::transfer {
namespace {

// What is told at once: little enough to be in the first cache when it is read again. (Above 4 KiB
// the C library copies by string instructions here, which cost half of the speed.)
constexpr uint64_t kBlockBytes = 4 << 10;
constexpr uint64_t kLineBytes = 64;

bool Overlap(const std::byte* a, const std::byte* b, uint64_t length) {
  const auto from = reinterpret_cast<uintptr_t>(a);
  const auto to = reinterpret_cast<uintptr_t>(b);
  return (from < to ? to - from : from - to) < length;
}

uint64_t ToLine(const std::byte* at) {
  return (kLineBytes - reinterpret_cast<uintptr_t>(at) % kLineBytes) % kLineBytes;
}

#ifdef __SSE2__

// Copies what does not overlap; whole lines of `to` go past the caches. Others see them after a
// StreamFence.
void StreamBytes(std::byte* to, const std::byte* from, uint64_t length) {
  const uint64_t head = std::min(ToLine(to), length);
  std::memcpy(to, from, head);
  uint64_t done = head;
  for (; done + kLineBytes <= length; done += kLineBytes) {
    const auto* const source = reinterpret_cast<const __m128i*>(from + done);
    auto* const line = reinterpret_cast<__m128i*>(to + done);
    const __m128i first = _mm_loadu_si128(source);
    const __m128i second = _mm_loadu_si128(source + 1);
    const __m128i third = _mm_loadu_si128(source + 2);
    const __m128i fourth = _mm_loadu_si128(source + 3);
    _mm_stream_si128(line, first);
    _mm_stream_si128(line + 1, second);
    _mm_stream_si128(line + 2, third);
    _mm_stream_si128(line + 3, fourth);
  }
  std::memcpy(to + done, from + done, length - done);
}

void StreamFence() { _mm_sfence(); }

#else

void StreamBytes(std::byte* to, const std::byte* from, uint64_t length) {
  std::memcpy(to, from, length);
}

void StreamFence() {}

#endif

}  // namespace

void Mover::Move(std::byte* memory, uint64_t length) {
  while (length > 0) {
    std::array<iovec, 64> parts;
    const size_t count = cursor_.Gather(length, parts);
    uint64_t moved = 0;
    for (const iovec& part : std::span(parts).first(count)) {
      MovePart(memory + moved, static_cast<std::byte*>(part.iov_base), part.iov_len);
      moved += part.iov_len;
    }
    cursor_.Advance(moved);
    memory += moved;
    length -= moved;
  }
  if (streamed_) StreamFence();
}

void Mover::MovePart(std::byte* memory, std::byte* piece, uint64_t length) {
  std::byte* const to = access_ == Access::kRead ? piece : memory;
  const std::byte* const from = access_ == Access::kRead ? memory : piece;
  if (Overlap(to, from, length)) {
    std::memmove(to, from, length);
    if (tap_ != nullptr) tap_->Take({to, length});
    return;
  }
  if (tap_ == nullptr) {
    streamed_ ? StreamBytes(to, from, length) : (void)std::memcpy(to, from, length);
    return;
  }
  uint64_t block = std::min(kBlockBytes - kLineBytes + ToLine(to), length);  // to the end of a line
  for (uint64_t done = 0; done < length; done += block) {
    if (done > 0) block = std::min(kBlockBytes, length - done);
    MoveBlock(to + done, from + done, block);
  }
}

// Others may write to memory that is shared while it is read, against all rules: so what is told is
// a copy of it that nobody else has, or is where it went.
void Mover::MoveBlock(std::byte* to, const std::byte* from, uint64_t length) {
  if (!streamed_) {
    std::memcpy(to, from, length);
    tap_->Take({access_ == Access::kRead ? to : from, length});
    return;
  }
  alignas(kLineBytes) std::array<std::byte, kBlockBytes> block;
  std::memcpy(block.data(), from, length);
  tap_->Take(std::span(block).first(length));
  StreamBytes(to, block.data(), length);
}

}  // namespace kvstore::transfer
