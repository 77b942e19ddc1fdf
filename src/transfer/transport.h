#ifndef KVSTORE_SRC_TRANSFER_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_TRANSPORT_H_

// The transfer layer's inside, from the top:
//
//   engine      implements kvstore/transfer.h: puts the next three together
//   engine_options
//               which options an engine may have, and what they allow
//   served_memory
//               this process's memory, and the servers and devices that let peers reach it
//   ways        validates copies, picks a way for each
//   peer_table  the peers that were opened
//   registry    which memory copies may touch, and who touches it now
//   batch       one submitted batch and its completions
//   mover       copies in memory, and shows the bytes to who asked to see them
//   carrier     the thread that carries copies for ways that move bytes themselves
//   job, lane, lane_pool, lane_transport
//               for ways over a network: a parcel cut into slices, what carries them to a holder,
//               all lanes to one holder, and to all holders
//   descriptor  the opaque bytes by which peers know each other
//   transport   what each way implements; local/ is the model to read first, shm/ shares memory
//               with other processes, tcp/ is the network, rdma/ the faster one
//
// The ways call the transports; these call registry and batch, and never each other.

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/batch.h"
#include "transfer/descriptor.h"

namespace kvstore::transfer {

// Where copies and mappings lead.
struct Target {
  PeerId peer = 0;
  std::shared_ptr<const PeerDescriptor> descriptor;
  // Set before Transport::Close is called for this peer: what comes late fails.
  std::shared_ptr<const std::atomic<bool>> closed;
};

// Copies of one batch to one peer, all of them reads or all of them writes. Ways has checked
// all that can be checked without the peer: sizes don't overflow and pieces aren't null.
struct Parcel {
  Target target;
  std::shared_ptr<BatchState> batch;
  std::vector<size_t> copies;  // indices in the batch

  // The sum of its copies' sizes.
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const size_t index : copies) sum += batch->size_of(index);
    return sum;
  }
};

// One way for bytes to travel. Implementations are thread-safe. Each copy of a parcel is finished
// in its batch exactly once, as the rules of kvstore/transfer.h have it: also when the batch ends
// early, when the peer is closed, and when the transport is destroyed.
class Transport {
 public:
  // Ends what is unfinished as cancelled, failed or in doubt, and waits until all of it is final.
  virtual ~Transport() = default;

  virtual Way way() const = 0;

  // A batch with copies to that peer, and to others, is about to ask whether this way leads there:
  // what takes long may begin for all of them at once. Doesn't wait.
  virtual void Expect(const Target&) {}

  // OK when this way leads to that region of that peer; otherwise why it does not. not_found: for
  // all that this way knows, there is no such region. May connect, within the deadline and a
  // second.
  virtual Status Reaches(const Target& target, RegionId region, Access access,
                         TimePoint deadline) = 0;

  // Carries the copies in threads of the transport. Doesn't wait.
  virtual void Post(Parcel parcel) = 0;

  // Carries the copies in the calling thread; when it returns they are final.
  virtual void Carry(Parcel parcel) = 0;

  // Carries one read of a few bytes, begun at `now`, in the calling thread, if a lane to the peer
  // is at hand for that. Nothing: it was not begun, or is as if it had not been.
  virtual std::optional<Completion> ReadOne(const Target&, const Copy&, uint64_t /*size*/,
                                            const CopyLimits&, TimePoint /*now*/) {
    return std::nullopt;
  }

  // As Engine::Map, of a region that this way reaches. failed_precondition: it maps nothing.
  virtual Result<std::unique_ptr<Mapping>> Map(const Target& target, const MapRequest& request,
                                               TimePoint deadline) = 0;

  // No further parcels for this peer will come; ends its copies.
  virtual void Close(PeerId peer) = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TRANSPORT_H_
