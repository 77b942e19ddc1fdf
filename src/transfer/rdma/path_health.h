#ifndef KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
#define KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

// Which of our devices to take for the next lane to a peer: of the near the one with the fewest
// lanes, and not
// one that is down, or over which that peer could not be reached a short while ago. Time is passed
// in. Thread-safe.
class PathHealth {
 public:
  // A lane on a device, counted from before it is opened, so that lanes which are opened at once
  // take different devices. Ends before the PathHealth.
  class Place {
   public:
    Place(PathHealth& health, size_t device) : health_(health), device_(device) {}
    ~Place() { health_.Leave(device_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    size_t device() const { return device_; }

   private:
    PathHealth& health_;
    const size_t device_;
  };

  using Test = std::function<bool(size_t device)>;

  // `is_near`: those that are not are taken only where no other leads.
  PathHealth(
      size_t devices, Test is_up, Test is_near = [](size_t) { return true; })
      : is_up_(std::move(is_up)), is_near_(std::move(is_near)), lanes_(devices, 0) {}

  // On the best device that is none of `tried`; null: there is none.
  std::unique_ptr<Place> Take(const Incarnation& peer, const std::set<size_t>& tried,
                              TimePoint now);
  // Whether Take would find one.
  bool MayReach(const Incarnation& peer, TimePoint now);
  // Whether a lane on this device had better be another's, which has two fewer, or is nearer: it
  // was away a while.
  bool IsCrowded(const Incarnation& peer, size_t device, TimePoint now);

  void NoteReached(const Incarnation& peer, size_t device);
  // Each failure in a row doubles the time for which the device isn't tried; lanes that fail
  // together are one.
  void NoteFailed(const Incarnation& peer, size_t device, TimePoint now);

 private:
  struct Failures {
    int in_a_row = 0;
    TimePoint again_at;
  };

  bool MayLead(const Incarnation& peer, size_t device, TimePoint now) const REQUIRES(mu_);
  void Leave(size_t device);

  // Whether a lane of that device had better be the other's.
  bool IsBetter(size_t other, size_t device, size_t by_lanes) const REQUIRES(mu_);

  const Test is_up_;
  const Test is_near_;
  Mutex mu_;
  std::vector<size_t> lanes_ GUARDED_BY(mu_);  // open now, by device
  std::map<std::pair<Incarnation, size_t>, Failures> failures_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
