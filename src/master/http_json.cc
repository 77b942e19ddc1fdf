#include "master/http_json.h"

#include <cstdio>
#include <string>

#include "master/metrics.h"
#include "master/task_table.h"

namespace kvstore::master {
namespace {

uint64_t Milliseconds(Duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms < 0 ? 0 : static_cast<uint64_t>(ms);
}

std::string Hex(uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

void AddTally(const ClientTally& tally, text::JsonWriter* json) {
  json->Name("tally");
  json->BeginObject();
  json->Member("gets_ok", tally.gets_ok);
  json->Member("gets_missed", tally.gets_missed);
  json->Member("gets_failed", tally.gets_failed);
  json->Member("gets_remembered", tally.gets_remembered);
  json->Member("puts_ok", tally.puts_ok);
  json->Member("puts_failed", tally.puts_failed);
  json->Member("got_bytes", tally.bytes_got);
  json->Member("put_bytes", tally.bytes_put);
  json->Member("reads_refused", tally.reads_refused);
  json->Member("checksum_mismatches", tally.checksum_mismatches);
  json->EndObject();
}

// The members of an object's line, without its brackets.
void AddMembers(const ObjectLine& line, text::JsonWriter* json) {
  json->Key(line.key);
  json->Member("size", line.size);
  json->Member("replicas", line.replicas);
  json->Member("age_ms", Milliseconds(line.age));
  json->Member("lease_left_ms", Milliseconds(line.lease_left));
  json->Name("nodes");
  json->BeginArray();
  for (const std::string& node : line.nodes) json->String(node);
  json->EndArray();
}

}  // namespace

void AddSpace(const Space& space, text::JsonWriter* json) {
  json->Name("space");
  json->BeginObject();
  json->Member("size_bytes", space.size);
  json->Member("unprepared_bytes", space.unprepared);
  json->Member("free_bytes", space.free);
  json->Member("unfinished_bytes", space.unfinished);
  json->Member("ahead_bytes", space.ahead);
  json->Member("committed_bytes", space.committed);
  json->Member("leased_bytes", space.leased);
  json->Member("pinned_bytes", space.pinned);
  json->Member("retiring_bytes", space.retiring);
  json->Member("withdrawn_bytes", space.withdrawn);
  json->EndObject();
}

void AddStatus(const Snapshot& snapshot, text::JsonWriter* json) {
  const Census& census = snapshot.census;
  json->Member("software", KVSTORE_VERSION);
  json->Member("protocol_version", kProtocolVersion);
  json->Member("pool", snapshot.pool.ToString());
  json->Member("term", snapshot.term);
  json->Member("uptime_ms", Milliseconds(snapshot.uptime));
  json->Member("nodes_live", census.nodes_live);
  json->Member("nodes_suspected", census.nodes_suspected);
  json->Member("nodes_missing", census.nodes_missing);
  json->Member("objects", census.objects);
  json->Member("objects_pinned", census.objects_pinned);
  json->Member("objects_lacking", census.objects_lacking);
  json->Member("puts_unfinished", census.puts_unfinished);
  json->Member("puts_parked", census.puts_parked);
  json->Member("requests_waiting", census.requests_waiting);
  json->Member("copies_running", census.copies_running);
  json->Member("notes_unconfirmed", census.notes_unconfirmed);
  json->Member("oldest_note_ms", Milliseconds(census.oldest_note));
  AddSpace(census.space, json);
  json->Name("counters");
  json->BeginObject();
  for (const auto& [name, count] : NamedCounters(snapshot.counters)) json->Member(name, count);
  json->EndObject();
}

void AddLine(const NodeLine& line, text::JsonWriter* json) {
  json->BeginObject();
  json->Member("name", line.peer.name);
  json->Member("incarnation", line.peer.incarnation.ToString());
  json->Member("host", line.peer.host);
  json->Member("state", NodeStateName(line));
  json->Member("draining", line.draining);
  json->Member("sick", line.sick);
  json->Member("joined_ms", Milliseconds(line.joined));
  json->Member("silent_ms", Milliseconds(line.silent));
  json->Member("counter", line.counter);
  json->Member("segments", line.segments);
  json->Member("objects", line.objects);
  json->Member("orders_open", line.orders_open);
  json->Member("notes_unconfirmed", line.notes_unconfirmed);
  json->Member("oldest_note_ms", Milliseconds(line.oldest_note));
  json->Member("hits", line.hits);
  json->Member("misses", line.misses);
  AddTally(line.tally, json);
  AddSpace(line.space, json);
  json->EndObject();
}

void AddLine(const SegmentLine& line, text::JsonWriter* json) {
  json->BeginObject();
  json->Member("node", line.node);
  json->Member("holder", line.id.holder.ToString());
  json->Member("index", line.id.index);
  json->Member("granule_bytes", line.granule);
  json->Member("objects", line.objects);
  json->Member("free_ranges", line.free_ranges);
  json->Member("largest_free_bytes", line.largest_free);
  AddSpace(line.space, json);
  json->EndObject();
}

void AddLine(const ObjectLine& line, text::JsonWriter* json) {
  json->BeginObject();
  AddMembers(line, json);
  json->EndObject();
}

void AddLine(const TaskLine& line, text::JsonWriter* json) {
  json->BeginObject();
  json->Member("id", line.id);
  json->Member("kind", line.request.kind == TaskRequest::Kind::kCopy ? "copy" : "move");
  json->Key(line.request.key);
  json->Member("from", line.request.from);
  json->Member("to", line.request.to);
  json->Member("state", TaskStateName(line.state));
  if (!line.status.ok()) json->Member("why", line.status.message());
  json->Member("size", line.size);
  json->Member("age_ms", Milliseconds(line.age));
  json->EndObject();
}

void AddDetail(const ObjectDetail& detail, text::JsonWriter* json) {
  json->BeginObject();
  AddMembers(detail.line, json);
  json->Member("put", detail.put.writer.ToString() + "." + std::to_string(detail.put.sequence));
  json->Member("checksum_xxh3", Hex(detail.checksum));
  json->Member("replicas_wanted", detail.replicas_wanted);
  json->Member("durable", detail.durable);
  json->Member("hard_pin", detail.retention.hard_pin);
  json->Member("soft_pin_left_ms", Milliseconds(detail.retention.soft_pin));
  if (detail.retention.ttl > Duration::zero()) {
    json->Member("ttl_left_ms", Milliseconds(detail.retention.ttl));
  }
  if (!detail.retention.group.empty()) json->Member("group", detail.retention.group);
  json->Member("position", detail.retention.position);
  json->Name("places");
  json->BeginArray();
  for (const ReplicaLine& replica : detail.replicas) {
    json->BeginObject();
    json->Member("node", replica.node);
    json->Member("holder", replica.segment.holder.ToString());
    json->Member("segment", replica.segment.index);
    json->Member("standing", StandingName(replica.standing));
    json->Member("birth", replica.birth);
    json->Member("noted", replica.noted);
    json->Name("ranges");
    json->BeginArray();
    for (const Range& range : replica.ranges) {
      json->BeginObject();
      json->Member("offset", range.offset);
      json->Member("length", range.length);
      json->EndObject();
    }
    json->EndArray();
    json->EndObject();
  }
  json->EndArray();
  json->EndObject();
}

}  // namespace kvstore::master
