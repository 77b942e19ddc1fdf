#ifndef KVSTORE_PLACEMENT_H_
#define KVSTORE_PLACEMENT_H_

#include <cstdint>

namespace kvstore {

// Where the master looks for room first.
enum class Placement : uint8_t {
  kLocalFirst,  // the writer's own memory, then its host, then the rest by free share
  kSpread,      // by free share alone
  kThisHost,    // the writer's own memory, then its host's, and nowhere else
};

}  // namespace kvstore

#endif  // KVSTORE_PLACEMENT_H_
