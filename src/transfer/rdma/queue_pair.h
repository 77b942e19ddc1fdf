#ifndef KVSTORE_SRC_TRANSFER_RDMA_QUEUE_PAIR_H_
#define KVSTORE_SRC_TRANSFER_RDMA_QUEUE_PAIR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/rdma/device.h"
#include "transfer/rdma/frame.h"

namespace kvstore::transfer {

// Completions of one lane's queue pairs. Polled by whoever waits for them, so that nobody is woken
// for another; costs nothing while nothing is under way. Confined to one thread at a time.
class CompletionQueue {
 public:
  static Result<std::unique_ptr<CompletionQueue>> Create(std::shared_ptr<RdmaDevice> device,
                                                         int entries);
  ~CompletionQueue();

  ibv_cq* get() const { return cq_; }
  // What has come, up to the room in `completions`; unavailable: the device failed.
  Result<size_t> Poll(std::span<ibv_wc> completions);
  // Waits until something may have come, or `other_fd` is readable, or the time has passed. May
  // return early.
  void Sleep(int other_fd, Duration timeout);

 private:
  explicit CompletionQueue(std::shared_ptr<RdmaDevice> device);

  const std::shared_ptr<RdmaDevice> device_;
  ibv_comp_channel* channel_ = nullptr;
  ibv_cq* cq_ = nullptr;
  bool armed_ = false;
};

// One end of a reliable connection. What its peer may do to our memory over it is decided here:
// at a holder's end nothing but read, or read and write. Confined to one thread at a time.
class QueuePair {
 public:
  struct Options {
    bool peer_reads = false;
    bool peer_writes = false;
    uint32_t max_requests = 1;  // outstanding
    uint32_t max_pieces = 1;    // of local memory, of one request
  };

  // `completions` outlives it.
  static Result<std::unique_ptr<QueuePair>> Create(std::shared_ptr<RdmaDevice> device,
                                                   CompletionQueue& completions,
                                                   const Options& options);
  // Closes it, if the device will.
  ~QueuePair();

  // OK: nothing comes or goes over it any more. Else something still may, and the device, which
  // tells so as its trouble, is to be asked again.
  Status Close();

  QueuePairEnd end() const;
  Status Connect(const QueuePairEnd& peer);
  // A chain of requests; all of them are posted, or the queue pair is of no more use.
  Status Post(ibv_send_wr* chain);

 private:
  QueuePair(std::shared_ptr<RdmaDevice> device, const Options& options);

  const std::shared_ptr<RdmaDevice> device_;
  const Options options_;
  const uint32_t first_packet_;
  ibv_qp* qp_ = nullptr;
  bool stopped_ = false;   // nothing moves, though it wasn't destroyed
  bool troubled_ = false;  // its device was told
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_QUEUE_PAIR_H_
