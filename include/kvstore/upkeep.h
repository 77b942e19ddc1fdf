#ifndef KVSTORE_UPKEEP_H_
#define KVSTORE_UPKEEP_H_

// What a client can see and order of the whole pool, beside its own objects.

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"

namespace kvstore {

struct ListedObject {
  std::string key;
  uint64_t size = 0;  // bytes
  uint32_t replicas = 0;
  Duration age{};         // since its commit
  Duration lease_left{};  // 0: not leased
};

// In key order.
struct ObjectPage {
  std::vector<ListedObject> objects;
  bool more = false;  // there are objects behind the last one
};

// One more replica of an object, on the node `to`; or, as a move, in place of the one on `from`.
struct CopyTask {
  std::string key;
  std::string from{};  // name of a node that holds it; empty: any (copies only)
  std::string to;      // name of a live node that does not
  bool move = false;
};

struct TaskStat {
  uint64_t id = 0;
  CopyTask task;
  bool ended = false;
  Status status;   // once it has ended: OK, or why it failed
  Duration age{};  // since it was asked for
};

}  // namespace kvstore

#endif  // KVSTORE_UPKEEP_H_
