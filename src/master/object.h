#ifndef KVSTORE_SRC_MASTER_OBJECT_H_
#define KVSTORE_SRC_MASTER_OBJECT_H_

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kvstore/clock.h"
#include "master/chain.h"
#include "master/standing.h"
#include "master/waiting.h"
#include "proto/verbs.h"

namespace kvstore::master {

class Segment;
struct Group;
struct KeyEntry;
struct Object;

//              room              commit                  older object withdrawn
//   kParked ----------> kPending -------> kCommitting -----------------------> kComplete
//      |                   |                   |                                  |
//      | end of patience   | abort, deadline,  | abort, holders lost              | evicted,
//      removed, v abort             v writer dead       v                                  v
//      replaced, lost
//    erased             kRetiring <------------+----------------------------------+
//                          | free at every holder
//                          v            kAhead ----> kRetiring, or erased when it is used up
//                        erased
enum class ObjectState : uint8_t {
  kParked,      // waits for room; holds no memory; its key is taken
  kPending,     // granted: its writer may write until the deadline; invisible
  kCommitting,  // committed by its writer: to be noted, and what it replaces withdrawn
  kComplete,    // visible
  kRetiring,    // given up: its memory comes back as the holders confirm
  kAhead,       // no put: a grant ahead, what is left of it; has no key
};

std::string_view ObjectStateName(ObjectState state);

// Whether the picture above has that arrow.
bool MayBecome(ObjectState from, ObjectState to);

// One copy of an object in one segment, until its memory is free or its holder is lost.
struct HeldReplica {
  Object* object = nullptr;
  Segment* segment = nullptr;  // null: free again, or its holder is lost
  uint64_t birth = 0;
  std::vector<Range> ranges;
  uint64_t bytes = 0;  // sum of the ranges
  Standing standing = Standing::kUnfinished;
  TimePoint sent{};    // when its retire order, or what fills it, was last sent
  bool noted = false;  // its holder keeps what it holds, as it is now, for the next master
  uint64_t note = 0;   // the one that its holder has not confirmed; 0: none

  HeldReplica* previous = nullptr;  // of its segment's list for `standing`
  HeldReplica* next = nullptr;
};

// How a put ended, for retries.
enum class Outcome : uint8_t {
  kCommitted,
  kAborted,      // by its writer
  kExpired,      // its grant ran out
  kWriterLost,   // its writer was silent for too long, or another writer took the key meanwhile
  kHoldersLost,  // a node that it was being written to is gone
  kRefused,      // it was to begin with its commit
};

// One put and what becomes of it. At a fixed place in memory while it exists.
struct Object {
  PutId id;
  uint64_t size = 0;  // bytes
  uint64_t checksum = 0;
  ObjectState state = ObjectState::kParked;
  Outcome outcome = Outcome::kAborted;  // meaningful once kRetiring
  bool was_visible = false;             // has ever been kComplete
  bool adopted = false;                 // a put of an earlier reign
  KeyEntry* key = nullptr;              // null: retiring, and no longer of interest to its key

  // How it was asked for; wanted while parked.
  uint32_t replicas_wanted = 1;
  Placement placement = Placement::kLocalFirst;
  std::vector<std::string> preferred_nodes;
  std::vector<Segment*> targets;  // parked: where room is made for it, one per replica, or none yet
  uint64_t arrival = 0;           // parked: its place in every queue

  TimePoint asked{};         // when its StartPut first came
  TimePoint grant_wanted{};  // the deadline that its patience asks for
  TimePoint deadline{};      // pending, ahead: end of its grant
  TimePoint committed{};     // complete: since when it is visible
  TimePoint lease_end{};     // complete: no eviction before

  // How long it is kept; see Retention.
  bool durable = false;
  bool hard_pin = false;
  uint32_t position = 0;
  uint32_t group_place = 0;  // of this in the group's members
  Group* group = nullptr;    // null: none
  // Before the commit these two are as long after TimePoint{} as they will be after the commit.
  TimePoint soft_pin_end{};  // not after now: none
  TimePoint expires = TimePoint::max();
  TimePoint used{};  // complete: when it was committed, or touched last

  std::list<HeldReplica> replicas;  // at fixed places
  size_t not_withdrawn = 0;         // replicas whose holder may still vouch for them
  size_t not_free = 0;              // replicas whose memory has not come back
  uint32_t notes_open = 0;          // replicas whose note is not confirmed
  bool notes_sent = false;          // committing: all of them were
  bool awaits_notes = false;        // committing: visible only when all are confirmed
  bool bound = false;               // committing: what it replaces is given up for it

  // kParked: StartPuts; kCommitting: CommitPuts; kComplete: Pins; kRetiring: CommitPuts, AbortPuts
  WaitList waiting;

  bool SameBytesAs(const Object& other) const {
    return size == other.size && checksum == other.checksum;
  }
};

// What the catalog knows of one key; exists while any field says something.
struct KeyEntry {
  const std::string* key = nullptr;  // of the map that owns the entry
  Object* current = nullptr;         // kComplete: what is located
  Object* unfinished = nullptr;      // kParked, kPending or kCommitting
  std::vector<Object*> leaving;  // once visible or noted, retiring, not yet withdrawn everywhere

  WaitList readers;   // Locate, Exists, Stat: until `unfinished` stops committing; WaitExists
  WaitList removers;  // until `leaving` is empty

  bool IsEmpty() const {
    return !current && !unfinished && leaving.empty() && readers.empty() && removers.empty();
  }
};

// So that a lookup needs no std::string.
struct KeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};
using KeyMap = std::unordered_map<std::string, KeyEntry, KeyHash, std::equal_to<>>;
using ObjectMap = std::unordered_map<PutId, Object>;

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_OBJECT_H_
