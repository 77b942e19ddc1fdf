// Census and lists for operators.

#include <algorithm>

#include "master/catalog_state.h"

namespace kvstore::master {

Census Catalog::State::TakeCensus() const {
  Census census;
  census.objects = complete;
  census.puts_parked = parked.size();
  for (const auto& [incarnation, node] : nodes.all()) {
    ++(node->suspected ? census.nodes_suspected : census.nodes_live);
    census.puts_unfinished += node->unfinished.size();
  }
  census.puts_unfinished -= census.puts_parked;
  census.requests_waiting = waiting.requests();
  census.space = nodes.TotalSpace();
  return census;
}

std::vector<NodeLine> Catalog::ListNodes(TimePoint now) const {
  std::vector<NodeLine> lines;
  for (const auto& [incarnation, node] : state_->nodes.all()) {
    NodeLine line;
    line.peer = node->peer;
    line.suspected = node->suspected;
    line.silent = std::max(now - node->heard, Duration::zero());
    line.counter = node->counter;
    line.segments = node->segments.size();
    for (const auto& segment : node->segments) {
      line.orders_open +=
          segment->List(Standing::kOrdered).size() + segment->List(Standing::kWithdrawn).size();
      line.space += segment->TakeSpace();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<SegmentLine> Catalog::ListSegments(TimePoint /*now*/) const {
  std::vector<SegmentLine> lines;
  for (const auto& [incarnation, node] : state_->nodes.all()) {
    for (const auto& segment : node->segments) {
      SegmentLine line;
      line.id = segment->id();
      line.node = node->peer.name;
      line.granule = segment->granule();
      line.objects =
          segment->List(Standing::kEvictable).size() + segment->List(Standing::kLeased).size();
      line.free_ranges = segment->free().free_ranges();
      line.largest_free = segment->free().largest();
      line.space = segment->TakeSpace();
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::vector<ObjectLine> Catalog::ListObjects(TimePoint now, std::string_view prefix,
                                             std::string_view after, size_t limit) const {
  std::vector<const KeyEntry*> entries;
  for (const auto& [key, entry] : state_->keys) {
    if (entry.current && key > after && std::string_view(key).substr(0, prefix.size()) == prefix) {
      entries.push_back(&entry);
    }
  }
  limit = std::min(limit, entries.size());
  std::partial_sort(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(limit), entries.end(),
                    [](const KeyEntry* a, const KeyEntry* b) { return *a->key < *b->key; });
  entries.resize(limit);
  std::vector<ObjectLine> lines;
  for (const KeyEntry* entry : entries) {
    const Object& object = *entry->current;
    ObjectLine line;
    line.key = *entry->key;
    line.size = object.size;
    line.age = now - object.committed;
    line.lease_left = std::max(object.lease_end - now, Duration::zero());
    for (const HeldReplica& replica : object.replicas) {
      if (!replica.segment) continue;
      ++line.replicas;
      line.nodes.push_back(replica.segment->node().peer.name);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace kvstore::master
