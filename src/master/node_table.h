#ifndef KVSTORE_SRC_MASTER_NODE_TABLE_H_
#define KVSTORE_SRC_MASTER_NODE_TABLE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "master/object.h"
#include "master/placement.h"
#include "master/segment.h"
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

// How the puts of one writer ended. Of those that are forgotten again only the highest sequence is
// known, so that a very late retry is refused instead of begun anew.
class Outcomes {
 public:
  void Add(uint64_t sequence, Outcome outcome, size_t limit);

  // Nothing: this put was never heard of.
  std::optional<Outcome> Find(uint64_t sequence) const;
  // Whether what Find does not know may have ended long ago.
  bool MayBeForgotten(uint64_t sequence) const { return sequence <= floor_; }
  size_t size() const { return order_.size(); }

 private:
  std::unordered_map<uint64_t, Outcome> outcomes_;
  std::deque<uint64_t> order_;  // oldest end first
  uint64_t floor_ = 0;          // highest sequence forgotten
};

// A member of the pool, as holder and as writer.
struct Node {
  Peer peer;
  uint64_t counter = 0;  // last heard: the birth of grants in its segments
  bool has_session = true;
  bool suspected = false;  // always while it has no session
  TimePoint heard{};       // heartbeat, hello or acks
  TimePoint suspected_since{};
  uint64_t order = 0;  // in which it joined

  // As holder.
  std::vector<std::unique_ptr<Segment>> segments;
  size_t unconfirmed = 0;         // retire orders that it has not answered at all
  TimePoint unconfirmed_since{};  // when that last rose from 0
  TimePoint acks_heard{};

  // As writer.
  std::map<uint64_t, Object*> unfinished;  // by sequence: parked, pending, committing
  Outcomes outcomes;
  Remembered<std::pair<uint64_t, uint32_t>, bool> removes;  // (request, index) -> found

  Segment* FindSegment(uint32_t index) const;
  bool Lends() const;
  // Whether it leaves orders unanswered: its last acks, and the oldest question, are older than
  // 100 ms.
  bool IsSlow(TimePoint now) const;
};

// Members of the pool: live and suspected ones, and which incarnations never come back. Also the
// indexes that placement goes by. Thread-compatible.
class NodeTable {
 public:
  // null: not a member.
  Node* Find(Incarnation incarnation) const;
  Node* Add(const Peer& peer, TimePoint now);
  // Its segments must hold nothing any more.
  void Erase(Node* node);
  Segment* AddSegment(Node* node, const LentSegment& lent);

  // In both directions; does nothing where nothing changes.
  void Suspect(Node* node, TimePoint now);
  void Trust(Node* node);

  void NeverTakeBack(Incarnation incarnation) { never_again_.insert(incarnation); }
  bool MayReturn(Incarnation incarnation) const { return !never_again_.contains(incarnation); }

  // The segment's free share may have changed.
  void NoteSpace(Segment* segment) {
    if (!segment->node().suspected) by_free_share_.Note(segment);
  }

  // By incarnation.
  const std::map<Incarnation, std::unique_ptr<Node>>& all() const { return nodes_; }
  std::vector<Node*> Snapshot() const;
  size_t size() const { return nodes_.size(); }
  size_t live_lenders() const;
  Space TotalSpace() const;

  // In the order in which they joined.
  const std::vector<Node*>* OnHost(std::string_view host) const;
  const std::vector<Node*>* Named(std::string_view name) const;
  const ByFreeShare& by_free_share() const { return by_free_share_; }

 private:
  using Index = std::map<std::string, std::vector<Node*>, std::less<>>;

  std::map<Incarnation, std::unique_ptr<Node>> nodes_;
  Index by_host_;
  Index by_name_;
  ByFreeShare by_free_share_;  // segments of live nodes
  std::unordered_set<Incarnation> never_again_;
  uint64_t next_order_ = 1;
};

Space& operator+=(Space& sum, const Space& more);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_NODE_TABLE_H_
