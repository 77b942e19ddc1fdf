#ifndef KVSTORE_SRC_CLIENT_COPY_PLAN_H_
#define KVSTORE_SRC_CLIENT_COPY_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

// Between the pieces, which outlive it, and the bytes from `offset` on of one of the replica's
// ranges; guarded by that range's first granule and the replica's birth.
transfer::Copy CopyOf(transfer::Access access, std::span<const Piece> pieces, const Range& range,
                      uint64_t offset, const Replica& replica, transfer::PeerId peer);

// From (the pieces of an object) x (the ranges of one replica) to copies for the transfer layer:
// one copy per range, each guarded by the range's first granule and the replica's birth. Pure. Owns
// the scatter lists that its copies name, so it must outlive their batch; the user's memory is not
// its own. Thread-compatible.
class CopyPlan {
 public:
  // The copies of one object and replica: copies()[begin, end).
  struct Span {
    size_t begin = 0;
    size_t end = 0;
  };

  // Makes room for so many copies beforehand.
  void Reserve(size_t copies) { copies_.reserve(copies); }

  // Copies of the first `size` bytes of the pieces to the replica. None for an empty object.
  // internal, and no copies: the ranges or the pieces hold fewer bytes than `size`. `tap` sees the
  // bytes of the first, which are the first of the object; null: nobody does.
  Result<Span> AddWrite(std::span<const ConstPiece> pieces, uint64_t size, const Replica& replica,
                        transfer::PeerId peer, transfer::Tap* tap = nullptr);
  // Copies of `part` of the object to the first bytes of the pieces. At least one: where there are
  // no bytes to read, a copy of none still asks whether the memory is the object's. internal: as
  // above. `proven`: the caller compares what was read with its checksum (transfer::Copy::proven).
  Result<Span> AddRead(std::span<const Piece> pieces, const transfer::Stretch& part,
                       const Replica& replica, transfer::PeerId peer, transfer::Tap* tap = nullptr,
                       bool proven = false);

  // In the order of the calls above.
  const std::vector<transfer::Copy>& copies() const { return copies_; }

 private:
  template <typename AnyPiece>
  Result<Span> Add(transfer::Access access, std::span<const AnyPiece> pieces,
                   const transfer::Stretch& part, const Replica& replica, transfer::PeerId peer,
                   transfer::Tap* tap);
  void AddCopy(transfer::Access access, std::span<const Piece> pieces, const Range& range,
               uint64_t offset, const Replica& replica, transfer::PeerId peer);
  // A copy of the pieces that stays where it is.
  std::span<const Piece> Keep(std::span<const Piece> pieces);

  std::vector<transfer::Copy> copies_;
  // The scatter lists of copies_, many in one; none grows beyond what was reserved for it.
  std::vector<std::vector<Piece>> kept_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_COPY_PLAN_H_
