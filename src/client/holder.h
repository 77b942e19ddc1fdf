#ifndef KVSTORE_SRC_CLIENT_HOLDER_H_
#define KVSTORE_SRC_CLIENT_HOLDER_H_

// The node's counterpart of the master's catalog: what may be done with the memory that it lends.
// Pure, as the catalog is; the simulator drives both.

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "client/manifest.h"
#include "client/range_set.h"
#include "guard_switch.h"
#include "kvstore/clock.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

// One word per granule, written by the holder only; shared with readers by ways that look for
// themselves (shared memory, RDMA).
using transfer::Word;

// What other processes may be touching by ways that don't ask the holder (shared memory).
class Outsiders {
 public:
  virtual ~Outsiders() = default;
  // As transfer::Engine::TouchedByOthers: asked after words have been stored, what is not named is
  // touched by nobody, and will not be, under births that those words refuse.
  virtual std::vector<Range> Touched(uint32_t segment) = 0;
};

// The guards of the reuse rules that a test can switch off; see master/limits.h.
struct HolderGuards {
  KVSTORE_GUARD(check_birth_on_enter);      // rule 7: every access is checked against the word
  KVSTORE_GUARD(check_birth_after);         // rule 4: and once more after the last byte
  KVSTORE_GUARD(free_waits_for_accesses);   // rule 3: *free* only when nothing touches the memory
  KVSTORE_GUARD(free_waits_for_outsiders);  // rule 7: nor another process, through shared memory
  KVSTORE_GUARD(orders_name_the_birth);     // rule 2: an order for older memory stamps nothing
  KVSTORE_GUARD(older_terms_are_refused);   // terms: an order of a deposed master is not executed
  KVSTORE_GUARD(
      note_refused_when_retired);           // nothing is noted of memory that was taken back before
  KVSTORE_GUARD(stamp_unnamed_on_reign);    // rule 7: grants of an earlier term end with it
  KVSTORE_GUARD(hold_touched_on_reign);     // rule 3: what is touched then is not free then
  KVSTORE_GUARD(every_word_is_stamped);     // rule 1: not only the first of a range
  KVSTORE_GUARD(counter_covers_old_words);  // rule 1: over incarnations of the process
};

struct HolderCounters {
  uint64_t retired = 0;         // orders that stamped
  uint64_t retired_again = 0;   // orders that found it done
  uint64_t orders_refused = 0;  // of an older term, or out of bounds
  uint64_t entered = 0;
  uint64_t refused_on_enter = 0;
  uint64_t refused_after = 0;
  uint64_t free_delayed = 0;               // retirements that had to wait for an access
  uint64_t free_delayed_by_outsiders = 0;  // of these, for another process alone
  uint64_t notes_kept = 0;
  uint64_t notes_refused = 0;  // of memory taken back before, of an older term, or out of bounds
};

// What a node reports to a new master.
struct ReignReport {
  Report rest;  // all but the notes
  Manifest::Told notes;

  // In one piece.
  Report Whole() && {
    rest.notes = notes.Take(notes.left());
    return std::move(rest);
  }
};

// Words, births, accesses and notes of all segments that a node lends. Thread-compatible:
// segment_host's mutex covers it. Memory that it guards is touched only between Enter and Leave.
class Holder {
 public:
  // `outsiders`, if any, outlives the holder; it is asked within Retire, OthersLeft, EnterReign,
  // touched and idle.
  explicit Holder(const HolderGuards& guards = {}, Outsiders* outsiders = nullptr);

  // `words`, one per granule of `size` (a whole number of them), outlives the holder and is all 0
  // or as an earlier incarnation of this process left it. `granted_below`: no memory from there on
  // was ever granted (its pages were never reported ready). Its words are 0 and need neither be
  // read nor stamped, which would make their pages present.
  void AddSegment(uint32_t index, uint64_t size, uint64_t granule, std::span<Word> words,
                  uint64_t granted_below = std::numeric_limits<uint64_t>::max());
  // Memory of the segment may be granted up to there from now on; only grows.
  void RaiseGranted(uint32_t index, uint64_t granted_below);

  // Grows with every retirement, over all segments and over changes of incarnation.
  uint64_t counter() const { return counter_; }
  uint64_t term() const { return term_; }

  // The node has been welcomed into this term, by a master that knows its memory; lower ones are
  // refused from now on.
  void EnterTerm(uint64_t term);

  // The same, by a master that wants a report. First everything that no note names is stamped, in
  // one step of the counter, so that no grant given before can be used any more. What accesses or
  // outsiders still touch of it is *held*: a retirement of the put (`self`, kFirstHeldSequence + n)
  // that has been withdrawn, so that its free is said as of any other. Orders of earlier terms are
  // not open any more, and what has outlived its TTL is not noted. May be repeated, until the
  // master has had a whole report; the latest counts. None: the term is older. The report names the
  // `segments`, and nothing is held beyond what is ready of them: that was free, and stamped,
  // before its pages were given up, whatever an outsider may announce there.
  std::optional<ReignReport> EnterReign(const Incarnation& self, uint64_t term, TimePoint now,
                                        std::vector<LentSegment> segments);

  // Executes the retirements among the orders (pages are not its business): stamps all words, says
  // withdrawn of each, and free of those that nobody touches. Appends to `acks`; nothing at all for
  // an order that is refused. Outsiders are asked once per segment.
  void Retire(const Orders& orders, std::vector<RetireAck>* acks);

  // Keeps the notes among the orders, for EnterReign, until their ranges are retired or emptied.
  // Appends to `acks` what became of each; nothing at all for those of an older term. Of one
  // message: after Retire.
  void Note(const Orders& orders, TimePoint now, std::vector<NoteAck>* acks);
  uint64_t notes() const { return manifest_.size(); }

  // Accesses, as transfer::RegionGuard has them. Leave appends the acks that it makes due.
  bool Enter(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
             uint64_t length, uint64_t birth);
  bool Stands(uint32_t segment, uint64_t first, uint64_t birth);
  void Leave(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
             uint64_t length, uint64_t birth, std::vector<RetireAck>* acks);

  // Outsiders may touch less than before. Appends the acks that it makes due.
  void OthersLeft(uint32_t segment, std::vector<RetireAck>* acks);

  // For a change of incarnation or pool: the counter grows, everything is stamped, nothing is noted
  // and no order is open any more, the term is unknown again. What is still touched then, the next
  // report tells.
  void Empty();
  // Whether no access is going on, and no outsider touches anything.
  bool idle() const;

  // Whether anything may be touched from that byte of the segment on.
  bool TouchedFrom(uint32_t segment, uint64_t offset) const;
  // Bytes that are being touched now, each counted once.
  struct Touched {
    uint64_t inside = 0;   // by accesses between Enter and Leave
    uint64_t outside = 0;  // by outsiders
  };
  Touched touched() const;

  const HolderCounters& counters() const { return counters_; }

 private:
  struct Access {
    Range range;
    transfer::Access kind;
  };
  struct Segment {
    uint64_t size = 0;
    uint64_t granule = 0;
    std::span<Word> words;
    uint64_t granted_below = 0;
    std::vector<Access> accesses;  // going on: copies, served frames, mappings of this process
    std::vector<RetireOrder> not_yet_free;  // withdrawn, waiting for accesses that overlap
  };

  // Whole granules of the segment, and a birth that this node's counter has reached.
  bool InBounds(const Segment& segment, std::span<const Range> ranges, uint64_t birth) const;
  bool IsDeposed(uint64_t term) const { return guards_.older_terms_are_refused && term < term_; }
  // Whether `first` is where a granule of the segment begins.
  static bool Names(const Segment& segment, uint64_t first);
  // Whether memory granted under `birth` at that granule still belongs to it.
  bool Vouches(const Segment& segment, uint64_t first, uint64_t birth) const;
  static uint64_t WordAt(const Segment& segment, uint64_t first);
  static bool IsWaiting(const Segment& segment, const RetireOrder& order);
  // Stores the words of an order of `term`. False: it is refused.
  bool Withdraw(uint64_t term, const RetireOrder& order);
  // Whether none of that memory, granted under that birth, was taken back.
  bool StillHolds(uint32_t index, uint64_t birth, std::span<const Range> ranges) const;
  // Those of the ranges that are touched, and were told to be ready, as a pending retirement each;
  // also into `report`.
  void Hold(const Incarnation& self, uint32_t index, const RangeSet& unnamed, Report* report);
  RangeSet TouchedInside(const Segment& segment) const;
  RangeSet TouchedOutside(uint32_t index) const;
  // Says free of those retirements that nothing touches any more.
  void FreeWhatIsLeft(uint32_t index, Segment* segment, std::vector<RetireAck>* acks);
  // Stores the counter in all words of the ranges.
  void Stamp(Segment* segment, std::span<const Range> ranges);

  const HolderGuards guards_;
  Outsiders* const outsiders_;
  uint64_t counter_ = 1;  // words begin at 0, so that every birth is greater than an untouched word
  uint64_t term_ = 0;
  std::map<uint32_t, Segment> segments_;
  Manifest manifest_;
  uint64_t next_held_ = kFirstHeldSequence;
  HolderCounters counters_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_HOLDER_H_
