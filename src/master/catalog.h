#ifndef KVSTORE_SRC_MASTER_CATALOG_H_
#define KVSTORE_SRC_MASTER_CATALOG_H_

// src/master decides where objects live and never touches their bytes.
//
//   catalog               the state machine: (state, now, request) -> (state, answers, orders)
//                         start here, then catalog_put.cc; catalog_state.h maps the other parts
//   object                states of a put and their legal transitions; what is known of a key
//   segment               memory lent by a node: free space, who lies in it, who goes first
//   range_allocator       free ranges of one segment, on granules
//   placement             which segments to try, in order
//   node_table            members of the pool: live, suspected, gone
//   waiting               items that are answered later
//   outbox                what one event produces: answers and orders
//   limits                every number that bounds the catalog
//   bytes_text            "8.0 MiB"
//   service, session, ... gRPC around it: decode, call, encode
//   ticker                the one background thread: Tick(now)
//   node_log              lines for operators about members
//   config, main          flags and YAML; the process
//
// The catalog and all above `service` have no I/O, no thread and no clock, and link neither gRPC
// nor protobuf (target kvstore_master_core).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "master/limits.h"
#include "proto/verbs.h"

namespace kvstore::master {

// What has become of a member.
struct NodeEvent {
  enum class What : uint8_t { kSuspected, kTrusted, kLeft, kGone };
  What what = What::kSuspected;
  Incarnation node;
  std::string name;
  bool lends = false;         // any memory
  bool has_session = false;   // no: its session stream is lost, or it has left
  Duration lasted{};          // kSuspected, kGone: its silence; kTrusted: the suspicion
  uint64_t objects_lost = 0;  // kLeft, kGone: committed ones whose last holder it was
  uint64_t bytes_lost = 0;    // their sizes
};

// What follows from one event, in order: answers to callers, orders to holders.
struct Effects {
  struct Reply {
    Incarnation caller;
    VerbReply reply;
  };
  struct OrdersTo {
    Incarnation node;
    Orders orders;
  };
  std::vector<Reply> replies;
  std::vector<OrdersTo> orders;
  // Nodes declared gone: their streams are to be ended.
  std::vector<Incarnation> gone;
  std::vector<NodeEvent> node_events;  // for the log
};

// Bytes; `size` is the sum of unprepared, free, unfinished, committed and retiring.
struct Space {
  uint64_t size = 0;
  uint64_t unprepared = 0;
  uint64_t free = 0;
  uint64_t unfinished = 0;
  uint64_t committed = 0;
  uint64_t retiring = 0;
  uint64_t leased = 0;  // part of committed
};

// Everything that is counted since the catalog began.
struct Counters {
  uint64_t puts_granted = 0, puts_committed = 0, puts_aborted = 0, puts_expired = 0,
           puts_parked = 0;
  uint64_t puts_refused_exists = 0, puts_refused_full = 0;
  uint64_t locate_hits = 0, locate_misses = 0, exists_hits = 0, exists_misses = 0;
  uint64_t leases_granted = 0, leases_refused = 0;
  uint64_t reads_noted = 0;  // objects that were read at remembered locations
  uint64_t removed = 0, replaced = 0;
  uint64_t evicted_for_room = 0, evicted_by_watermark = 0;
  uint64_t lost_with_node = 0;  // objects whose last holder left or is gone
  uint64_t bytes_lost_with_node = 0;
  uint64_t nodes_joined = 0, nodes_suspected = 0, nodes_gone = 0, nodes_left = 0;
  uint64_t orders_sent = 0, orders_resent = 0, acks_withdrawn = 0, acks_free = 0, acks_ignored = 0;
};

struct Census {
  uint64_t objects = 0, puts_unfinished = 0, puts_parked = 0, requests_waiting = 0;
  uint64_t nodes_live = 0, nodes_suspected = 0;
  Space space;
};

struct NodeLine {
  Peer peer;
  bool suspected = false;
  Duration silent{};
  uint64_t counter = 0;
  uint64_t segments = 0;
  uint64_t orders_open = 0;
  Space space;
};

struct SegmentLine {
  SegmentId id;
  std::string node;
  uint64_t granule = 0;
  uint64_t objects = 0;
  uint64_t free_ranges = 0;
  uint64_t largest_free = 0;
  Space space;
};

struct ObjectLine {
  std::string key;
  uint64_t size = 0;
  uint32_t replicas = 0;
  Duration age{};
  Duration lease_left{};
  std::vector<std::string> nodes;
};

// Which objects exist, where they lie, who may write where, and when memory is free again.
//
// Rules it keeps (docs/protocol.md; numbers are those of its reuse rules):
//   1. a granule belongs to one put, or to the free list, or is retiring: never two
//   2. all memory comes back through one door, Retire: ordered, withdrawn, free, in that order
//   3. a Remove is answered, and a later put of the key becomes visible, only after every holder of
//   the
//      older object has withdrawn it (a put with the same size and checksum need not wait)
//   4. only committed objects are located; eviction spares leased and unfinished ones
//   5. a suspected holder gets no placement and no lease and yields no victim; it is gone not
//   before the
//      longest lease has run out since, and a gone incarnation is never taken back
//   6. StartPut, CommitPut, AbortPut and Remove may be repeated with the same effect
//
// Thread-compatible: the service's mutex covers it. `now` never decreases.
class Catalog {
 public:
  Catalog(const Limits& limits, Incarnation pool, uint64_t term, const Guards& guards = {});
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  Incarnation pool() const;
  uint64_t term() const;

  // A node joins, or a member opens its session again (then its open orders follow in `effects`).
  // failed_precondition "pool ..." or "gone ...": it must empty itself and come as another
  // incarnation. invalid_argument, resource_exhausted: the hello is out of the limits.
  Result<Welcome> Join(TimePoint now, const Hello& hello, Effects* effects);
  // Its session stream has ended; it is suspected until it joins again.
  Effects SessionLost(TimePoint now, Incarnation node);
  // It has stopped serving and withdrawn everything.
  Effects Leave(TimePoint now, Incarnation node);
  // A heartbeat came in at `when`; a suspect that has a session is trusted again. Unknown nodes are
  // ignored.
  Effects Heard(TimePoint when, Incarnation node);
  // The master itself was held up: nobody could be heard, or judged, for `unheard` until `now`. So
  // much of each silence and suspicion does not count; both end later by that, never earlier.
  void Excuse(TimePoint now, Duration unheard);
  bool IsMember(Incarnation node) const;

  Effects Handle(TimePoint now, Incarnation caller, const VerbRequest& request);
  Effects HandleAcks(TimePoint now, Incarnation node, const Acks& acks);

  // Time passes: grants, leases and patience run out, silent nodes are suspected and gone, free
  // space is kept ready, unanswered orders are sent again. Call every 10 to 100 ms.
  Effects Tick(TimePoint now);

  Census TakeCensus(TimePoint now) const;
  const Counters& counters() const;
  std::vector<NodeLine> ListNodes(TimePoint now) const;
  std::vector<SegmentLine> ListSegments(TimePoint now) const;
  // Up to `limit` committed objects with the prefix and a key greater than `after`, in key order.
  // O(all objects).
  std::vector<ObjectLine> ListObjects(TimePoint now, std::string_view prefix,
                                      std::string_view after, size_t limit) const;

  // Empty when every invariant holds, else what is broken. O(everything): for tests and simulation.
  std::string CheckInvariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CATALOG_H_
