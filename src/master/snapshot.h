#ifndef KVSTORE_SRC_MASTER_SNAPSHOT_H_
#define KVSTORE_SRC_MASTER_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "master/catalog.h"

namespace kvstore::master {

// The catalog's numbers of one moment: what metrics and status pages show.
struct Snapshot {
  Incarnation pool;
  uint64_t term = 0;
  Duration uptime{};
  Census census;
  Counters counters;
  std::vector<NodeLine> nodes;
  ClientReport clients;
  std::vector<TaskLine> tasks;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SNAPSHOT_H_
