#ifndef KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_
#define KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"

namespace kvstore::kvctl {

// As in proto/kvstore/v1/admin.proto, where each field is explained; in bytes.
struct Space {
  uint64_t size = 0, unprepared = 0, free = 0, unfinished = 0, committed = 0, retiring = 0,
           leased = 0;
};

struct PoolStatus {
  std::string software;
  uint32_t protocol_version = 0;
  Incarnation pool;
  uint64_t term = 0;
  Duration uptime{};
  uint64_t nodes_live = 0, nodes_suspected = 0;
  uint64_t objects = 0, puts_unfinished = 0, puts_parked = 0, requests_waiting = 0;
  Space space;
  std::map<std::string, uint64_t> counters;
};

struct NodeRow {
  Incarnation incarnation;
  std::string name, host, state;
  Duration silent{};
  uint64_t counter = 0, segments = 0, orders_open = 0;
  Space space;
};

struct SegmentRow {
  Incarnation holder;
  std::string node;
  uint32_t index = 0;
  uint64_t granule = 0, objects = 0, free_ranges = 0, largest_free = 0;
  Space space;
};

struct ObjectRow {
  std::string key;
  uint64_t size = 0;
  uint32_t replicas = 0;
  Duration age{}, lease_left{};
  std::vector<std::string> nodes;
};

struct ObjectPage {
  std::vector<ObjectRow> objects;
  bool more = false;
};

// The master's admin service; the only file of the tools that sees gRPC. unavailable: nobody
// listened there within the timeout; deadline_exceeded: no answer within it. Thread-compatible.
class AdminStub {
 public:
  // `master` is HOST:PORT; each call may take up to `timeout`.
  AdminStub(const std::string& master, Duration timeout);
  ~AdminStub();

  Result<PoolStatus> GetStatus();
  Result<std::vector<NodeRow>> ListNodes();
  Result<std::vector<SegmentRow>> ListSegments();
  // Up to `limit` (1 to 4096) objects in key order, behind `after`.
  Result<ObjectPage> ListObjects(std::string_view prefix, std::string_view after, uint32_t limit);

 private:
  struct Channel;

  const std::string master_;
  const Duration timeout_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_
