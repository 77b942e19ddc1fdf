#ifndef KVSTORE_TOOLS_KVCTL_POOL_ROWS_H_
#define KVSTORE_TOOLS_KVCTL_POOL_ROWS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/status.h"

namespace kvstore::kvctl {

// What the admin service tells, as in proto/kvstore/v1/admin.proto, where each field is explained;
// sizes in bytes.

struct Space {
  uint64_t size = 0, unprepared = 0, free = 0, unfinished = 0, committed = 0, retiring = 0,
           leased = 0, pinned = 0, ahead = 0;
};

struct PoolStatus {
  std::string software;
  uint32_t protocol_version = 0;
  Incarnation pool;
  uint64_t term = 0;
  Duration uptime{};
  uint64_t nodes_live = 0, nodes_suspected = 0, nodes_missing = 0;
  uint64_t objects = 0, objects_pinned = 0, objects_lacking = 0;
  uint64_t puts_unfinished = 0, puts_parked = 0, requests_waiting = 0, copies_running = 0;
  uint64_t notes_unconfirmed = 0;
  Duration oldest_note{};
  Space space;
  std::map<std::string, uint64_t> counters;
};

// What a node has counted of its own calls.
struct NodeTally {
  uint64_t gets_ok = 0, gets_missed = 0, gets_failed = 0, gets_remembered = 0;
  uint64_t puts_ok = 0, puts_failed = 0;
  uint64_t bytes_got = 0, bytes_put = 0;
  uint64_t reads_refused = 0, checksum_mismatches = 0;
};

struct NodeRow {
  Incarnation incarnation;
  std::string name, host, state, software, descriptor;
  Duration silent{}, joined{};
  uint64_t counter = 0, segments = 0, objects = 0, orders_open = 0;
  uint64_t notes_unconfirmed = 0;
  Duration oldest_note{};
  bool draining = false, sick = false;
  uint64_t hits = 0, misses = 0;
  NodeTally tally;
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

// What is remembered of a key that is not there, or was not when it was asked for.
struct TraceRow {
  std::string key, asker, ended;
  bool is_there = false;  // by now
  uint64_t misses = 0;
  Duration missed{}, ended_ago{};
};

struct TracePage {
  std::vector<TraceRow> traces;
  uint64_t left_out = 0;
};

struct ReplicaRow {
  Incarnation holder;
  std::string node, standing;
  uint32_t segment = 0;
  uint64_t birth = 0, ranges = 0, reserved = 0;
  bool noted = false;
};

struct ObjectDetail {
  ObjectRow line;
  uint64_t checksum = 0;
  uint32_t replicas_wanted = 1;
  bool durable = false, hard_pin = false;
  Duration soft_pin{}, ttl{};
  std::string group;
  uint32_t position = 0;
  std::vector<ReplicaRow> replicas;
};

struct Evicted {
  uint64_t objects = 0, bytes = 0;
  std::vector<Status> statuses;  // per key
};

struct TaskRow {
  uint64_t id = 0;
  std::string kind, key, from, to, state;
  Status status;
  uint64_t size = 0;
  Duration age{};
};

struct EventRow {
  Duration at{};  // of the master's uptime
  std::string kind, node;
  Incarnation incarnation;
  bool of_object = false;  // else of a node
  bool lends = false;
  Duration lasted{};
  uint64_t objects_lost = 0, bytes_lost = 0;
  std::string key;
  uint64_t size = 0;
};

struct EventBatch {
  Duration now{};  // of the master's uptime
  std::vector<EventRow> events;
  uint64_t left_out = 0;
};

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_POOL_ROWS_H_
