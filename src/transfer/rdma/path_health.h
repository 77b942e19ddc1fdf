#ifndef KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
#define KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/status.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

// Which of our devices to take for the next lane to a peer: of the near the one with the fewest
// lanes, and not one that is down, or over which that peer could not be reached: such a device is
// to be tried again first, after a while, where no copy waits for it. Time is passed in.
// Thread-safe.
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
  std::unique_ptr<Place> Take(const Incarnation& peer, const std::set<size_t>& tried);
  // Likewise of those that are to be tried now: because they have failed, and it is time, or
  // because no device is known to reach the peer.
  std::unique_ptr<Place> TakeToTry(const Incarnation& peer, const std::set<size_t>& tried,
                                   TimePoint now);
  // Whether TakeToTry would find one.
  bool IsToBeTried(const Incarnation& peer, TimePoint now);

  // Whether a device is known to reach it.
  bool IsReached(const Incarnation& peer);
  // Why the last device that failed to reach it did; OK: some have not failed.
  Status WhyNot(const Incarnation& peer);
  // Whether a lane on this device had better be another's: it has failed, or the other has two
  // fewer, or is nearer, and was away a while.
  bool IsCrowded(const Incarnation& peer, size_t device);

  // Whether a lane from that device may lead to another of the peer's than that of the same number;
  // not for ten minutes after it was noted that it may not: there may be no way, or only none then.
  bool MayCross(const Incarnation& peer, size_t device, TimePoint now);
  void NoteCrossing(const Incarnation& peer, size_t device, bool may, TimePoint now);

  void NoteReached(const Incarnation& peer, size_t device, TimePoint now);
  // Counts what NoteFailed and NoteSilence have noted, of any path: while it stays, a path that was
  // noted as reached needs not be again, but to be remembered.
  uint64_t troubles() const { return troubles_.load(std::memory_order_acquire); }
  // Each failure in a row doubles the time for which the device isn't tried; lanes that fail
  // together are one.
  void NoteFailed(const Incarnation& peer, size_t device, const Status& why, TimePoint now);
  // Nothing came over it for so long, while somebody waited who then could wait no longer. That is
  // a failure once it adds up to a fair time, with nothing reached in between.
  void NoteSilence(const Incarnation& peer, size_t device, Duration silence, TimePoint now);

 private:
  struct Path {
    bool reached = false;  // last
    int failures = 0;      // in a row
    TimePoint again_at{};
    Duration silence{};
    Status why;
    TimePoint noted_at{};
    TimePoint may_cross_at{};
  };

  // That is noted of; forgets what was last heard of long ago, when it is a new one.
  Path& PathTo(const Incarnation& peer, size_t device, TimePoint now) REQUIRES(mu_);
  const Path* Find(const Incarnation& peer, size_t device) const REQUIRES(mu_);
  bool MayLead(const Incarnation& peer, size_t device) const REQUIRES(mu_);
  bool IsReachedNow(const Incarnation& peer) const REQUIRES(mu_);
  bool IsToBeTried(const Incarnation& peer, size_t device, TimePoint now) const REQUIRES(mu_);
  void Fail(Path* path, const Status& why, TimePoint now) REQUIRES(mu_);
  std::unique_ptr<Place> TakeBest(const std::set<size_t>& tried, const Test& may) REQUIRES(mu_);
  void Leave(size_t device);

  // Whether a lane of that device had better be the other's.
  bool IsBetter(size_t other, size_t device, size_t by_lanes) const REQUIRES(mu_);

  const Test is_up_;
  const Test is_near_;
  std::atomic<uint64_t> troubles_ = 0;
  Mutex mu_;
  std::vector<size_t> lanes_ GUARDED_BY(mu_);  // open now, by device
  std::map<std::pair<Incarnation, size_t>, Path> paths_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_PATH_HEALTH_H_
