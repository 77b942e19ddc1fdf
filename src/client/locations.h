#ifndef KVSTORE_SRC_CLIENT_LOCATIONS_H_
#define KVSTORE_SRC_CLIENT_LOCATIONS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
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
class Locations {
 public:
  // Keeps at most `capacity`; 0: none.
  explicit Locations(size_t capacity) : capacity_(capacity) {}

  // Null: none that was learned by `self` and whose lease lasts beyond `now`.
  std::shared_ptr<const Location> Find(std::string_view key, const Incarnation& self, TimePoint now)
      EXCLUDES(mu_);

  // In place of what was remembered of the key. One without a lease is not kept.
  void Remember(std::string_view key, std::shared_ptr<const Location> location) EXCLUDES(mu_);

  void Forget(std::string_view key) EXCLUDES(mu_);
  // Only if it is that put's: another may have been learned meanwhile.
  void Forget(std::string_view key, const PutId& put) EXCLUDES(mu_);

  // All keys that begin so. O(all that are remembered).
  void ForgetMatching(std::string_view prefix) EXCLUDES(mu_);

  size_t size() const EXCLUDES(mu_);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Location> location;
  };
  using Place = std::list<Entry>::iterator;

  void Erase(std::unordered_map<std::string_view, Place>::iterator found) REQUIRES(mu_);

  const size_t capacity_;

  mutable Mutex mu_;
  std::list<Entry> used_last_first_ GUARDED_BY(mu_);
  std::unordered_map<std::string_view, Place> places_
      GUARDED_BY(mu_);  // views of the entries' keys
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_LOCATIONS_H_
