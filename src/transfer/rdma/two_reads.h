#ifndef KVSTORE_SRC_TRANSFER_RDMA_TWO_READS_H_
#define KVSTORE_SRC_TRANSFER_RDMA_TWO_READS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "transfer/rdma/frame.h"
#include "transfer/rdma/memory.h"
#include "transfer/rdma/verbs.h"

namespace kvstore::transfer {

// The two requests that most small reads are, its word's and its bytes', where a Chain would take
// longer than the device does. Confined to one thread; posted where it lies.
class TwoReads {
 public:
  // What that one reads. False: it would cross from one part of a registration to the next, or is
  // of no bytes.
  bool Aim(size_t request, const RegisteredMemory& local, uint64_t local_offset,
           const RemoteMemory& remote, uint64_t remote_offset, uint64_t length);

  // Linked, once both are aimed; the second signals, with that number.
  ibv_send_wr* Link(uint64_t number);

 private:
  std::array<ibv_sge, 2> pieces_{};
  std::array<ibv_send_wr, 2> requests_{};
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_TWO_READS_H_
