// Census and lists for operators, and what they are told as it happens.

#include <algorithm>

#include "master/catalog_state.h"
#include "master/object_listing.h"

namespace kvstore::master {
namespace {

ObjectLine LineOf(TimePoint now, const KeyEntry& entry) {
  const Object& object = *entry.current();
  ObjectLine line;
  line.key = entry.name();
  line.size = object.size;
  line.age = now - object.committed;
  line.lease_left = std::max(object.lease_end - now, Duration::zero());
  for (const HeldReplica& replica : object.replicas()) {
    if (!replica.segment || !IsCommitted(replica.standing)) continue;
    ++line.replicas;
    line.nodes.push_back(replica.segment->node().peer.name);
  }
  return line;
}

Duration OldestNote(const Node& node, TimePoint now) {
  return node.notes.empty() ? Duration::zero() : now - node.notes.begin()->second.since;
}

}  // namespace

std::string_view NodeStateName(const NodeLine& line) {
  if (line.missing) return "missing";
  return line.suspected ? "suspected" : "live";
}

Census Catalog::State::TakeCensus(TimePoint now) const {
  Census census;
  census.objects = complete;
  census.puts_parked = parked.size();
  census.grants_ahead = ahead_by_end.size();
  for (const auto& [incarnation, node] : nodes.all()) {
    ++(node->suspected ? census.nodes_suspected : census.nodes_live);
    census.puts_unfinished += node->unfinished.size();
    census.nodes_missing += node->missing;
    census.notes_unconfirmed += node->notes.size();
    census.oldest_note = std::max(census.oldest_note, OldestNote(*node, now));
  }
  census.puts_unfinished -= census.puts_parked;
  census.objects_pinned = hard_pinned;
  census.requests_waiting = waiting.requests();
  census.objects_lacking = copies.lacking();
  census.copies_running = copies.running().size();
  census.space = nodes.TotalSpace();
  return census;
}

void Catalog::State::HandleTally(Node& node, const ClientTally& tally) {
  Raise(&node.tally, tally);
  if (!node.counted_before) node.counted_before = node.tally;
}

ClientReport Catalog::ReportClients() const {
  const ClientTotals& left = state_->clients;
  ClientReport report{left.all(), left.named(), left.others()};
  for (const auto& [incarnation, node] : state_->nodes.all()) {
    const ClientSums sums = node->Sums();
    report.all += sums;
    (node->named_client ? report.named[node->peer.name] : report.others) += sums;
  }
  return report;
}

std::vector<NodeLine> Catalog::ListNodes(TimePoint now) const {
  std::vector<NodeLine> lines;
  for (const auto& [incarnation, node] : state_->nodes.all()) {
    NodeLine line;
    line.peer = node->peer;
    line.software = node->software;
    line.suspected = node->suspected;
    line.silent = std::max(now - node->heard, Duration::zero());
    line.counter = node->counter;
    line.missing = node->missing;
    line.notes_unconfirmed = node->notes.size();
    line.oldest_note = OldestNote(*node, now);
    line.segments = node->segments.size();
    line.draining = node->draining;
    line.joined = now - node->joined;
    line.hits = node->hits;
    line.misses = node->misses;
    line.tally = node->tally;
    for (const auto& segment : node->segments) {
      line.orders_open +=
          segment->List(Standing::kOrdered).size() + segment->List(Standing::kWithdrawn).size();
      line.objects += segment->objects();
      line.sick = line.sick || segment->sick();
      line.space += segment->TakeSpace();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<NodeEvent> Catalog::ListDeparted() const {
  return {state_->departed.begin(), state_->departed.end()};
}

std::vector<SegmentLine> Catalog::ListSegments(TimePoint /*now*/) const {
  std::vector<SegmentLine> lines;
  for (const auto& [incarnation, node] : state_->nodes.all()) {
    for (const auto& segment : node->segments) {
      SegmentLine line;
      line.id = segment->id();
      line.node = node->peer.name;
      line.granule = segment->granule();
      line.objects = segment->objects();
      line.free_ranges = segment->free().free_ranges();
      line.largest_free = segment->free().largest();
      line.space = segment->TakeSpace();
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

void Catalog::ListTraces(TimePoint now, std::string_view prefix, size_t part,
                         std::vector<TraceLine>* lines) const {
  state_->trail.ForEachOf(part, [&](const KeyTrace& trace) {
    if (trace.key.starts_with(prefix)) lines->push_back(state_->AsLine(now, trace));
  });
}

std::optional<TraceLine> Catalog::FindTrace(TimePoint now, std::string_view key) const {
  const KeyTrace* const trace = state_->trail.Find(key);
  if (!trace) return std::nullopt;
  return state_->AsLine(now, *trace);
}

TraceLine Catalog::State::AsLine(TimePoint now, const KeyTrace& trace) const {
  TraceLine line;
  line.key = trace.key;
  const KeyEntry* const key = keys.Find(trace.key);
  line.is_there = key && key->current() && key->current()->expires() > now;
  line.misses = trace.misses;
  if (trace.misses > 0) {
    const Node* const asker = nodes.Find(trace.asker);
    if (asker) line.asker = asker->peer.name;
    line.missed = now - trace.missed;
  }
  line.how = trace.how;
  if (trace.how) line.ended = now - trace.ended;
  return line;
}

void Catalog::ListSome(TimePoint now, ObjectListing* listing) const {
  const KeyTable& keys = state_->keys;
  const ObjectListing::Slice slice = listing->Next(keys.buckets());
  for (size_t bucket = slice.first; bucket < slice.last; ++bucket) {
    keys.ForEachOf(bucket, slice.of, [&](const KeyEntry& key) {
      if (key.current() && key.current()->expires() > now && listing->Wants(key.name())) {
        listing->Add(LineOf(now, key));
      }
    });
  }
}

std::vector<ObjectLine> Catalog::ListObjects(TimePoint now, std::string_view prefix,
                                             std::string_view after, size_t limit) const {
  ObjectListing listing(prefix, after, limit);
  do {
    ListSome(now, &listing);
  } while (!listing.ended());
  return std::move(listing).Take();
}

void Catalog::State::Tell(Event& event, ObjectEvent::What what, const Object& object,
                          const Segment* where) const {
  if (!watched) return;
  event.out.Add(ObjectEvent{what, std::string(object.key->name()), object.id(), object.size,
                            where ? where->node().peer.name : std::string()});
}

Result<ObjectDetail> Catalog::State::Describe(TimePoint now, std::string_view name) const {
  const KeyEntry* const key = keys.Find(name);
  if (!key || !key->current() || key->current()->expires() <= now) {
    return NotFoundError("no such object");
  }
  const Object& object = *key->current();
  ObjectDetail detail;
  detail.line = LineOf(now, *key);
  detail.put = object.id();
  detail.checksum = object.checksum;
  detail.replicas_wanted = object.replicas_wanted;
  detail.retention = RetentionLeft(object, now);
  detail.durable = IsNoted(object);
  for (const HeldReplica& replica : object.replicas()) {
    if (!replica.segment) continue;
    detail.replicas.push_back({replica.segment->id(), replica.segment->node().peer.name,
                               replica.birth, replica.ranges.All(), replica.standing,
                               replica.noted});
  }
  return detail;
}

bool Catalog::State::IsNoted(const Object& object) {
  return std::all_of(object.replicas().begin(), object.replicas().end(),
                     [](const HeldReplica& replica) {
                       return !replica.segment || replica.noted || !IsCommitted(replica.standing);
                     });
}

Retention Catalog::State::RetentionLeft(const Object& object, TimePoint now) const {
  Retention left;
  left.hard_pin = object.hard_pin;
  left.soft_pin = std::max(object.soft_pin_end() - now, Duration::zero());
  // What has expired and is still there is told as about to: 0 would mean never.
  if (object.expires() != TimePoint::max()) {
    left.ttl = std::max<Duration>(object.expires() - now, std::chrono::microseconds(1));
  }
  if (object.group()) left.group = object.group()->name;
  left.position = object.position;
  return left;
}

}  // namespace kvstore::master
