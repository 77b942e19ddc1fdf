#include "client/checksum.h"

#include <xxhash.h>
#ifdef KVSTORE_XXHASH_DISPATCHES
// Takes the place of the functions above; without it Debian's library uses no vector unit that not
// every x86-64 has, and is ten times slower.
#include <xxh_x86dispatch.h>
#endif

#include <algorithm>
#include <limits>

namespace kvstore::client {
namespace {

constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};
using StatePtr = std::unique_ptr<XXH3_state_t, FreeState>;

StatePtr NewState() {
  StatePtr state(XXH3_createState());
  XXH3_64bits_reset(state.get());
  return state;
}

// Adds the first `size` bytes of the pieces, save the `skip` before them.
template <typename AnyPiece>
void Add(std::span<const AnyPiece> pieces, uint64_t skip, uint64_t size, XXH3_state_t* state) {
  for (const AnyPiece& piece : pieces) {
    const uint64_t within = std::min<uint64_t>(size, piece.size);
    const uint64_t skipped = std::min(skip, within);
    if (within > skipped) {
      XXH3_64bits_update(state, static_cast<const std::byte*>(piece.data) + skipped,
                         within - skipped);
    }
    skip -= skipped;
    size -= within;
  }
}

template <typename AnyPiece>
uint64_t ChecksumOf(std::span<const AnyPiece> pieces, uint64_t size) {
  // One piece is the common case, and needs no state of half a kilobyte.
  if (pieces.size() == 1) {
    return XXH3_64bits(pieces[0].data, std::min<uint64_t>(size, pieces[0].size));
  }
  const StatePtr state = NewState();
  Add(pieces, 0, size, state.get());
  return XXH3_64bits_digest(state.get());
}

}  // namespace

uint64_t Checksum(std::span<const ConstPiece> pieces) { return ChecksumOf(pieces, kAll); }

uint64_t Checksum(std::span<const Piece> pieces, uint64_t size) { return ChecksumOf(pieces, size); }

struct RunningChecksum::State {
  const StatePtr of_taken = NewState();
  uint64_t taken = 0;  // bytes

  template <typename AnyPiece>
  uint64_t Finish(std::span<const AnyPiece> pieces, uint64_t size) {
    Add(pieces, taken, size, of_taken.get());
    return XXH3_64bits_digest(of_taken.get());
  }
};

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) {}
RunningChecksum::~RunningChecksum() = default;

void RunningChecksum::Take(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_->of_taken.get(), bytes.data(), bytes.size());
  state_->taken += bytes.size();
}

uint64_t RunningChecksum::Finish(std::span<const ConstPiece> pieces) {
  return state_->Finish(pieces, kAll);
}

uint64_t RunningChecksum::Finish(std::span<const Piece> pieces, uint64_t size) {
  return state_->Finish(pieces, size);
}

}  // namespace kvstore::client
