#ifndef KVSTORE_SRC_CLIENT_LOCATIONS_H_
#define KVSTORE_SRC_CLIENT_LOCATIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// Where one put's object lies, as the master said. Whether it is still so, and still the key's
// object, is said by the holder's word alone.
struct Location {
  PutId put;
  uint64_t size = 0;
  uint64_t checksum = 0;
  std::vector<Replica> replicas;  // nearest first
  // This node's incarnation when it asked: as another one it may be a member of another pool, whose
  // master knows nothing of what this one promised.
  Incarnation learned_as;
  // The lease's end. Later a holder that fell silent may count as gone, and what it holds as
  // removed, although its words still vouch for it.
  TimePoint until = TimePoint::min();
};

// Locations that Gets use again, by key: those used last, each for as long as its lease. Time is
// passed in. Thread-safe.
//
// Looks bring locations by the hundred, most of which no Get may ever want. So it costs little to
// remember one: a table of its own, in whose places one key follows the other, rather than nodes.
class Locations {
 public:
  // Keeps at most `capacity`; 0: none.
  explicit Locations(uint32_t capacity) : capacity_(capacity) {}

  // Null: none that was learned by `self` and whose lease lasts beyond `now`.
  std::shared_ptr<const Location> Find(std::string_view key, const Incarnation& self, TimePoint now)
      EXCLUDES(mu_);

  // In place of what was remembered of the key. One without a lease is not kept.
  void Remember(std::string_view key, std::shared_ptr<const Location> location) EXCLUDES(mu_);
  // For who is about to remember these: has the processor fetch, for the first kFetched of them,
  // what that touches.
  static constexpr size_t kFetched = 16;
  void Fetch(std::span<const std::string_view> keys) EXCLUDES(mu_);

  void Forget(std::string_view key) EXCLUDES(mu_);
  // Only if it is that put's: another may have been learned meanwhile.
  void Forget(std::string_view key, const PutId& put) EXCLUDES(mu_);

  // All keys that begin so. O(all that were ever remembered at a time).
  void ForgetMatching(std::string_view prefix) EXCLUDES(mu_);

  size_t size() const EXCLUDES(mu_);

 private:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;

  // As large as what a processor reads at a time.
  struct alignas(64) Place {
    std::string key;
    std::shared_ptr<const Location> location;  // null: nobody's place
    uint32_t hash = 0;
    Index next = kNone;   // of its bucket, or nobody's
    Index newer = kNone;  // used after it
    Index older = kNone;
  };

  Index& BucketOf(uint32_t hash) REQUIRES(mu_) { return buckets_[hash & (buckets_.size() - 1)]; }
  Index Lookup(std::string_view key, uint32_t hash) REQUIRES(mu_);
  // Nobody's place: a new one, or that of what was not used for longest.
  Index TakePlace() REQUIRES(mu_);
  void EnterBucket(Index index) REQUIRES(mu_);
  void LeaveBucket(Index index) REQUIRES(mu_);
  void BecomeNewest(Index index) REQUIRES(mu_);
  void LeaveOrder(Index index) REQUIRES(mu_);
  // Out of bucket and order; the place is nobody's, and on no list.
  void Clear(Index index) REQUIRES(mu_);
  void Erase(Index index) REQUIRES(mu_);

  const uint32_t capacity_;

  mutable Mutex mu_;
  std::vector<Place> places_ GUARDED_BY(mu_);   // at most capacity_
  std::vector<Index> buckets_ GUARDED_BY(mu_);  // the first of each; a power of two
  size_t size_ GUARDED_BY(mu_) = 0;
  Index free_ GUARDED_BY(mu_) = kNone;  // the first of nobody's places
  Index newest_ GUARDED_BY(mu_) = kNone;
  Index oldest_ GUARDED_BY(mu_) = kNone;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_LOCATIONS_H_
