#ifndef KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
#define KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

// Which of our devices to take for the next lane to a peer: the one with the fewest lanes, and not
// one over which that peer could not be reached a short while ago. Time is passed in. Thread-safe.
class PathHealth {
 public:
  explicit PathHealth(size_t devices) : lanes_(devices, 0) {}

  // Devices to be tried, the best first; empty: all of them have failed lately.
  std::vector<size_t> Candidates(const Incarnation& peer, TimePoint now);

  void NoteOpened(const Incarnation& peer, size_t device);
  void NoteClosed(size_t device);
  // Each failure in a row doubles the time for which the device isn't tried; lanes that fail
  // together are one.
  void NoteFailed(const Incarnation& peer, size_t device, TimePoint now);

 private:
  struct Failures {
    int in_a_row = 0;
    TimePoint again_at;
  };

  Mutex mu_;
  std::vector<size_t> lanes_ GUARDED_BY(mu_);  // open now, by device
  std::map<std::pair<Incarnation, size_t>, Failures> failures_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
