#ifndef KVSTORE_SRC_MASTER_SEGMENT_H_
#define KVSTORE_SRC_MASTER_SEGMENT_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "master/object.h"
#include "master/range_allocator.h"
#include "proto/verbs.h"

namespace kvstore::master {

struct Node;

// Memory lent by one node: what is free, who holds the rest and in which order it may be evicted,
// which pages are there, and which parked puts room is being made for. Every byte is unprepared, or
// free, or withheld, or in exactly one replica with a standing. Thread-compatible.
class Segment {
 public:
  Segment(Node* node, const LentSegment& lent, SegmentId id);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  Node& node() const { return *node_; }
  const SegmentId& id() const { return id_; }
  uint64_t granule() const { return granule_; }
  uint64_t size() const { return size_; }
  const RangeAllocator& free() const { return free_; }
  // Whether placement may choose it: its node is live and not drained, and peers reach it.
  bool TakesNew() const;
  bool sick() const { return sick_; }  // peers can't reach it
  void set_sick(bool sick) { sick_ = sick; }

  // ---- replicas

  // Gives the replica memory and the standing kUnfinished. False: there is not enough free, or in
  // too many pieces; nothing has happened.
  bool Grant(HeldReplica* replica, uint64_t bytes, size_t max_ranges, uint64_t birth);
  // Gives it just those ranges, whole granules below what is prepared. False: they are not free;
  // nothing has happened.
  bool Adopt(HeldReplica* replica, const std::vector<Range>& ranges, uint64_t birth,
             Standing standing);
  // Takes the range out of one of `from`'s, in which it lies, and gives it to `to`, of the same
  // birth, as kUnfinished.
  void Cut(HeldReplica* from, const Range& range, HeldReplica* to);
  // Moves the replica to the end of the list of that standing, also where it stands already.
  void Move(HeldReplica* replica, Standing to);
  // The replica's memory is free; it stays in its list, with 0 bytes.
  void FreeMemory(HeldReplica* replica);
  // Forgets the replica; its memory is free.
  void Release(HeldReplica* replica);
  // `change` changes the object's group or hard pin, on which sums over its replicas depend.
  template <typename Change>
  static void Reclassify(Object* object, const Change& change) {
    for (const HeldReplica& replica : object->replicas()) {
      if (replica.segment) replica.segment->Discount(replica);
    }
    change();
    for (const HeldReplica& replica : object->replicas()) {
      if (replica.segment) replica.segment->Count(replica);
    }
  }

  HeldReplica* First(Standing standing) const { return Of(standing).replicas.front(); }
  const Chain<HeldReplica>& List(Standing standing) const { return Of(standing).replicas; }
  uint64_t Bytes(Standing standing) const { return Of(standing).bytes; }
  size_t objects() const;  // committed

  // The one that is to be evicted first, of those that no pin keeps; null: none.
  HeldReplica* Coldest() const;
  // Bytes of replicas that may be evicted to make room.
  uint64_t Evictable(bool soft_pins_too) const {
    return Bytes(Standing::kEvictable) + Bytes(Standing::kUnpinned) +
           (soft_pins_too ? Bytes(Standing::kSoftPinned) : 0);
  }
  // Of hard-pinned objects, unfinished ones included.
  uint64_t hard_pinned() const { return hard_pinned_; }

  // ---- pages

  uint64_t prepared() const { return prepared_; }
  uint64_t asked() const { return asked_; }  // limit of the last prepare order
  TimePoint asked_at() const { return asked_at_; }
  void AskForPages(uint64_t limit, TimePoint now);
  // The holder has touched the pages below `limit`. `ends`: it can't have more; the segment ends.
  void Ready(uint64_t limit, bool ends);

  // ---- growing and shrinking, in whole granules
  //
  //   Limit lower -> what lies beyond empties -> the release is ordered -> End: the size is the
  //   limit. Until that order has gone out the limit can be raised again.

  // Nothing is granted at the limit or beyond it. At most size().
  uint64_t limit() const { return limit_; }
  void Limit(uint64_t limit);
  bool IsShrinking() const { return limit_ < size_; }
  // Whether nothing lies beyond the limit any more.
  bool IsEmptied() const;
  bool LiesBeyond(const HeldReplica& replica) const;
  // It is larger from now on, its pages are there up to `ready`. Not while it shrinks.
  void Grow(uint64_t size, uint64_t ready);
  // It has been emptied beyond the limit and ends there.
  void End();
  // Free memory beyond the limit.
  const RangeAllocator& withheld() const { return withheld_; }

  // The release that is ordered and not confirmed. Its limit may meanwhile be more than limit(): a
  // segment also ends where its node has no more pages.
  struct OpenRelease {
    uint64_t number = 0;
    uint64_t limit = 0;
    TimePoint sent{};  // last
  };
  std::optional<OpenRelease> release;
  // What its node wished for after that, to be granted once it is released.
  std::optional<LentSegment> wished;

  // ---- parked puts that wait for room here, in the order of their arrival

  void Enqueue(Object* object);
  void Dequeue(Object* object);
  Object* FirstInQueue() const { return queue_.empty() ? nullptr : queue_.begin()->second; }
  const std::map<uint64_t, Object*>& queue() const { return queue_; }
  // What the queue needs in all.
  uint64_t claimed() const { return claimed_; }

  // ---- sums

  // What comes back without anybody's doing: retirements that the holder has not answered yet, and
  // pages that it has been asked for.
  uint64_t Coming() const {
    return Bytes(Standing::kOrdered) + (asked_ > prepared_ ? asked_ - prepared_ : 0);
  }
  // Free and claimed by nobody.
  uint64_t Available() const {
    return free_.free_bytes() > claimed_ ? free_.free_bytes() - claimed_ : 0;
  }
  uint64_t Unprepared() const { return limit_ > prepared_ ? limit_ - prepared_ : 0; }
  // What may become free in the end if all others finish: all but what is leased or pinned.
  uint64_t Reachable() const {
    const uint64_t kept = Bytes(Standing::kLeased) + Bytes(Standing::kPinned);
    return limit_ > kept ? limit_ - kept : 0;
  }
  // Free and unprepared and unclaimed memory in 1024ths of the limit: what placement spreads by.
  uint32_t FreeShare() const;
  Space TakeSpace() const;

 private:
  struct Held {
    Chain<HeldReplica> replicas;
    uint64_t bytes = 0;  // sum over `replicas`
  };
  void Free(Range range);
  // From cold to warm; of one call, the tail of a chain before its head.
  struct ColderFirst {
    bool operator()(const HeldReplica* a, const HeldReplica* b) const;
  };

  // The replica's part in all sums.
  void Count(const HeldReplica& replica);
  void Discount(const HeldReplica& replica);
  void Enter(HeldReplica* replica, Standing standing);
  void Leave(HeldReplica* replica);

  Held& Of(Standing s) { return held_[static_cast<size_t>(s)]; }
  const Held& Of(Standing s) const { return held_[static_cast<size_t>(s)]; }

  // Fixed by construction.
  Node* const node_;
  const SegmentId id_;
  const uint64_t granule_;

  uint64_t size_;   // whole granules; shrinks when the holder can't have the pages
  uint64_t limit_;  // <= size_; whole granules
  bool sick_ = false;
  uint64_t prepared_ = 0;  // free_, withheld_ and all replicas lie below; <= asked_
  uint64_t asked_ = 0;     // <= size_; beyond the limit only as far as prepared_ is
  TimePoint asked_at_{};
  RangeAllocator free_;      // below the limit
  RangeAllocator withheld_;  // beyond it
  std::array<Held, kStandings> held_;
  // All of kUnpinned. An object's `used` and `position` don't change while it is in here.
  std::set<HeldReplica*, ColderFirst> unpinned_;
  uint64_t hard_pinned_ = 0;
  std::map<uint64_t, Object*> queue_;  // by arrival
  uint64_t claimed_ = 0;               // sum of the footprints of queue_
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SEGMENT_H_
