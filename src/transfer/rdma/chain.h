#ifndef KVSTORE_SRC_TRANSFER_RDMA_CHAIN_H_
#define KVSTORE_SRC_TRANSFER_RDMA_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/rdma/frame.h"
#include "transfer/rdma/memory.h"

namespace kvstore::transfer {

// One-sided requests that are posted together, of which only the last one is completed: on a
// reliable connection that says that all before it are done, too. Confined to one thread.
class Chain {
 public:
  static constexpr uint64_t kPart = 0;  // no chain's number

  // `max_pieces`: of one request.
  Chain(size_t max_requests, size_t max_pieces);

  size_t max_pieces() const { return max_pieces_; }
  bool empty() const { return requests_.empty(); }
  void Clear();

  // Adds the move of `length` bytes between our memory and remote memory. A move that begins where
  // the one before ended, at the other end, is joined to it.
  void Add(Access access, const RegisteredMemory& local, uint64_t local_offset,
           const RemoteMemory& remote, uint64_t remote_offset, uint64_t length);

  // What is added next begins only when all READs before it are completed: the device waits, and
  // not the program.
  void Fence() { fenced_ = requests_.size(); }

  // What is added next signals apart from what was added before, if that is much.
  void Part();

  // Linked; the last one signals with that number, the last of each part before with kPart. Only of
  // a chain that isn't empty; valid until the next Clear.
  ibv_send_wr* Link(uint64_t number);

 private:
  static constexpr size_t kNone = SIZE_MAX;
  static constexpr uint64_t kMuch = 1 << 20;

  const size_t max_pieces_;
  std::vector<ibv_send_wr> requests_;
  std::vector<ibv_sge> pieces_;
  std::vector<size_t> first_piece_;  // of each request
  uint64_t next_remote_ = 0;         // behind the last request's bytes
  size_t fenced_ = kNone;            // the request that waits
  std::vector<size_t> parts_;        // their first requests, but for that of the first part
  uint64_t part_bytes_ = 0;          // of the last
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_CHAIN_H_
