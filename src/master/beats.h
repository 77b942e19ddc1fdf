#ifndef KVSTORE_SRC_MASTER_BEATS_H_
#define KVSTORE_SRC_MASTER_BEATS_H_

#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "thread_annotations.h"

namespace kvstore::master {

// When each member was last heard, beside the catalog and its lock: a catalog that is busy makes
// no node look silent. The ticker carries the beats over. Thread-safe.
class Beats {
 public:
  void Admit(Incarnation node) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    heard_.try_emplace(node);
  }

  void Forget(Incarnation node) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    heard_.erase(node);
  }

  // False: not a member.
  bool Heard(TimePoint when, Incarnation node) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const auto found = heard_.find(node);
    if (found == heard_.end()) return false;
    found->second = when;
    return true;
  }

  // The last beat of each node that was heard since the last call.
  std::vector<std::pair<Incarnation, TimePoint>> Take() EXCLUDES(mu_) {
    std::vector<std::pair<Incarnation, TimePoint>> beats;
    MutexLock lock(mu_);
    for (auto& [node, when] : heard_) {
      if (when == TimePoint()) continue;
      beats.emplace_back(node, when);
      when = TimePoint();
    }
    return beats;
  }

 private:
  Mutex mu_;
  std::unordered_map<Incarnation, TimePoint> heard_ GUARDED_BY(mu_);  // TimePoint(): not since Take
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_BEATS_H_
