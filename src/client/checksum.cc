#include "client/checksum.h"

#include <xxhash.h>
#ifdef KVSTORE_XXHASH_DISPATCHES
// Takes the place of the functions above; without it Debian's library uses no vector unit that not
// every x86-64 has, and is ten times slower.
#include <xxh_x86dispatch.h>
#endif

#include <algorithm>
#include <limits>
#include <memory>

namespace kvstore::client {
namespace {

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

template <typename AnyPiece>
uint64_t ChecksumOf(std::span<const AnyPiece> pieces, uint64_t size) {
  // One piece is the common case, and needs no state of half a kilobyte.
  if (pieces.size() == 1) {
    return XXH3_64bits(pieces[0].data, std::min<uint64_t>(size, pieces[0].size));
  }
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  XXH3_64bits_reset(state.get());
  for (const AnyPiece& piece : pieces) {
    const uint64_t taken = std::min<uint64_t>(size, piece.size);
    if (taken > 0) XXH3_64bits_update(state.get(), piece.data, taken);
    size -= taken;
  }
  return XXH3_64bits_digest(state.get());
}

}  // namespace

uint64_t Checksum(std::span<const ConstPiece> pieces) {
  return ChecksumOf(pieces, std::numeric_limits<uint64_t>::max());
}

uint64_t Checksum(std::span<const Piece> pieces, uint64_t size) { return ChecksumOf(pieces, size); }

}  // namespace kvstore::client
