#include "master/admin_messages.h"

#include <string>
#include <string_view>

#include "master/event_names.h"
#include "master/task_table.h"
#include "proto/codec.h"
#include "proto/codec_parts.h"

namespace kvstore::master {
namespace {

constexpr std::string_view kCopy = "copy", kMove = "move";
constexpr int kMostKinds = 64;

void Fill(const Space& from, v1::Space* to) {
  to->set_size(from.size);
  to->set_unprepared(from.unprepared);
  to->set_free(from.free);
  to->set_unfinished(from.unfinished);
  to->set_committed(from.committed);
  to->set_retiring(from.retiring);
  to->set_leased(from.leased);
  to->set_pinned(from.pinned);
  to->set_ahead(from.ahead);
}

void Fill(const Status& from, v1::Outcome* to) {
  to->set_code(static_cast<int>(from.code()));
  to->set_message(Text(from.message(), kMaxTextBytes));
}

void Fill(const ObjectEvent& from, v1::Event* to) {
  to->set_kind(std::string(EventName(from.what)));
  to->set_node(Text(from.node));
  to->set_key(from.key);
  Encode(from.put, to->mutable_put());
  to->set_size(from.size);
}

}  // namespace

uint64_t Microseconds(Duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  return us < 0 ? 0 : static_cast<uint64_t>(us);
}

void Fill(const Incarnation& from, v1::Id128* to) {
  to->set_high(from.high);
  to->set_low(from.low);
}

void Fill(const Census& from, v1::GetStatusReply* to) {
  to->set_nodes_live(from.nodes_live);
  to->set_nodes_suspected(from.nodes_suspected);
  to->set_nodes_missing(from.nodes_missing);
  to->set_objects(from.objects);
  to->set_objects_pinned(from.objects_pinned);
  to->set_objects_lacking(from.objects_lacking);
  to->set_puts_unfinished(from.puts_unfinished);
  to->set_puts_parked(from.puts_parked);
  to->set_requests_waiting(from.requests_waiting);
  to->set_copies_running(from.copies_running);
  to->set_notes_unconfirmed(from.notes_unconfirmed);
  to->set_oldest_note_us(Microseconds(from.oldest_note));
  Fill(from.space, to->mutable_space());
}

void Fill(const NodeLine& from, v1::Node* to) {
  Fill(from.peer.incarnation, to->mutable_incarnation());
  to->set_name(from.peer.name);
  to->set_host(from.peer.host);
  to->set_software(from.software);
  to->set_transfer_descriptor(from.peer.descriptor);
  to->set_state(std::string(NodeStateName(from)));
  to->set_silent_us(Microseconds(from.silent));
  to->set_counter(from.counter);
  to->set_segments(from.segments);
  to->set_orders_open(from.orders_open);
  to->set_notes_unconfirmed(from.notes_unconfirmed);
  to->set_oldest_note_us(Microseconds(from.oldest_note));
  to->set_draining(from.draining);
  to->set_sick(from.sick);
  to->set_joined_us(Microseconds(from.joined));
  to->set_objects(from.objects);
  to->set_hits(from.hits);
  to->set_misses(from.misses);
  Encode(from.tally, to->mutable_tally());
  Fill(from.space, to->mutable_space());
}

void Fill(const SegmentLine& from, v1::Segment* to) {
  Fill(from.id.holder, to->mutable_holder());
  to->set_node(from.node);
  to->set_index(from.id.index);
  to->set_granule(from.granule);
  to->set_objects(from.objects);
  to->set_free_ranges(from.free_ranges);
  to->set_largest_free(from.largest_free);
  Fill(from.space, to->mutable_space());
}

void Fill(const ObjectLine& from, v1::ObjectLine* to) {
  to->set_key(from.key);
  to->set_size(from.size);
  to->set_replicas(from.replicas);
  to->set_age_us(Microseconds(from.age));
  to->set_lease_left_us(Microseconds(from.lease_left));
  for (const std::string& node : from.nodes) to->add_nodes(node);
}

void Fill(const ObjectDetail& from, v1::DescribeObjectReply* to) {
  Fill(from.line, to->mutable_line());
  Encode(from.put, to->mutable_put());
  to->set_checksum(from.checksum);
  to->set_replicas_wanted(from.replicas_wanted);
  to->set_durable(from.durable);
  EncodeRetention(from.retention, to);
  for (const ReplicaLine& replica : from.replicas) {
    v1::ReplicaLine* line = to->add_replicas();
    Fill(replica.segment.holder, line->mutable_holder());
    line->set_node(replica.node);
    line->set_segment(replica.segment.index);
    line->set_birth(replica.birth);
    EncodeRanges(replica.ranges, line);
    line->set_standing(std::string(StandingName(replica.standing)));
    line->set_noted(replica.noted);
  }
}

void Fill(const TraceLine& from, v1::KeyTrace* to) {
  to->set_key(from.key);
  to->set_is_there(from.is_there);
  to->set_misses(from.misses);
  to->set_missed_us(Microseconds(from.missed));
  to->set_asker(from.asker);
  if (!from.how) return;
  to->set_ended(std::string(EventName(*from.how)));
  to->set_ended_us(Microseconds(from.ended));
}

void Fill(const EvictOutcome& from, v1::EvictReply* to) {
  to->set_objects(from.objects);
  to->set_bytes(from.bytes);
  for (const Status& status : from.statuses) Fill(status, to->add_outcomes());
}

void Fill(const NodeEvent& from, v1::Event* to) {
  to->set_kind(std::string(EventName(from.what)));
  to->set_node(Text(from.name));
  Encode(from.node, to->mutable_incarnation());
  to->set_lends(from.lends);
  to->set_lasted_us(Microseconds(from.lasted));
  to->set_objects_lost(from.objects_lost);
  to->set_bytes_lost(from.bytes_lost);
}

void Fill(const TaskLine& from, v1::Task* to) {
  to->set_id(from.id);
  to->set_kind(std::string(from.request.kind == TaskRequest::Kind::kCopy ? kCopy : kMove));
  to->set_key(from.request.key);
  to->set_from(from.request.from);
  to->set_to(from.request.to);
  to->set_state(std::string(TaskStateName(from.state)));
  Fill(from.status, to->mutable_outcome());
  to->set_size(from.size);
  to->set_age_us(Microseconds(from.age));
}

void Fill(const PoolEvent& from, TimePoint began, v1::Event* to) {
  to->set_at_us(Microseconds(from.when - began));
  std::visit([to](const auto& what) { Fill(what, to); }, from.what);
}

Status CheckKey(std::string_view key) { return CheckKeyLength(key.size()); }

Status CheckNodeName(std::string_view name) {
  return CheckAtMost("the length of a node's name in bytes", name.size(), kMaxNameBytes);
}

Result<EvictRequest> Decode(const v1::EvictRequest& from) {
  if (from.keys().empty() == (from.bytes() == 0)) {
    return InvalidArgumentError("what is to be evicted? Name keys, or bytes, and not both");
  }
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the number of keys", static_cast<uint64_t>(from.keys_size()), kMaxBatchItems));
  for (const std::string& key : from.keys()) KVSTORE_RETURN_IF_ERROR(CheckKey(key));
  KVSTORE_RETURN_IF_ERROR(CheckNodeName(from.node()));
  return EvictRequest{
      .keys = {from.keys().begin(), from.keys().end()}, .bytes = from.bytes(), .node = from.node()};
}

Result<TaskRequest> Decode(const v1::StartTaskRequest& from) {
  if (from.kind() != kCopy && from.kind() != kMove) {
    return InvalidArgumentError("a task is a copy or a move, not '" + from.kind() + "'");
  }
  TaskRequest task{
      .kind = from.kind() == kCopy ? TaskRequest::Kind::kCopy : TaskRequest::Kind::kMove,
      .key = from.key(),
      .from = from.from(),
      .to = from.to()};
  KVSTORE_RETURN_IF_ERROR(CheckKey(task.key));
  KVSTORE_RETURN_IF_ERROR(CheckNodeName(task.from));
  KVSTORE_RETURN_IF_ERROR(CheckNodeName(task.to));
  if (task.to.empty()) return InvalidArgumentError("where to? Name a node");
  if (task.kind == TaskRequest::Kind::kMove && task.from.empty()) {
    return InvalidArgumentError("a move is from a node: name it");
  }
  return task;
}

Result<EventFilter> Decode(const v1::WatchRequest& from) {
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the length of a prefix in bytes", from.prefix().size(), kMaxKeyBytes));
  if (from.kinds_size() > kMostKinds) return InvalidArgumentError("more kinds than there are");
  return EventFilter{.prefix = from.prefix(), .kinds = {from.kinds().begin(), from.kinds().end()}};
}

}  // namespace kvstore::master
