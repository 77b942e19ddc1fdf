#include "tools/kvctl/admin_rows.h"

#include <algorithm>

namespace kvstore::kvctl {
namespace {

Incarnation Decode(const v1::Id128& id) { return {.high = id.high(), .low = id.low()}; }

Duration Microseconds(uint64_t count) {
  return std::chrono::microseconds(std::min<uint64_t>(count, INT64_MAX / 1000));
}

Space Decode(const v1::Space& space) {
  return {.size = space.size(),
          .unprepared = space.unprepared(),
          .free = space.free(),
          .unfinished = space.unfinished(),
          .committed = space.committed(),
          .retiring = space.retiring(),
          .leased = space.leased(),
          .pinned = space.pinned(),
          .ahead = space.ahead()};
}

NodeTally Decode(const v1::Tally& tally) {
  return {.gets_ok = tally.gets_ok(),
          .gets_missed = tally.gets_missed(),
          .gets_failed = tally.gets_failed(),
          .gets_remembered = tally.gets_remembered(),
          .puts_ok = tally.puts_ok(),
          .puts_failed = tally.puts_failed(),
          .bytes_got = tally.bytes_got(),
          .bytes_put = tally.bytes_put(),
          .reads_refused = tally.reads_refused(),
          .checksum_mismatches = tally.checksum_mismatches()};
}

Status Decode(const v1::Outcome& outcome) {
  if (outcome.code() == 0) return Status::Ok();
  return Status(static_cast<StatusCode>(outcome.code()), outcome.message());
}

}  // namespace

PoolStatus Decode(const v1::GetStatusReply& reply) {
  return {.software = reply.software(),
          .protocol_version = reply.protocol_version(),
          .pool = Decode(reply.pool()),
          .term = reply.term(),
          .uptime = Microseconds(reply.uptime_us()),
          .nodes_live = reply.nodes_live(),
          .nodes_suspected = reply.nodes_suspected(),
          .nodes_missing = reply.nodes_missing(),
          .objects = reply.objects(),
          .objects_pinned = reply.objects_pinned(),
          .objects_lacking = reply.objects_lacking(),
          .puts_unfinished = reply.puts_unfinished(),
          .puts_parked = reply.puts_parked(),
          .requests_waiting = reply.requests_waiting(),
          .copies_running = reply.copies_running(),
          .notes_unconfirmed = reply.notes_unconfirmed(),
          .oldest_note = Microseconds(reply.oldest_note_us()),
          .space = Decode(reply.space()),
          .counters = {reply.counters().begin(), reply.counters().end()}};
}

EventRow Decode(const v1::Event& event) {
  return {.at = Microseconds(event.at_us()),
          .kind = event.kind(),
          .node = event.node(),
          .incarnation = Decode(event.incarnation()),
          .of_object = event.has_put(),
          .lends = event.lends(),
          .lasted = Microseconds(event.lasted_us()),
          .objects_lost = event.objects_lost(),
          .bytes_lost = event.bytes_lost(),
          .key = event.key(),
          .size = event.size()};
}

NodeRow Decode(const v1::Node& node) {
  return {.incarnation = Decode(node.incarnation()),
          .name = node.name(),
          .host = node.host(),
          .state = node.state(),
          .software = node.software(),
          .descriptor = node.transfer_descriptor(),
          .silent = Microseconds(node.silent_us()),
          .joined = Microseconds(node.joined_us()),
          .counter = node.counter(),
          .segments = node.segments(),
          .objects = node.objects(),
          .orders_open = node.orders_open(),
          .notes_unconfirmed = node.notes_unconfirmed(),
          .oldest_note = Microseconds(node.oldest_note_us()),
          .draining = node.draining(),
          .sick = node.sick(),
          .hits = node.hits(),
          .misses = node.misses(),
          .tally = Decode(node.tally()),
          .space = Decode(node.space())};
}

SegmentRow Decode(const v1::Segment& segment) {
  return {.holder = Decode(segment.holder()),
          .node = segment.node(),
          .index = segment.index(),
          .granule = segment.granule(),
          .objects = segment.objects(),
          .free_ranges = segment.free_ranges(),
          .largest_free = segment.largest_free(),
          .space = Decode(segment.space())};
}

ObjectRow Decode(const v1::ObjectLine& object) {
  return {.key = object.key(),
          .size = object.size(),
          .replicas = object.replicas(),
          .age = Microseconds(object.age_us()),
          .lease_left = Microseconds(object.lease_left_us()),
          .nodes = {object.nodes().begin(), object.nodes().end()}};
}

TraceRow Decode(const v1::KeyTrace& key) {
  return {.key = key.key(),
          .asker = key.asker(),
          .ended = key.ended(),
          .is_there = key.is_there(),
          .misses = key.misses(),
          .missed = Microseconds(key.missed_us()),
          .ended_ago = Microseconds(key.ended_us())};
}

ObjectDetail Decode(const v1::DescribeObjectReply& reply) {
  const v1::Retention& retention = reply.retention();
  ObjectDetail detail{.line = Decode(reply.line()),
                      .checksum = reply.checksum(),
                      .replicas_wanted = reply.replicas_wanted(),
                      .durable = reply.durable(),
                      .hard_pin = retention.hard_pin(),
                      .soft_pin = Microseconds(retention.soft_pin_us()),
                      .ttl = Microseconds(retention.ttl_us()),
                      .group = retention.group(),
                      .position = retention.position(),
                      .replicas = {}};
  for (const v1::ReplicaLine& replica : reply.replicas()) {
    uint64_t reserved = 0;
    for (const v1::Range& range : replica.ranges()) reserved += range.length();
    detail.replicas.push_back({.holder = Decode(replica.holder()),
                               .node = replica.node(),
                               .standing = replica.standing(),
                               .segment = replica.segment(),
                               .birth = replica.birth(),
                               .ranges = static_cast<uint64_t>(replica.ranges_size()),
                               .reserved = reserved,
                               .noted = replica.noted()});
  }
  return detail;
}

Evicted Decode(const v1::EvictReply& reply) {
  Evicted evicted{.objects = reply.objects(), .bytes = reply.bytes(), .statuses = {}};
  for (const v1::Outcome& outcome : reply.outcomes()) evicted.statuses.push_back(Decode(outcome));
  return evicted;
}

TaskRow Decode(const v1::Task& task) {
  return {.id = task.id(),
          .kind = task.kind(),
          .key = task.key(),
          .from = task.from(),
          .to = task.to(),
          .state = task.state(),
          .status = Decode(task.outcome()),
          .size = task.size(),
          .age = Microseconds(task.age_us())};
}

EventBatch Decode(const v1::WatchReply& reply) {
  EventBatch batch{.now = Microseconds(reply.now_us()), .events = {}, .left_out = reply.left_out()};
  for (const v1::Event& event : reply.events()) batch.events.push_back(Decode(event));
  return batch;
}

}  // namespace kvstore::kvctl
