#ifndef KVSTORE_SRC_MASTER_PLACEMENT_H_
#define KVSTORE_SRC_MASTER_PLACEMENT_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "kvstore/placement.h"
#include "proto/verbs.h"

namespace kvstore::master {

struct Node;
struct Object;
class NodeTable;
class Segment;

// Segments with the most free share first; among equals the lowest id, so that the order depends on
// nothing else. Thread-compatible.
class ByFreeShare {
 public:
  // (1024 - free share, id) -> segment.
  using Order = std::map<std::pair<uint32_t, SegmentId>, Segment*>;

  // Takes the segment in, or moves it to where its free share puts it now. O(1) if nowhere else.
  // A node that starts slowly counts with as many eighths of it as it has reached.
  void Note(Segment* segment);
  void Erase(Segment* segment);
  const Order& order() const { return order_; }

 private:
  Order order_;
  std::map<SegmentId, uint32_t> rank_;  // first half of each segment's key in order_
};

// Whether the put's placement lets it lie on that node at all. `writer`: null, not a member any
// more.
bool Allows(const Object& object, const Node* writer, const Node& node);

// The segments that take new objects to try for one put, best first: preferred nodes as named; for
// local-first the writer's own and then its host's; then all by free share. For this-host the same
// without what lies on other hosts. A segment may come more than once. Valid until the catalog
// changes. Most puts take the first, so nothing is computed ahead.
class Candidates {
 public:
  Candidates(const NodeTable& nodes, const Node* writer, const Object& object);

  // null: there are no more.
  Segment* Next();

 private:
  enum class Stage { kPreferred, kOwn, kHost, kRest };

  Segment* NextOf(const std::vector<Node*>& nodes);

  const NodeTable& nodes_;
  const Node* const writer_;  // null: not a member any more
  const Object& object_;
  Stage stage_ = Stage::kPreferred;
  size_t name_ = 0;     // kPreferred: of the object's preferred nodes
  size_t node_ = 0;     // kPreferred, kHost: of the nodes of that name or host
  size_t segment_ = 0;  // of that node
  ByFreeShare::Order::const_iterator rest_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_PLACEMENT_H_
