#include "master/node_table.h"

#include <algorithm>

namespace kvstore::master {
namespace {

constexpr Duration kAcksAreSlowAfter = std::chrono::milliseconds(100);

}  // namespace

void Outcomes::Begin(uint64_t sequence, size_t limit) {
  used_up_.Add(sequence);
  while (used_up_.runs() > 2 * limit) used_up_.FillLowestGap();
}

void Outcomes::Add(uint64_t sequence, Outcome outcome, size_t limit) {
  Begin(sequence, limit);
  if (!outcomes_.emplace(sequence, outcome).second) return;
  order_.push_back(sequence);
  while (order_.size() > limit) {
    outcomes_.erase(order_.front());
    order_.pop_front();
  }
}

void Outcomes::Refuse(uint64_t sequence, size_t limit) {
  if (!MayBegin(sequence)) return;
  refused_.push_back(sequence);
  while (refused_.size() > limit) {
    Begin(refused_.front(), limit);
    refused_.pop_front();
  }
}

std::optional<Outcome> Outcomes::Find(uint64_t sequence) const {
  const auto it = outcomes_.find(sequence);
  return it == outcomes_.end() ? std::nullopt : std::optional<Outcome>(it->second);
}

Segment* Node::FindSegment(uint32_t index) const {
  for (const auto& segment : segments) {
    if (segment->id().index == index) return segment.get();
  }
  return nullptr;
}

ClientSums Node::Sums() const {
  ClientSums sums{hits, misses, {}};
  if (counted_before) sums.tally = Difference(tally, *counted_before);
  return sums;
}

bool Node::Lends() const {
  return std::any_of(segments.begin(), segments.end(),
                     [](const auto& segment) { return segment->size() > 0; });
}

bool Node::IsSlow(TimePoint now) const {
  return unconfirmed > 0 && now - std::max(acks_heard, unconfirmed_since) > kAcksAreSlowAfter;
}

bool Node::IsBehind(TimePoint now, Duration patience) const {
  return !has_session || (!notes.empty() && now - notes.begin()->second.since > patience);
}

Node* NodeTable::Find(Incarnation incarnation) const {
  const auto it = nodes_.find(incarnation);
  return it == nodes_.end() ? nullptr : it->second.get();
}

Node* NodeTable::Add(const Peer& peer, TimePoint now) {
  auto& slot = nodes_[peer.incarnation];
  slot = std::make_unique<Node>();
  slot->peer = peer;
  slot->heard = slot->joined = now;
  slot->order = next_order_++;
  AddToIndexes(slot.get());
  return slot.get();
}

void NodeTable::SetPeer(Node* node, const Peer& peer) {
  const bool moves = peer.host != node->peer.host || peer.name != node->peer.name;
  if (moves) LeaveIndexes(node);
  node->peer = peer;
  if (moves) AddToIndexes(node);
}

void NodeTable::Erase(Node* node) {
  for (const auto& segment : node->segments) by_free_share_.Erase(segment.get());
  LeaveIndexes(node);
  nodes_.erase(node->peer.incarnation);
}

void NodeTable::AddToIndexes(Node* node) {
  by_host_[node->peer.host].push_back(node);
  by_name_[node->peer.name].push_back(node);
}

void NodeTable::LeaveIndexes(Node* node) {
  for (auto [index, word] :
       {std::pair(&by_host_, &node->peer.host), std::pair(&by_name_, &node->peer.name)}) {
    const auto it = index->find(*word);
    std::erase(it->second, node);
    if (it->second.empty()) index->erase(it);
  }
}

Segment* NodeTable::AddSegment(Node* node, const LentSegment& lent) {
  node->segments.push_back(
      std::make_unique<Segment>(node, lent, SegmentId{node->peer.incarnation, lent.index}));
  NoteSpace(node->segments.back().get());
  return node->segments.back().get();
}

void NodeTable::Suspect(Node* node, TimePoint now) {
  if (node->suspected) return;
  node->suspected = true;
  node->suspected_since = now;
  for (const auto& segment : node->segments) NoteSpace(segment.get());
}

void NodeTable::Trust(Node* node) {
  if (!node->suspected) return;
  node->suspected = false;
  for (const auto& segment : node->segments) NoteSpace(segment.get());
}

std::vector<Node*> NodeTable::Snapshot() const {
  std::vector<Node*> nodes;
  for (const auto& [incarnation, node] : nodes_) nodes.push_back(node.get());
  return nodes;
}

Space NodeTable::TotalSpace() const {
  Space total;
  for (const auto& [incarnation, node] : nodes_) {
    for (const auto& segment : node->segments) total += segment->TakeSpace();
  }
  return total;
}

const std::vector<Node*>* NodeTable::OnHost(std::string_view host) const {
  const auto it = by_host_.find(host);
  return it == by_host_.end() ? nullptr : &it->second;
}

const std::vector<Node*>* NodeTable::Named(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &it->second;
}

Space& operator+=(Space& sum, const Space& more) {
  sum.size += more.size;
  sum.unprepared += more.unprepared;
  sum.free += more.free;
  sum.unfinished += more.unfinished;
  sum.ahead += more.ahead;
  sum.committed += more.committed;
  sum.retiring += more.retiring;
  sum.withdrawn += more.withdrawn;
  sum.withheld += more.withheld;
  sum.leased += more.leased;
  sum.pinned += more.pinned;
  return sum;
}

}  // namespace kvstore::master
