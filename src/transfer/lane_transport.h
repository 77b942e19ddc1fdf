#ifndef KVSTORE_SRC_TRANSFER_LANE_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_LANE_TRANSPORT_H_

#include <map>
#include <memory>
#include <thread>

#include "thread_annotations.h"
#include "transfer/lane_pool.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// A way over a network: a pool of lanes for each peer that has traffic. What the lanes are, and
// whom they lead to, is the way's own. Thread-safe.
class LaneTransport : public Transport, protected LaneMaker {
 public:
  explicit LaneTransport(const LaneOptions& options);

  void Post(Parcel parcel) override;
  void Carry(Parcel parcel) override;
  Result<std::unique_ptr<Mapping>> Map(const Target& target, const MapRequest& request,
                                       TimePoint deadline) override;
  void Close(PeerId peer) override;

 protected:
  // As Transport has it, over the peer's pool, where there is one.
  std::optional<Completion> ReadOverPool(const Target& target, const Copy& copy, uint64_t size,
                                         const CopyLimits& limits, TimePoint now) EXCLUDES(mu_);
  // As LanePool has them, of that peer's pool. Offer: a lane for the copies that are about to come.
  std::unique_ptr<Lane> Borrow(const Target& target);
  void Offer(const Target& target, std::unique_ptr<Lane> lane);
  // Ends all copies. What a way's lanes need lives until then: its destructor calls this first.
  void End();

  // Of a parcel's slices, at most kSliceBytes.
  virtual uint64_t SliceBytes(const Parcel& parcel) const;

 private:
  struct Entry {
    std::shared_ptr<LanePool> peer;
    TimePoint last_used;
  };

  // Null: the peer was closed.
  std::shared_ptr<LanePool> PeerOf(const Target& target) EXCLUDES(mu_);

  void StartKeeper() REQUIRES(mu_);
  // The keeper's thread: until the end, closes what has been idle for too long.
  void Keep() EXCLUDES(mu_);
  void DropIdleLanes(TimePoint since) EXCLUDES(mu_);
  void DropUnusedPeers(TimePoint since) EXCLUDES(mu_);

  const LaneOptions options_;
  Mutex mu_;
  CondVar ending_changed_;
  bool ending_ GUARDED_BY(mu_) = false;
  // Those with traffic; a peer that comes back gets another pool. References to one are made
  // under the mutex only.
  std::map<PeerId, Entry> peers_ GUARDED_BY(mu_);
  std::thread keeper_ GUARDED_BY(mu_);  // started with a peer
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_LANE_TRANSPORT_H_
