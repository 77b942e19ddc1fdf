#include "master/placement.h"

#include "master/node_table.h"
#include "master/object.h"
#include "master/segment.h"

namespace kvstore::master {

void ByFreeShare::Note(Segment* segment) {
  const uint32_t rank = 1024 - segment->FreeShare() * segment->node().start_eighths / 8;
  const auto [it, added] = rank_.emplace(segment->id(), rank);
  if (!added) {
    if (it->second == rank) return;
    order_.erase({it->second, segment->id()});
    it->second = rank;
  }
  order_.emplace(std::pair(rank, segment->id()), segment);
}

void ByFreeShare::Erase(Segment* segment) {
  const auto it = rank_.find(segment->id());
  if (it == rank_.end()) return;
  order_.erase({it->second, segment->id()});
  rank_.erase(it);
}

bool Allows(const Object& object, const Node* writer, const Node& node) {
  if (object.placement != Placement::kThisHost) return true;
  return writer && node.peer.host == writer->peer.host;
}

Candidates::Candidates(const NodeTable& nodes, const Node* writer, const Object& object)
    : nodes_(nodes),
      writer_(writer),
      object_(object),
      rest_(nodes.by_free_share().order().begin()) {}

Segment* Candidates::Next() {
  if (stage_ == Stage::kPreferred) {
    for (; name_ < object_.rest().preferred_nodes.size(); ++name_, node_ = segment_ = 0) {
      const std::vector<Node*>* named = nodes_.Named(object_.rest().preferred_nodes[name_]);
      if (Segment* next = named ? NextOf(*named) : nullptr) return next;
    }
    node_ = segment_ = 0;
    stage_ = object_.placement != Placement::kSpread && writer_ ? Stage::kOwn : Stage::kRest;
  }
  if (stage_ == Stage::kOwn) {
    while (segment_ < writer_->segments.size()) {
      Segment* const next = writer_->segments[segment_++].get();
      if (next->TakesNew()) return next;
    }
    segment_ = 0;
    stage_ = Stage::kHost;
  }
  if (stage_ == Stage::kHost) {
    if (Segment* next = NextOf(*nodes_.OnHost(writer_->peer.host))) return next;
    stage_ = Stage::kRest;
  }
  if (object_.placement == Placement::kThisHost) return nullptr;
  return rest_ == nodes_.by_free_share().order().end() ? nullptr : (rest_++)->second;
}

Segment* Candidates::NextOf(const std::vector<Node*>& nodes) {
  for (; node_ < nodes.size(); ++node_, segment_ = 0) {
    const Node& node = *nodes[node_];
    if (!Allows(object_, writer_, node)) continue;
    while (segment_ < node.segments.size()) {
      Segment* const next = node.segments[segment_++].get();
      if (next->TakesNew()) return next;
    }
  }
  return nullptr;
}

}  // namespace kvstore::master
