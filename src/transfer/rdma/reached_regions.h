#ifndef KVSTORE_SRC_TRANSFER_RDMA_REACHED_REGIONS_H_
#define KVSTORE_SRC_TRANSFER_RDMA_REACHED_REGIONS_H_

#include <map>
#include <optional>
#include <utility>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

// What peers have said of their regions: one that devices could not take is not asked for again
// with every copy. Time is passed in. Thread-safe.
class ReachedRegions {
 public:
  // None: the peer is to be asked.
  std::optional<Status> Find(PeerId peer, RegionId region, TimePoint now) const;
  // Each refusal in a row doubles the time for which it isn't asked again.
  void Note(PeerId peer, RegionId region, const Status& answer, TimePoint now);
  void Forget(PeerId peer);

 private:
  struct Known {
    Status answer;
    int refusals = 0;    // in a row
    TimePoint ask_at{};  // again, if it was refused
  };

  mutable Mutex mu_;
  std::map<std::pair<PeerId, RegionId>, Known> known_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_REACHED_REGIONS_H_
