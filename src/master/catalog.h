#ifndef KVSTORE_SRC_MASTER_CATALOG_H_
#define KVSTORE_SRC_MASTER_CATALOG_H_

// src/master decides where objects live and never touches their bytes.
//
//   catalog               the state machine: (state, now, request) -> (state, answers, orders)
//                         start here, then catalog_put.cc; catalog_state.h maps the other parts
//   object, held_replica  a put: its states and their legal transitions; where it lies
//   key_entry             what is known of a key
//   object_table,         all of them, millions: on hash_index, slab and block_pool, whose steps
//   key_table             never take longer because there are many
//   segment               memory lent by a node: free space, who lies in it, who goes first
//   range_allocator       free ranges of one segment, on granules
//   placement             which segments to try, in order
//   node_table            members of the pool: live, suspected, gone
//   client_totals         what clients have counted, beyond their stay
//   events, lists         what the catalog tells of itself (below: what became of nodes and
//   objects,
//                         lines for operators)
//   waiting               items that are answered later
//   outbox                what one event produces: answers and orders
//   limits                every number that bounds the catalog
//   bytes_text            "8.0 MiB"
//   service, session, ... gRPC around it: decode, call, encode
//   ticker                the one background thread: Tick(now)
//   event_log             lines for operators about members and objects; event_line writes them,
//                         line_limiter bounds them, json_log is glog as JSON
//   config, main          flags and YAML; the process
//
// The catalog and all above `service` have no I/O, no thread and no clock, and link neither gRPC
// nor protobuf (target kvstore_master_core).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "master/client_totals.h"
#include "master/limits.h"
#include "master/standing.h"
#include "proto/verbs.h"

namespace kvstore::master {

// What a master knows of its pool before any node has spoken. Kept durably (state_file): written
// before the reign begins, before a lending node joins, and before one counts as gone.
struct Reign {
  Incarnation pool;
  uint64_t term = 1;
  Duration longest_lease{};  // ever allowed in this pool
  struct Member {
    Incarnation incarnation;
    std::string name;
    friend bool operator==(const Member&, const Member&) = default;
  };
  std::vector<Member> members;  // that lend memory, and have not been struck; none: a new pool
};

// What has become of a member.
struct NodeEvent {
  enum class What : uint8_t {
    kSuspected,
    kTrusted,
    kLeft,
    kGone,
    kReported,  // its memory is known
    kSick,      // its peers can't reach it
    kWell,      // they can again, or have said nothing for long
    kDraining,
    kDrained,
  };
  What what = What::kSuspected;
  Incarnation node;
  std::string name;
  bool lends = false;         // any memory
  bool has_session = false;   // no: its session stream is lost, or it has left
  Duration lasted{};          // kSuspected, kGone: its silence; kTrusted: the suspicion
  uint64_t objects_lost = 0;  // kLeft, kGone: committed ones whose last holder it was
  uint64_t bytes_lost = 0;    // their sizes
  std::string why{};          // kGone: for another reason than its silence
};

// What has become of an object or a put; told only while somebody watches, but for losses.
struct ObjectEvent {
  enum class What : uint8_t {
    kCommitted,
    kRemoved,
    kReplaced,
    kEvictedForRoom,
    kEvictedByWatermark,
    kEvictedByOperator,
    kEvictedWithGroup,  // another of its group was evicted
    kExpired,           // its TTL ran out
    kLost,              // with its last holder
    kPutAborted,        // by its writer, or the writer is lost
    kPutExpired,        // its grant ran out
    kCopied,            // another replica stands, on `node`
    kMoved,             // and one less, elsewhere
    kReplicaLost,       // with `node`; others are left
    kPinned,
    kUnpinned,
  };
  What what = What::kCommitted;
  std::string key;
  PutId put;
  uint64_t size = 0;
  std::string node;  // empty: no one node is meant
};

// What is remembered of a key that is not there, or was not when it was asked for.
struct TraceLine {
  std::string key;
  bool is_there = false;                 // by now
  uint64_t misses = 0;                   // times that it was asked for in vain
  Duration missed{};                     // the last of them: so long ago
  std::string asker;                     // name of the node that asked then; empty: it has left
  std::optional<ObjectEvent::What> how;  // an object under it, or its put, has ended so
  Duration ended{};                      // so long ago
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
    bool can_wait = false;  // for some milliseconds: nobody is answered later for it
  };
  std::vector<Reply> replies;
  std::vector<OrdersTo> orders;
  // Nodes declared gone: their streams are to be ended.
  std::vector<Incarnation> gone;
  // Members that have left, or are about to count as gone: to be struck from the durable members,
  // then Catalog::Struck is to be called. Said once.
  std::vector<Incarnation> strike;
  // Keys under which holders of the last reign kept different bytes, which can't happen; all are
  // dropped. For the log, as errors.
  std::vector<std::string> contradicted;
  std::vector<NodeEvent> node_events;      // for the log
  std::vector<ObjectEvent> object_events;  // for who watches
};

// Bytes; `size` is the sum of unprepared, free, unfinished, committed and retiring.
struct Space {
  uint64_t size = 0;
  uint64_t unprepared = 0;
  uint64_t free = 0;
  uint64_t unfinished = 0;
  uint64_t committed = 0;
  uint64_t retiring = 0;
  uint64_t withdrawn = 0;  // part of retiring: answered for, and something still touches it
  uint64_t withheld = 0;   // part of retiring: free, and to go back to its node
  uint64_t leased = 0;     // part of committed
  uint64_t pinned = 0;     // part of committed; soft pins that hold now included
  uint64_t ahead = 0;      // part of unfinished: grants ahead, what is left of them
};

Space& operator+=(Space& sum, const Space& more);

// Everything that is counted since the catalog began.
struct Counters {
  uint64_t puts_granted = 0, puts_committed = 0, puts_aborted = 0, puts_expired = 0,
           puts_parked = 0;
  uint64_t puts_refused_exists = 0, puts_refused_pending = 0, puts_refused_full = 0,
           puts_refused_objects = 0;
  // Grants ahead, and how they ended; puts that began in a piece of one.
  uint64_t ahead_given = 0, ahead_refused = 0;
  uint64_t ahead_used_up = 0, ahead_given_back = 0, ahead_expired = 0, ahead_called_back = 0,
           ahead_lost = 0;
  uint64_t puts_ahead = 0;
  uint64_t pieces_refused = 0, pieces_of_other_terms = 0;  // of no grant; these are part of those
  uint64_t locate_hits = 0, locate_misses = 0, exists_hits = 0, exists_misses = 0;
  // Items of Exists and Locate that were not found for their holders' silence.
  uint64_t looks_unreadable = 0;
  uint64_t awaited_puts = 0, awaited_in_vain = 0;  // items of Locate that waited for a put
  uint64_t leases_granted = 0, leases_refused = 0;
  uint64_t leases_refused_full = 0, leases_refused_suspected = 0;  // why; perhaps both
  uint64_t reads_noted = 0;  // objects that were read at remembered locations
  uint64_t removed = 0, replaced = 0;
  uint64_t evicted_for_room = 0, evicted_by_watermark = 0, evicted_by_operator = 0;
  uint64_t evicted_with_group = 0;          // because another of the group was
  uint64_t bytes_evicted = 0;               // their sizes, of all four
  uint64_t soft_pins_broken = 0;            // of these objects: their soft pin still held
  uint64_t pins_set = 0, pins_refused = 0;  // by puts and Pin; refused: too much is pinned
  uint64_t expired = 0;                     // objects whose TTL ran out
  uint64_t lost_with_node = 0;              // objects whose last holder left or is gone
  uint64_t bytes_lost_with_node = 0;
  uint64_t copies_started = 0, copies_made = 0, copies_failed = 0;
  uint64_t replicas_given_up = 0;  // moved away, or one too many where memory is emptied
  uint64_t nodes_joined = 0, nodes_suspected = 0, nodes_gone = 0, nodes_left = 0;
  uint64_t notes_sent = 0, notes_confirmed = 0, notes_refused = 0;
  uint64_t orders_sent = 0, orders_resent = 0, acks_withdrawn = 0, acks_free = 0, acks_ignored = 0;
};

struct Census {
  uint64_t objects = 0, puts_unfinished = 0, puts_parked = 0, requests_waiting = 0;
  uint64_t grants_ahead = 0;
  uint64_t nodes_live = 0, nodes_suspected = 0;
  uint64_t nodes_missing = 0;    // of the last reign, that have neither reported nor are gone
  uint64_t objects_pinned = 0;   // hard
  uint64_t objects_lacking = 0;  // with fewer replicas than they want
  uint64_t copies_running = 0;
  uint64_t notes_unconfirmed = 0;
  Duration oldest_note{};  // age of the oldest unconfirmed one; 0: none
  Space space;
};

struct NodeLine {
  Peer peer;
  std::string software;  // its version
  bool suspected = false;
  Duration silent{};
  uint64_t counter = 0;
  uint64_t segments = 0;
  uint64_t orders_open = 0;
  uint64_t notes_unconfirmed = 0;
  Duration oldest_note{};
  bool missing = false;  // a member of the last reign that has not reported
  bool draining = false;
  bool sick = false;              // any segment of it: peers can't reach it
  Duration joined{};              // so long ago
  uint64_t objects = 0;           // committed replicas
  uint64_t hits = 0, misses = 0;  // of what it asked: Locate and Exists
  ClientTally tally;              // its own counters, as it told them last
  Space space;
};

// "missing", "suspected" or "live"; whether it is draining, or sick, stands beside it.
std::string_view NodeStateName(const NodeLine& line);

// What clients have counted, those that have left included: no number goes back.
struct ClientReport {
  ClientSums all;
  std::map<std::string, ClientSums> named;  // parts of all: by name, as many as ClientTotals keeps
  ClientSums others;                        // the rest
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

struct ReplicaLine {
  SegmentId segment;
  std::string node;
  uint64_t birth = 0;
  std::vector<Range> ranges;
  Standing standing{};
  bool noted = false;  // its holder keeps it for the next master
};

struct ObjectDetail {
  ObjectLine line;
  PutId put;
  uint64_t checksum = 0;
  uint32_t replicas_wanted = 1;
  bool durable = false;  // every holder has noted it as it is now
  Retention retention;   // what is left of it
  std::vector<ReplicaLine> replicas;
};

// Copying a replica to another node, or moving it there.
struct TaskRequest {
  enum class Kind : uint8_t { kCopy, kMove };
  Kind kind = Kind::kCopy;
  std::string key;
  std::string from;  // name of a node that holds it; empty: any (copy), required (move)
  std::string to;    // name of a live node that does not
};

struct TaskLine {
  enum class State : uint8_t { kWaiting, kRunning, kDone, kFailed };
  uint64_t id = 0;
  TaskRequest request;
  State state = State::kWaiting;
  Status status;  // kFailed: why
  uint64_t size = 0;
  Duration age{};
};

// What an operator gives up to make room; leases and pins are respected.
struct EvictRequest {
  std::vector<std::string> keys;  // these; or, with none:
  uint64_t bytes = 0;             // so much, the coldest first,
  std::string node;               // of the node of that name; empty: of every segment's share
};

struct EvictOutcome {
  uint64_t objects = 0, bytes = 0;  // evicted
  // Per key: OK, not_found, failed_precondition (leased, pinned, unfinished); unavailable: not
  // known, as members are missing.
  std::vector<Status> statuses;
  // Without keys. unavailable: nothing was evicted, as members are missing.
  Status status;
};

class ObjectListing;

// Which objects exist, where they lie, who may write where, and when memory is free again.
//
// Rules it keeps (docs/protocol.md; numbers are those of its reuse rules):
//   1. a granule belongs to one put, or to the free list, or is retiring: never two
//   2. all memory comes back through one door, Retire: ordered, withdrawn, free, in that order
//   3. a Remove is answered, and a later put of the key becomes visible, only after every holder of
//      the older object has withdrawn it
//   4. only committed objects are located; eviction spares leased and unfinished ones
//   5. a suspected holder gets no placement and no lease and yields no victim; it is gone not
//      before the longest lease has run out since, and a gone incarnation is never taken back
//   6. StartPut, CommitPut, AbortPut and Remove may be repeated with the same effect
//
// Thread-compatible: the service's mutex covers it. `now` never decreases.
class Catalog {
 public:
  // Begins the reign at `now`. Until all of its members have reported or are gone only hits are
  // answered; all else waits.
  Catalog(TimePoint now, const Limits& limits, const Reign& reign, const Guards& guards = {});
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  Incarnation pool() const;
  uint64_t term() const;

  // A node joins, or a member opens its session again (then its open orders follow in `effects`).
  // failed_precondition "pool ..." or "gone ...": it must empty itself and come as another
  // incarnation. invalid_argument: the hello is out of the limits, or a member has another name
  // there; resource_exhausted: too many nodes, or segments.
  Result<Welcome> Join(TimePoint now, const Hello& hello, Effects* effects);
  // Whether that hello, which Join would take now, makes a new lending member: it must stand among
  // the durable members before Join is called.
  bool MustAdmit(const Hello& hello) const;
  // The same of a member that has lent nothing yet: who is to be written down before HandleLend.
  std::optional<Reign::Member> MustAdmit(Incarnation node, const Lend& lend) const;
  // Whether it counts as one of the durable members: it lends, has lent, or is being struck.
  bool IsKept(Incarnation node) const;
  // Its session stream has ended; it is suspected until it joins again.
  Effects SessionLost(TimePoint now, Incarnation node);
  // It has stopped serving and withdrawn everything. A lender leaves when it is struck.
  Effects Leave(TimePoint now, Incarnation node);
  // The node that effects named in `strike` is no durable member any more: now it has left, or is
  // gone.
  Effects Struck(TimePoint now, Incarnation node);
  // A heartbeat came in at `when`; a suspect that has a session is trusted again. Unknown nodes are
  // ignored.
  Effects Heard(TimePoint when, Incarnation node);
  // The master itself was held up: nobody could be heard, or judged, for `unheard` until `now`. So
  // much of each silence and suspicion does not count; both end later by that, never earlier.
  void Excuse(TimePoint now, Duration unheard);
  bool IsMember(Incarnation node) const;

  Effects Handle(TimePoint now, Incarnation caller, const VerbRequest& request);
  Effects HandleAcks(TimePoint now, Incarnation node, const Acks& acks);
  // invalid_argument: it contradicts itself, the hello, or what is granted. Then its session is to
  // end, and the node is struck: it is to empty itself and come as another.
  Status HandleReport(TimePoint now, Incarnation node, const Report& report, Effects* effects);
  // Not OK: nothing has changed. failed_precondition: it is no member, or no longer.
  Result<Effects> HandleLend(TimePoint now, Incarnation node, const Lend& lend);
  void HandleTally(Incarnation node, const ClientTally& tally);

  // Time passes: grants, leases and patience run out, silent nodes are suspected and gone, free
  // space is kept ready, unanswered orders are sent again. Call every 10 to 100 ms.
  Effects Tick(TimePoint now);

  // ---- what operators do (service admin). Names are those of nodes; where several live ones have
  // the same, all are meant. While members of the last reign are missing, what is not found, or
  // can't be done without them, is unavailable: the status says how many.

  // Not OK, but unavailable: what is not known may yet be reported.
  Status AllIsKnown() const;

  // The node's objects move to others, or are evicted where they are not pinned and there is no
  // room; then it is told to leave. `drain` false: no longer. not_found: no such node;
  // failed_precondition: it lends nothing, or no other node lends.
  Result<Effects> Drain(TimePoint now, std::string_view node, bool drain);
  // The task's id. not_found: no such object, or node; already_exists: there is a replica.
  Result<uint64_t> StartTask(TimePoint now, const TaskRequest& request, Effects* effects);
  // All that run or wait, and the last 1000 that ended.
  std::vector<TaskLine> ListTasks(TimePoint now) const;
  EvictOutcome Evict(TimePoint now, const EvictRequest& request, Effects* effects);
  Result<ObjectDetail> Describe(TimePoint now, std::string_view key) const;
  // Whether effects are to tell of all that becomes of objects.
  void WatchObjects(bool on);

  Census TakeCensus(TimePoint now) const;
  const Counters& counters() const;
  ClientReport ReportClients() const;
  std::vector<NodeLine> ListNodes(TimePoint now) const;
  // How lenders have ended under this master: kLeft and kGone, the last 1000, oldest first.
  std::vector<NodeEvent> ListDeparted() const;
  std::vector<SegmentLine> ListSegments(TimePoint now) const;
  // Goes through one slice of all objects; again until listing->ended().
  void ListSome(TimePoint now, ObjectListing* listing) const;
  // Adds what is remembered of keys that begin so, in no order: of one of kTraceParts parts. What
  // is remembered ends with the master.
  static constexpr size_t kTraceParts = 64;
  void ListTraces(TimePoint now, std::string_view prefix, size_t part,
                  std::vector<TraceLine>* lines) const;
  // The same of one key.
  std::optional<TraceLine> FindTrace(TimePoint now, std::string_view key) const;
  // All of it at once: O(all objects).
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
