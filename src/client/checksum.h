#ifndef KVSTORE_SRC_CLIENT_CHECKSUM_H_
#define KVSTORE_SRC_CLIENT_CHECKSUM_H_

#include <cstdint>
#include <span>

#include "kvstore/client.h"

namespace kvstore::client {

// XXH3-64, seed 0, of the pieces' bytes in order: the same however the bytes are cut into pieces.
uint64_t Checksum(std::span<const ConstPiece> pieces);

// Of the first `size` bytes only; all of them where the pieces hold fewer.
uint64_t Checksum(std::span<const Piece> pieces, uint64_t size);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_CHECKSUM_H_
