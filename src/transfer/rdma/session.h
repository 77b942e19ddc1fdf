#ifndef KVSTORE_SRC_TRANSFER_RDMA_SESSION_H_
#define KVSTORE_SRC_TRANSFER_RDMA_SESSION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/result.h"
#include "transfer/guards.h"
#include "transfer/rdma/frame.h"
#include "transfer/rdma/memory.h"
#include "transfer/rdma/queue_pair.h"
#include "transfer/rdma/regions.h"
#include "transfer/registry.h"
#include "transfer/tcp/served_connection.h"

namespace kvstore::transfer {

// A lane, at the holder's end: its queue pairs, and the writes that its client has begun. Each of
// these counts as an access until the client has ended it, or its queue pair is destroyed.
// Confined to its connection's thread.
class RdmaSession final : public SideService {
 public:
  // Both outlive the session.
  RdmaSession(RdmaRegions& regions, Registry& registry, const TransferGuards& guards);
  ~RdmaSession() override;

  Result<std::string> Answer(std::string_view question) override;
  bool IsBusy() const override { return !writes_.empty(); }
  bool MayGoOn() override;
  bool End() override;

 private:
  struct Unmap {
    void operator()(std::byte* probe) const;
  };

  Result<std::string> AnswerTo(const DevicesQuestion& question);
  Result<std::string> AnswerTo(const OpenQuestion& question);
  Result<std::string> AnswerTo(const RegionQuestion& question);
  Result<std::string> AnswerTo(const BeginQuestion& question);
  Result<std::string> AnswerTo(const EndQuestion& question);
  // What all queue pairs of the session need, at the device that the first one was asked for.
  Status UseDevice(size_t index);

  RdmaRegions& regions_;
  Registry& registry_;
  const TransferGuards guards_;

  std::vector<RegionAccess> writes_;  // begun; left when no queue pair can write any more
  std::shared_ptr<RdmaDevice> device_;
  std::unique_ptr<std::byte, Unmap> probe_;  // shared, so that a fork leaves it to the device
  std::unique_ptr<RegisteredMemory> probe_memory_;
  std::unique_ptr<CompletionQueue> completions_;
  std::unique_ptr<QueuePair> reader_;
  std::unique_ptr<QueuePair> writer_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_SESSION_H_
