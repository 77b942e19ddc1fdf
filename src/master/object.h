#ifndef KVSTORE_SRC_MASTER_OBJECT_H_
#define KVSTORE_SRC_MASTER_OBJECT_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/placement.h"
#include "master/held_replica.h"
#include "master/standing.h"
#include "master/waiting.h"
#include "proto/verbs.h"

namespace kvstore::master {

class KeyEntry;
class Segment;
struct Group;

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

// How a put ended, for retries.
enum class Outcome : uint8_t {
  kCommitted,
  kAborted,      // by its writer
  kExpired,      // its grant ran out
  kWriterLost,   // its writer was silent for too long, or another writer took the key meanwhile
  kHoldersLost,  // a node that it was being written to is gone
  kRefused,      // it was to begin with its commit
};

// Who has written objects, said once for all of them.
struct Writer {
  Incarnation incarnation;
  size_t objects = 0;
};

// One put and what becomes of it. At a fixed place in memory while it exists. There are millions,
// nearly all of them complete, with one replica, and no more to be said of them than stands here.
struct Object : private HeldReplica {
  // What is to be said of few: of those that are not complete yet, or kept in a special way.
  struct More {
    // Those after the one that lies within the object.
    std::vector<std::unique_ptr<FurtherReplica>> replicas;

    // How it was asked for; wanted while parked.
    std::vector<std::string> preferred_nodes;
    std::vector<Segment*> targets;  // parked: where room is made, one per replica, or none yet
    uint64_t arrival = 0;           // parked: its place in every queue

    TimePoint asked{};         // when its StartPut first came
    TimePoint grant_wanted{};  // the deadline that its patience asks for
    TimePoint deadline{};      // pending, ahead: end of its grant

    // Before the commit these two are as long after TimePoint{} as they will be after the commit.
    TimePoint soft_pin_end{};  // not after now: none
    TimePoint expires = TimePoint::max();
    Group* group = nullptr;    // null: none
    uint32_t group_place = 0;  // of this in the group's members

    // kParked: StartPuts; kCommitting: CommitPuts; kComplete: Pins; kRetiring: CommitPuts,
    // AbortPuts
    WaitList waiting;
  };

  // Its replicas, in the order in which they were added.
  template <typename Owner, typename Replica>
  class ReplicaRange {
   public:
    class Iterator {
     public:
      using iterator_category = std::forward_iterator_tag;
      using value_type = Replica;
      using difference_type = std::ptrdiff_t;
      using pointer = Replica*;
      using reference = Replica&;

      Iterator() = default;
      Iterator(Owner* owner, size_t i) : owner_(owner), i_(i) {}
      Replica& operator*() const { return owner_->ReplicaAt(i_); }
      Replica* operator->() const { return &owner_->ReplicaAt(i_); }
      Iterator& operator++() {
        ++i_;
        return *this;
      }
      Iterator operator++(int) { return {owner_, i_++}; }
      friend bool operator==(const Iterator& a, const Iterator& b) { return a.i_ == b.i_; }

     private:
      Owner* owner_ = nullptr;
      size_t i_ = 0;
    };

    explicit ReplicaRange(Owner* owner) : owner_(owner) {}
    Iterator begin() const { return {owner_, 0}; }
    Iterator end() const { return {owner_, size()}; }
    size_t size() const { return owner_->ReplicaCount(); }
    bool empty() const { return size() == 0; }
    Replica& front() const { return owner_->ReplicaAt(0); }

   private:
    Owner* owner_;
  };

  Object() { is_first = true; }

  PutId id() const { return writer ? PutId{writer->incarnation, sequence} : PutId(); }

  ReplicaRange<Object, HeldReplica> replicas() { return ReplicaRange<Object, HeldReplica>(this); }
  ReplicaRange<const Object, const HeldReplica> replicas() const {
    return ReplicaRange<const Object, const HeldReplica>(this);
  }
  // At a fixed place until it is removed.
  HeldReplica& AddReplica();
  void RemoveReplica(const HeldReplica& replica);

  // What is to be said beyond the fields below, or that it is nothing.
  const More& rest() const { return more_ ? *more_ : kNothing; }
  More& more() {
    if (!more_) more_ = std::make_unique<More>();
    return *more_;
  }
  // Now that it is complete: no more memory is kept for that than is needed.
  void Trim();

  const WaitList& waiting() const { return rest().waiting; }
  Group* group() const { return rest().group; }
  TimePoint deadline() const { return rest().deadline; }
  TimePoint soft_pin_end() const { return rest().soft_pin_end; }
  TimePoint expires() const { return rest().expires; }
  void set_soft_pin_end(TimePoint end) {
    if (end != soft_pin_end()) more().soft_pin_end = end;
  }
  void set_expires(TimePoint when);

  bool SameBytesAs(const Object& other) const {
    return size == other.size && checksum == other.checksum;
  }

  ObjectState state = ObjectState::kParked;
  Outcome outcome = Outcome::kAborted;  // meaningful once kRetiring
  Placement placement = Placement::kLocalFirst;
  bool was_visible : 1 = false;   // has ever been kComplete
  bool adopted : 1 = false;       // a put of an earlier reign
  bool durable : 1 = false;       // see Retention
  bool hard_pin : 1 = false;      // see Retention
  bool notes_sent : 1 = false;    // committing: all of them were
  bool awaits_notes : 1 = false;  // committing: visible only when all are confirmed
  bool bound : 1 = false;         // committing: what it replaces is given up for it
  uint16_t not_withdrawn = 0;     // replicas whose holder may still vouch for them
  uint16_t not_free = 0;          // replicas whose memory has not come back
  uint16_t notes_open = 0;        // replicas whose note is not confirmed
  uint32_t replicas_wanted = 1;
  uint32_t position = 0;
  uint32_t slot = 0;               // of the table of objects
  const Writer* writer = nullptr;  // null: in no table
  uint64_t sequence = 0;
  Object* next_in_index = nullptr;  // beside what a look-up compares
  uint64_t size = 0;                // bytes
  uint64_t checksum = 0;
  KeyEntry* key = nullptr;  // null: retiring, and no longer of interest to its key
  TimePoint committed{};    // complete: since when it is visible
  TimePoint lease_end{};    // complete: no eviction before
  TimePoint used{};         // complete: when it was committed, or touched last

 private:
  friend HeldReplica;
  static const More kNothing;

  size_t ReplicaCount() const { return (is_there ? 1 : 0) + rest().replicas.size(); }
  HeldReplica& ReplicaAt(size_t i) {
    if (is_there && i == 0) return *this;
    return *more_->replicas[is_there ? i - 1 : i];
  }
  const HeldReplica& ReplicaAt(size_t i) const {
    if (is_there && i == 0) return *this;
    return *more_->replicas[is_there ? i - 1 : i];
  }

  std::unique_ptr<More> more_;
};
static_assert(sizeof(Object) <= 160, "there may be ten million of them");

inline Object& HeldReplica::object() const {
  if (!is_first) return *static_cast<const FurtherReplica*>(this)->of;
  return *const_cast<Object*>(static_cast<const Object*>(this));
}

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_OBJECT_H_
