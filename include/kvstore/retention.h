#ifndef KVSTORE_RETENTION_H_
#define KVSTORE_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kvstore/clock.h"

namespace kvstore {

inline constexpr size_t kMaxGroupBytes = 255;

// How long an object is to be kept, beyond what its use says. Its holders note it, so that it
// outlives the master. Durations count from the commit; of an object that is there (ObjectStat)
// they are what is left.
struct Retention {
  bool hard_pin = false;  // never evicted
  Duration soft_pin{};    // so long it is evicted only where nothing else may be; 0: not
  Duration ttl{};         // then it expires; 0: never
  std::string group{};    // objects of one group are evicted together; empty: none
  uint32_t position = 0;  // in a chain of prefixes: of objects used together, later ones go first
  friend bool operator==(const Retention&, const Retention&) = default;
};

}  // namespace kvstore

#endif  // KVSTORE_RETENTION_H_
