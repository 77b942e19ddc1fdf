#ifndef KVSTORE_PROTO_VERBS_H_
#define KVSTORE_PROTO_VERBS_H_

// The contract between master and nodes as plain structs: what the catalog decides on, what the
// client asks for, what the simulator carries. Free of protobuf; proto/codec.h turns them into
// messages.
//
//   verbs     a caller asks, the catalog answers each item, at once or later
//   orders    the catalog tells a holder to retire, note, copy, prepare or release; acks come back
//   session   hello, welcome, report, and what a node tells unasked
//
// Times are durations. Who receives one counts from before it asked.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/placement.h"
#include "kvstore/retention.h"
#include "kvstore/status.h"
#include "proto/key_batch.h"

namespace kvstore {

inline constexpr uint32_t kProtocolVersion = 2;
inline constexpr uint32_t kOldestProtocolVersion = 2;
inline constexpr size_t kMaxBatchItems = 4096;        // per message; clients cut larger batches
inline constexpr size_t kMaxMessageBytes = 4u << 20;  // gRPC message
inline constexpr size_t kMaxRangesPerReplica = 64;
inline constexpr uint64_t kDefaultGranule = 4096;
// Put ids (holder, from here up) name memory that no put names and that a holder reports as not yet
// free; no writer draws such sequences.
inline constexpr uint64_t kFirstHeldSequence = uint64_t{1} << 63;
// For so long, counted from before it sent a beat that was answered, a node takes what its master
// said earlier for certain. A master that may have had a predecessor, and goes on with none of its
// members, is silent for as long after its start, so that nobody goes by the word of the one while
// the other gives its own. Where it awaits members what it answers is what they hold, and those
// that are never heard of again are gone when no lease lasts any more; one that is given up before,
// such as for a report that contradicts itself, is awaited for as long as this all the same.
inline constexpr Duration kCertainAfterBeat = std::chrono::seconds(1);

// Chosen by the writer, so that every retry is recognised. Sequences of one writer only grow.
struct PutId {
  Incarnation writer;
  uint64_t sequence = 0;
  friend auto operator<=>(const PutId&, const PutId&) = default;
};

// A segment of one incarnation; `index` is the region's id at the holder's transfer engine.
struct SegmentId {
  Incarnation holder;
  uint32_t index = 0;
  friend auto operator<=>(const SegmentId&, const SegmentId&) = default;
};

// Whole granules of a segment, in bytes.
struct Range {
  uint64_t offset = 0;
  uint64_t length = 0;
  friend auto operator<=>(const Range&, const Range&) = default;
};

// One copy of an object, in ranges of one segment, in order. The birth holds for all of them.
struct Replica {
  SegmentId segment;
  uint64_t birth = 0;
  std::vector<Range> ranges;
  friend bool operator==(const Replica&, const Replica&) = default;
};

// How a holder is reached.
struct Peer {
  Incarnation incarnation;
  std::string name;
  std::string host;        // equal for processes that reach each other's memory in place
  std::string descriptor;  // for transfer::Engine::Open
  friend bool operator==(const Peer&, const Peer&) = default;
};

// ---- verbs: requests
// -------------------------------------------------------------------------------

struct StartPut {
  KeyBatch keys;
  std::vector<uint64_t> sequences;  // put ids are (caller, sequence)
  std::vector<uint64_t> sizes;      // bytes
  uint32_t replicas = 1;
  bool replace = false;
  Placement placement = Placement::kLocalFirst;
  std::vector<std::string> preferred_nodes;
  // Committed only when every holder has noted it, so that no loss of the master loses it.
  bool durable = false;
  Retention retention{};              // of all items, but for the position:
  std::vector<uint32_t> positions{};  // empty, or one per item
  // Empty, or one per item: the sequence of an earlier put, never committed, that this one takes
  // the place of though copies of it may still land; 0: none.
  std::vector<uint64_t> instead_of{};
};

// A piece of a grant ahead, cut by the writer itself: whole granules, as many as its put takes.
struct GrantPiece {
  uint64_t grant = 0;   // the sequence of its GrantAhead
  uint64_t term = 0;    // of the master that gave it
  uint64_t offset = 0;  // in the segment
  uint64_t length = 0;
  friend bool operator==(const GrantPiece&, const GrantPiece&) = default;
};

// Puts that have been started; or, with pieces, puts of which the master hears for the first time.
struct CommitPut {
  std::vector<uint64_t> sequences;
  std::vector<uint64_t> checksums;   // XXH3-64, seed 0
  std::vector<GrantPiece> pieces{};  // empty, or one per item
  // With pieces: what the StartPut of the same items would have said, of one replica. Where they
  // lie has been decided: placement, preferred nodes and `instead_of` say nothing.
  StartPut put{};
};

// The writer's word that no copy of these puts can still land.
struct AbortPut {
  std::vector<uint64_t> sequences;
};

// For who reads what others have only just computed: a key that is not there is waited for where a
// put of it is announced (master/catalog_await.cc says when), and is not found when none came.
struct AwaitPuts {
  Duration at_most{};   // zero: nothing is waited for
  std::string after{};  // the key before the first, in a chain of prefixes; empty: none is known
};

struct Locate {
  KeyBatch keys;
  bool want_lease = true;
  bool readable = false;  // what lies on suspected holders alone is not found
  AwaitPuts await{};
};
struct Exists {
  KeyBatch keys;
};
struct WaitExists {
  KeyBatch keys;
};
struct Remove {
  KeyBatch keys;
};
struct StatObject {
  KeyBatch keys;
};

// Objects that were read at remembered locations, so that eviction takes no hot object for a cold
// one. Never answered, and may be lost.
struct NoteReads {
  std::vector<PutId> puts;
};

// Pins anew, or unpins (both empty); a TTL and a group stay as they are.
struct Pin {
  KeyBatch keys;
  bool hard = false;
  Duration soft{};  // from now
};

// Removes all objects whose key begins so; empty: all. One item, answered when the last of them is
// withdrawn; what is committed meanwhile may stay.
struct RemoveMatching {
  std::string prefix;
};

// Holders that the caller could not reach, or whose copies broke off. Never answered, may be lost.
struct ReportFailures {
  std::vector<SegmentId> segments;
};

// Memory for puts to come: a *grant ahead*, one range that the writer cuts into pieces itself.
// Answered at once, as a StartPut; refused where it would be in the way of others. The sequence is
// no put's; the same again is a retry.
struct GrantAhead {
  uint64_t sequence = 0;
  uint64_t bytes = 0;          // at most
  uint64_t least = 0;          // less is refused
  std::vector<uint64_t> done;  // sequences of earlier ones that are not wanted any more
};

struct VerbRequest {
  uint64_t id = 0;  // unique among the caller's; the same again is a retry
  // How long items may be left unanswered; then each is answered deadline_exceeded with its reason.
  Duration patience{};
  std::variant<StartPut, CommitPut, AbortPut, Locate, Exists, WaitExists, Remove, StatObject,
               NoteReads, Pin, RemoveMatching, ReportFailures, GrantAhead>
      verb;
};

// ---- verbs: replies
// --------------------------------------------------------------------------------

struct StartPutAnswer {
  uint32_t index = 0;
  Status status;
  std::vector<Replica> replicas;
  Duration grant{};   // how long the writer may write and commit, counted from asking plus `parked`
  Duration parked{};  // how long the item waited for room
  // GrantAhead: the master's, and of the segment.
  uint64_t term = 0;
  uint64_t granule = 0;
};

// CommitPut, Exists, WaitExists, Remove, Pin. AbortPut: OK, or failed_precondition "committed".
struct ItemAnswer {
  uint32_t index = 0;
  Status status;
};

struct LocateAnswer {
  uint32_t index = 0;
  Status status;
  PutId put;
  uint64_t size = 0;
  uint64_t checksum = 0;
  std::vector<Replica> replicas;  // best first is the reader's business
  Duration lease{};               // 0: none granted
  Duration parked{};
};

struct StatAnswer {
  uint32_t index = 0;
  Status status;
  PutId put;
  uint64_t size = 0;
  uint64_t checksum = 0;
  Duration age{};
  Duration lease_left{};
  std::vector<Replica> replicas;
  bool durable = false;   // every holder has noted it as it is now
  Retention retention{};  // what is left of it
};

// RemoveMatching.
struct CountAnswer {
  uint32_t index = 0;
  Status status;
  uint64_t count = 0;  // objects that it removed
};

// Answers some items of one request; a request is answered when every item has been, in any number
// of replies.
struct VerbReply {
  uint64_t id = 0;
  std::variant<std::vector<StartPutAnswer>, std::vector<ItemAnswer>, std::vector<LocateAnswer>,
               std::vector<StatAnswer>, std::vector<CountAnswer>>
      answers;
  std::vector<Peer> peers;  // every holder that the answers name, once
};

// ---- orders and acks
// -------------------------------------------------------------------------------

// Withdraw the ranges, and say so; say again when nothing can touch them. Idempotent: where the
// word of the first granule is already greater than the birth, nothing is stamped and both are said
// again.
struct RetireOrder {
  PutId put;
  uint32_t segment = 0;
  uint64_t birth = 0;
  std::vector<Range> ranges;
};

// Touch the segment's pages below `limit` (bytes), and say Ready.
struct PrepareOrder {
  uint32_t segment = 0;
  uint64_t limit = 0;
};

// What the ranges hold from now on: they are committed. The holder keeps it for the next master
// until it retires them; refused if it has retired them already. The same grant again: the higher
// version counts. While what the put replaces may still be read elsewhere, the note names it: the
// put is not visible before that is withdrawn everywhere.
struct NoteOrder {
  PutId put;
  uint32_t segment = 0;
  uint64_t birth = 0;
  std::vector<Range> ranges;  // all of this replica
  std::string key;
  uint64_t size = 0;
  uint64_t checksum = 0;
  uint32_t replicas = 1;  // as many as the put wants in all
  Retention retention;
  uint64_t version = 0;  // rises within a term, whenever what is to be kept changes
  PutId replaces;        // its writer is none: nothing
  friend bool operator==(const NoteOrder&, const NoteOrder&) = default;
};

// Fetch a committed object into ranges granted here, validated as any read, and say Copied. The
// grant is this order: retired by name of the put, like any other.
struct CopyOrder {
  PutId put;
  uint64_t size = 0;
  uint64_t checksum = 0;
  Replica from;  // its holder is among the peers of the orders
  uint32_t segment = 0;
  uint64_t birth = 0;
  std::vector<Range> ranges;
};

// The segment ends at `limit` from now on (bytes, whole granules): nothing beyond it is granted,
// all of it is free. Its pages may go back to the machine.
struct ReleaseOrder {
  uint32_t segment = 0;
  uint64_t limit = 0;
  uint64_t number = 0;  // rises within a term; the same when it is ordered again
};

// The node holds nothing any more and is to leave: an operator had it drained.
struct LeaveOrder {};

using Order =
    std::variant<RetireOrder, PrepareOrder, NoteOrder, CopyOrder, ReleaseOrder, LeaveOrder>;

struct Orders {
  uint64_t term = 0;
  std::vector<Order> orders;
  std::vector<Peer> peers{};  // every holder that a CopyOrder names, once
};

enum class RetireStage : uint8_t {
  kWithdrawn,  // the words are stored: no later read validates, no later frame is accepted
  kFree,       // and nothing can touch the memory any more
};

struct RetireAck {
  PutId put;
  uint32_t segment = 0;
  uint64_t birth = 0;
  RetireStage stage = RetireStage::kWithdrawn;
};

struct ReadyAck {
  uint32_t segment = 0;
  uint64_t limit = 0;   // bytes from the start whose pages are there
  std::string problem;  // not empty: the pages can't be had; the segment ends at `limit`
};

struct NoteAck {
  PutId put;
  uint32_t segment = 0;
  uint64_t birth = 0;
  bool kept = true;      // false: the ranges were retired before
  uint64_t version = 0;  // of the note; what is kept is not older
};

struct CopyAck {
  PutId put;
  uint32_t segment = 0;
  uint64_t birth = 0;
  Status status;  // OK: the ranges hold the object
};

struct ReleaseAck {
  uint32_t segment = 0;
  uint64_t limit = 0;
  uint64_t number = 0;  // the order's; 0: none of this term's
};

struct Acks {
  uint64_t term = 0;
  uint64_t counter = 0;  // the node's counter now: births of later grants
  std::vector<RetireAck> retired;
  std::vector<ReadyAck> ready;
  std::vector<NoteAck> noted{};
  std::vector<CopyAck> copied{};
  std::vector<ReleaseAck> released{};

  bool IsEmpty() const {
    return retired.empty() && ready.empty() && noted.empty() && copied.empty() && released.empty();
  }
};

// ---- session
// ---------------------------------------------------------------------------------------

struct LentSegment {
  uint32_t index = 0;
  uint64_t size = 0;  // bytes, whole granules: what the node wants to lend
  uint64_t granule = kDefaultGranule;
  uint64_t ready = 0;  // bytes from the start that may be granted
};

struct Hello {
  uint32_t oldest_version = kOldestProtocolVersion;
  uint32_t newest_version = kProtocolVersion;
  std::string software;  // "0.1.0"
  Incarnation pool;      // none: not yet a member of any
  uint64_t term = 0;     // highest ever heard of; 0: none
  Peer self;
  uint64_t counter = 0;
  std::vector<LentSegment> segments;
};

// The first message of a verb stream: whose verbs they are.
struct VerbHello {
  uint32_t oldest_version = kOldestProtocolVersion;
  uint32_t newest_version = kProtocolVersion;
  Incarnation self;
  uint64_t term = 0;  // of its session
};

// One heartbeat.
struct Beat {
  Incarnation self;
  uint64_t term = 0;
};

struct BeatReply {
  uint64_t term = 0;
  bool unknown = false;  // to the master: that incarnation is no member (any more)
};

struct Welcome {
  uint32_t version = kProtocolVersion;
  std::string software;
  Incarnation pool;
  uint64_t term = 0;
  Duration heartbeat_interval{};
  Duration suspect_after{};
  // The master knows nothing of the node's memory: it grants none of it before the last report.
  bool wants_report = false;
};

// Memory that is withdrawn and not yet free, though no put names it: viewed, or under a copy that
// still runs. Its holder says free of it as of any retirement, by (holder, sequence), segment and
// birth.
struct HeldMemory {
  uint64_t sequence = 0;  // from kFirstHeldSequence
  uint32_t segment = 0;
  uint64_t birth = 0;
  std::vector<Range> ranges;
  friend bool operator==(const HeldMemory&, const HeldMemory&) = default;
};

// What a node's memory is, told to a master that wants it, in parts; before its first acks. What is
// neither held nor noted is free up to what is ready of each segment. Everything but what is noted
// has been stamped: no grant of an earlier term can be used any more.
struct Report {
  uint64_t term = 0;
  uint64_t counter = 0;               // now; births of later grants
  std::vector<LentSegment> segments;  // in the last part
  std::vector<NoteOrder> notes;       // as the orders that brought them; durations are what is left
  std::vector<HeldMemory> held;
  bool last = false;
};

// A node lends more or less than it did, or the wish of a hello is repeated. Segments that are not
// named stay as they are.
struct Lend {
  std::vector<LentSegment> segments;
};

// What a client has counted since it was made; told now and then, for whoever watches the pool.
struct ClientTally {
  uint64_t gets_ok = 0, gets_missed = 0, gets_failed = 0, gets_remembered = 0;
  uint64_t puts_ok = 0, puts_failed = 0;
  uint64_t bytes_got = 0, bytes_put = 0;
  uint64_t reads_refused = 0;        // by the word of a holder: a location no longer stood
  uint64_t checksum_mismatches = 0;  // bytes refused by their checksum
  uint64_t entries_refused = 0;      // as holder: accesses refused before they began
  uint64_t accesses_refused = 0;     // as holder: refused after their last byte
  // By way, in the order of transfer::Way from kLocal on.
  std::vector<uint64_t> bytes_by_way;
  friend bool operator==(const ClientTally&, const ClientTally&) = default;
};

}  // namespace kvstore

template <>
struct std::hash<kvstore::PutId> {
  size_t operator()(const kvstore::PutId& id) const noexcept {
    return std::hash<kvstore::Incarnation>()(id.writer) ^ (id.sequence * 0x9e3779b97f4a7c15ULL);
  }
};

template <>
struct std::hash<kvstore::SegmentId> {
  size_t operator()(const kvstore::SegmentId& id) const noexcept {
    return std::hash<kvstore::Incarnation>()(id.holder) ^ (id.index * 0x9e3779b97f4a7c15ULL);
  }
};

#endif  // KVSTORE_PROTO_VERBS_H_
