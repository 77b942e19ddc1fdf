#ifndef KVSTORE_SRC_TRANSFER_RDMA_RAILS_H_
#define KVSTORE_SRC_TRANSFER_RDMA_RAILS_H_

#include <cstddef>
#include <vector>

#include "transfer/rdma/frame.h"

namespace kvstore::transfer {

// Which of a holder's devices, one at least, a lane from our device of that number leads to.
// Devices of the same number are taken to be on the same rail, which leads there at full speed.
size_t OfSameNumber(size_t device, const std::vector<HolderDevice>& devices);

// The same, unless others are nearer to the holder's memory: then one of these, of the same kind of
// network. `rank`: the device's among those of ours that are used alike, so that these are spread
// over all of the holder's.
size_t NearestToMemory(size_t device, size_t rank, bool ethernet,
                       const std::vector<HolderDevice>& devices);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_RAILS_H_
