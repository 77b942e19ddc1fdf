#ifndef KVSTORE_SRC_CLIENT_CHECKSUM_H_
#define KVSTORE_SRC_CLIENT_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kvstore/client.h"
#include "kvstore/transfer.h"

namespace kvstore::client {

// XXH3-64, seed 0, of the pieces' bytes in order: the same however the bytes are cut into pieces.
uint64_t Checksum(std::span<const ConstPiece> pieces);

// Of the first `size` bytes only; all of them where the pieces hold fewer.
uint64_t Checksum(std::span<const Piece> pieces, uint64_t size);

// The checksum of an object, computed of the bytes as they are copied, which costs half of reading
// them again. One thread at a time.
class RunningChecksum final : public transfer::Tap {
 public:
  // Of shorter objects the bytes are still in the cache when all have been copied.
  static constexpr uint64_t kWorthwhile = 16 << 10;

  RunningChecksum();
  ~RunningChecksum() override;

  void Take(std::span<const std::byte> bytes) override;

  // As Checksum: of the bytes that were taken, which are the first of these, and of the rest, which
  // is read now. Once.
  uint64_t Finish(std::span<const ConstPiece> pieces);
  uint64_t Finish(std::span<const Piece> pieces, uint64_t size);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_CHECKSUM_H_
