#ifndef KVSTORE_SRC_MASTER_NODE_TABLE_H_
#define KVSTORE_SRC_MASTER_NODE_TABLE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "master/object.h"
#include "master/placement.h"
#include "master/segment.h"
#include "master/sequence_set.h"
#include "proto/verbs.h"

namespace kvstore::master {

// The last `limit` answers given under a name, so that a retry gets the same one.
// Thread-compatible.
template <typename Name, typename Answer>
class Remembered {
 public:
  // A name that is remembered already keeps its answer.
  void Add(const Name& name, Answer answer, size_t limit) {
    if (!answers_.emplace(name, answer).second) return;
    order_.push_back(name);
    while (order_.size() > limit) {
      answers_.erase(order_.front());
      order_.pop_front();
    }
  }

  std::optional<Answer> Find(const Name& name) const {
    const auto it = answers_.find(name);
    return it == answers_.end() ? std::nullopt : std::optional<Answer>(it->second);
  }

  size_t size() const { return order_.size(); }

 private:
  std::map<Name, Answer> answers_;
  std::deque<Name> order_;  // oldest first
};

// Which puts of one writer can't begin any more, and how the last `limit` of them ended.
//
// That a put was granted, or aborted, is remembered beyond its end and beyond its outcome, so that
// a retry, however late, begins nothing anew. It is remembered exactly, since puts end in any
// order: sequences that the writer has drawn and not sent yet may lie far below those that have
// ended. A refused put may be asked for again; only when `limit` others have been refused since is
// it used up as well, lest those that never begin leave a gap each.
//
// Memory is bounded by `limit`: of more than 2 * limit gaps the lowest are closed. Gaps are what is
// unsent, given up unsent, parked, or refused of late; a writer that has as many can only lose puts
// that it has not begun.
class Outcomes {
 public:
  // It is granted.
  void Begin(uint64_t sequence, size_t limit);
  // It has ended, or will never be granted. The first outcome stands.
  void Add(uint64_t sequence, Outcome outcome, size_t limit);
  // It was not granted, and nobody waits for it any more.
  void Refuse(uint64_t sequence, size_t limit);

  // Nothing: it has not ended, or that is forgotten.
  std::optional<Outcome> Find(uint64_t sequence) const;
  // Whether a put that the catalog does not know may begin.
  bool MayBegin(uint64_t sequence) const { return !used_up_.Contains(sequence); }
  size_t size() const { return order_.size(); }
  size_t runs() const { return used_up_.runs(); }

 private:
  std::unordered_map<uint64_t, Outcome> outcomes_;
  std::deque<uint64_t> order_;    // oldest end first
  std::deque<uint64_t> refused_;  // oldest first; perhaps more than once, or begun since
  SequenceSet used_up_;
};

// A note that its holder has not confirmed.
struct OpenNote {
  HeldReplica* replica = nullptr;
  TimePoint since{};
  TimePoint sent{};           // last
  uint64_t version = 0;       // of what is to be kept: only its ack counts
  uint64_t version_sent = 0;  // less: the newest goes when this is confirmed, or sent again
};

// A member of the pool, as holder and as writer.
struct Node {
  Peer peer;
  std::string software;  // its version, for people
  uint64_t counter = 0;  // last heard: the birth of grants in its segments
  bool has_session = true;
  bool suspected = false;  // always while it has no session
  TimePoint heard{};       // heartbeat, hello or acks
  TimePoint suspected_since{};
  uint64_t order = 0;  // in which it joined
  TimePoint joined{};
  bool met = false;   // it has opened a session in this reign
  bool kept = false;  // among the durable members, since it lends memory, or wanted to
  // It is being struck from the durable members; then this is what has become of it.
  std::optional<NodeEvent> striking;
  // An operator wants it empty: it gets nothing new, and what it holds moves elsewhere.
  bool draining = false;
  std::optional<TimePoint> leave_sent;  // draining: when it was last told to leave
  uint32_t start_eighths = 8;           // of its free memory, with which placement counts

  // As holder.
  std::vector<std::unique_ptr<Segment>> segments;
  size_t unconfirmed = 0;         // retire orders that it has not answered at all
  TimePoint unconfirmed_since{};  // when that last rose from 0
  TimePoint acks_heard{};

  std::map<uint64_t, OpenNote> notes;  // in the order in which they were first sent
  TimePoint notes_resent{};
  // What its memory holds is known; until then none of it is granted, and no order goes there.
  bool reported = true;
  bool missing = false;      // a member of the last reign that has not reported
  TimePoint report_began{};  // the one that is under way
  // When its last part came, or it was first asked for; later by the time that the node was silent.
  std::optional<TimePoint> report_heard;

  // As reader, and for people.
  std::map<SegmentId, TimePoint> failures;  // that it complained of, and when last
  uint64_t hits = 0, misses = 0;
  ClientTally tally;
  // What it had counted when it came from an earlier reign: no part of this master's sums. None: it
  // has not told its first tally since.
  std::optional<ClientTally> counted_before = ClientTally();
  bool named_client = false;  // has a place of its own in the catalog's ClientTotals

  // As writer.
  std::map<uint64_t, Object*> unfinished;  // by sequence: parked, pending, committing
  std::set<uint64_t> ahead;                // sequences of its grants ahead
  Outcomes outcomes;
  Remembered<std::pair<uint64_t, uint32_t>, bool> removes;  // (request, index) -> found
  Remembered<uint64_t, uint64_t> sweeps;                    // request -> objects removed

  Segment* FindSegment(uint32_t index) const;
  bool Lends() const;
  // What it has asked, and done under this master.
  ClientSums Sums() const;
  // Whether it leaves orders unanswered: its last acks, and the oldest question, are older than
  // 100 ms.
  bool IsSlow(TimePoint now) const;
  // Whether a note may get lost with the master for longer than `patience`.
  bool IsBehind(TimePoint now, Duration patience) const;
  bool TakesOrders() const { return has_session && reported; }
};

// Members of the pool: live and suspected ones, and which incarnations never come back. Also the
// indexes that placement goes by. Thread-compatible.
class NodeTable {
 public:
  // null: not a member.
  Node* Find(Incarnation incarnation) const;
  Node* Add(const Peer& peer, TimePoint now);
  // What is known of it anew.
  void SetPeer(Node* node, const Peer& peer);
  // Its segments must hold nothing any more.
  void Erase(Node* node);
  Segment* AddSegment(Node* node, const LentSegment& lent);

  // In both directions; does nothing where nothing changes.
  void Suspect(Node* node, TimePoint now);
  void Trust(Node* node);

  // Of those that have left the newest kNeverAgainKept are known. That is for the hello that names
  // no pool: a former member that has read its welcome names ours, by which it is refused without
  // being known. What names none is the first hello of an incarnation, late or sent twice; it is
  // seconds old, while a million nodes take hours to come and go.
  static constexpr size_t kNeverAgainKept = 1'000'000;
  void NeverTakeBack(Incarnation incarnation) {
    never_again_.Add(incarnation, true, kNeverAgainKept);
  }
  bool MayReturn(Incarnation incarnation) const { return !never_again_.Find(incarnation); }

  // The segment's free share may have changed, or whether it takes anything new.
  void NoteSpace(Segment* segment) {
    if (segment->TakesNew()) {
      by_free_share_.Note(segment);
    } else {
      by_free_share_.Erase(segment);
    }
  }

  // By incarnation.
  const std::map<Incarnation, std::unique_ptr<Node>>& all() const { return nodes_; }
  std::vector<Node*> Snapshot() const;
  size_t size() const { return nodes_.size(); }
  Space TotalSpace() const;

  // In the order in which they joined.
  const std::vector<Node*>* OnHost(std::string_view host) const;
  const std::vector<Node*>* Named(std::string_view name) const;
  const ByFreeShare& by_free_share() const { return by_free_share_; }

 private:
  using Index = std::map<std::string, std::vector<Node*>, std::less<>>;

  void AddToIndexes(Node* node);
  void LeaveIndexes(Node* node);

  std::map<Incarnation, std::unique_ptr<Node>> nodes_;
  Index by_host_;
  Index by_name_;
  ByFreeShare by_free_share_;  // segments that take new objects
  Remembered<Incarnation, bool> never_again_;
  uint64_t next_order_ = 1;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_NODE_TABLE_H_
