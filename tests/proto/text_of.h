#ifndef KVSTORE_TESTS_PROTO_TEXT_OF_H_
#define KVSTORE_TESTS_PROTO_TEXT_OF_H_

// Every field of a message as text, so that a comparison that fails shows what differs.

#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "proto/verbs.h"

namespace kvstore {

inline std::ostream& operator<<(std::ostream& out, const Incarnation& v) {
  return out << v.ToString();
}
inline std::ostream& operator<<(std::ostream& out, Duration v) { return out << v.count() << "ns"; }
inline std::ostream& operator<<(std::ostream& out, const PutId& v) {
  return out << v.writer << '/' << v.sequence;
}

template <typename T>
std::ostream& operator<<(std::ostream& out, const std::vector<T>& list) {
  out << '[';
  for (const T& item : list) out << item << ", ";
  return out << ']';
}

inline std::ostream& operator<<(std::ostream& out, const Range& v) {
  return out << v.offset << '+' << v.length;
}
inline std::ostream& operator<<(std::ostream& out, const Replica& v) {
  return out << v.segment.holder << '.' << v.segment.index << '@' << v.birth << v.ranges;
}
inline std::ostream& operator<<(std::ostream& out, const Peer& v) {
  return out << v.incarnation << ' ' << v.name << ' ' << v.host << ' ' << v.descriptor;
}
inline std::ostream& operator<<(std::ostream& out, const LentSegment& v) {
  return out << v.index << ' ' << v.size << ' ' << v.granule << ' ' << v.ready;
}
inline std::ostream& operator<<(std::ostream& out, const GrantPiece& v) {
  return out << v.grant << ' ' << v.term << ' ' << v.offset << ' ' << v.length;
}
inline std::ostream& operator<<(std::ostream& out, const KeyBatch& v) {
  for (size_t i = 0; i < v.size(); ++i) out << v[i] << '|';
  return out;
}

inline std::ostream& operator<<(std::ostream& out, const Retention& v) {
  return out << v.hard_pin << ' ' << v.soft_pin << ' ' << v.ttl << ' ' << v.group << ' '
             << v.position;
}
inline std::ostream& operator<<(std::ostream& out, const SegmentId& v) {
  return out << v.holder << '.' << v.index;
}

inline std::ostream& operator<<(std::ostream& out, const Hello& v) {
  return out << v.oldest_version << ' ' << v.newest_version << ' ' << v.software << ' ' << v.pool
             << ' ' << v.term << ' ' << v.self << ' ' << v.counter << ' ' << v.segments;
}
inline std::ostream& operator<<(std::ostream& out, const Welcome& v) {
  return out << v.version << ' ' << v.software << ' ' << v.pool << ' ' << v.term << ' '
             << v.heartbeat_interval << ' ' << v.suspect_after << ' ' << v.wants_report;
}
inline std::ostream& operator<<(std::ostream& out, const VerbHello& v) {
  return out << v.oldest_version << ' ' << v.newest_version << ' ' << v.self << ' ' << v.term;
}
inline std::ostream& operator<<(std::ostream& out, const Beat& v) {
  return out << v.self << ' ' << v.term;
}
inline std::ostream& operator<<(std::ostream& out, const BeatReply& v) {
  return out << v.term << ' ' << v.unknown;
}
inline std::ostream& operator<<(std::ostream& out, const RetireOrder& v) {
  return out << "retire " << v.put << ' ' << v.segment << ' ' << v.birth << v.ranges;
}
inline std::ostream& operator<<(std::ostream& out, const PrepareOrder& v) {
  return out << "prepare " << v.segment << ' ' << v.limit;
}
inline std::ostream& operator<<(std::ostream& out, const NoteOrder& v) {
  return out << "note " << v.put << ' ' << v.segment << ' ' << v.birth << v.ranges << v.key << ' '
             << v.size << ' ' << v.checksum << ' ' << v.replicas << ' ' << v.retention << ' '
             << v.version << ' ' << v.replaces;
}
inline std::ostream& operator<<(std::ostream& out, const CopyOrder& v) {
  return out << "copy " << v.put << ' ' << v.size << ' ' << v.checksum << ' ' << v.from << ' '
             << v.segment << ' ' << v.birth << v.ranges;
}
inline std::ostream& operator<<(std::ostream& out, const ReleaseOrder& v) {
  return out << "release " << v.segment << ' ' << v.limit << ' ' << v.number;
}
inline std::ostream& operator<<(std::ostream& out, const LeaveOrder&) { return out << "leave"; }
inline std::ostream& operator<<(std::ostream& out, const Order& v) {
  std::visit([&](const auto& order) { out << order; }, v);
  return out;
}
inline std::ostream& operator<<(std::ostream& out, const Orders& v) {
  return out << v.term << ' ' << v.orders << v.peers;
}
inline std::ostream& operator<<(std::ostream& out, const RetireAck& v) {
  return out << v.put << ' ' << v.segment << ' ' << v.birth << ' ' << static_cast<int>(v.stage);
}
inline std::ostream& operator<<(std::ostream& out, const ReadyAck& v) {
  return out << v.segment << ' ' << v.limit << ' ' << v.problem;
}
inline std::ostream& operator<<(std::ostream& out, const NoteAck& v) {
  return out << v.put << ' ' << v.segment << ' ' << v.birth << ' ' << v.kept << ' ' << v.version;
}
inline std::ostream& operator<<(std::ostream& out, const CopyAck& v) {
  return out << v.put << ' ' << v.segment << ' ' << v.birth << ' ' << v.status;
}
inline std::ostream& operator<<(std::ostream& out, const ReleaseAck& v) {
  return out << v.segment << ' ' << v.limit << ' ' << v.number;
}
inline std::ostream& operator<<(std::ostream& out, const Acks& v) {
  return out << v.term << ' ' << v.counter << ' ' << v.retired << ' ' << v.ready << v.noted
             << v.copied << v.released;
}
inline std::ostream& operator<<(std::ostream& out, const HeldMemory& v) {
  return out << v.sequence << ' ' << v.segment << ' ' << v.birth << v.ranges;
}
inline std::ostream& operator<<(std::ostream& out, const Report& v) {
  return out << v.term << ' ' << v.counter << ' ' << v.segments << v.notes << v.held << v.last;
}
inline std::ostream& operator<<(std::ostream& out, const Lend& v) { return out << v.segments; }
inline std::ostream& operator<<(std::ostream& out, const ClientTally& v) {
  for (uint64_t number : {v.gets_ok, v.gets_missed, v.gets_failed, v.gets_remembered, v.puts_ok,
                          v.puts_failed, v.bytes_got, v.bytes_put, v.reads_refused,
                          v.checksum_mismatches, v.entries_refused, v.accesses_refused}) {
    out << number << ' ';
  }
  return out << v.bytes_by_way;
}

inline std::ostream& operator<<(std::ostream& out, const StartPut& v) {
  return out << "start " << v.keys << v.sequences << v.sizes << v.replicas << v.replace
             << static_cast<int>(v.placement) << v.preferred_nodes << v.durable << v.retention
             << v.positions << v.instead_of;
}
inline std::ostream& operator<<(std::ostream& out, const CommitPut& v) {
  return out << "commit " << v.sequences << v.checksums << v.pieces << v.put;
}
inline std::ostream& operator<<(std::ostream& out, const GrantAhead& v) {
  return out << "ahead " << v.sequence << ' ' << v.bytes << ' ' << v.least << v.done;
}
inline std::ostream& operator<<(std::ostream& out, const AbortPut& v) {
  return out << "abort " << v.sequences;
}
inline std::ostream& operator<<(std::ostream& out, const Locate& v) {
  return out << "locate " << v.keys << v.want_lease;
}
inline std::ostream& operator<<(std::ostream& out, const Exists& v) {
  return out << "exists " << v.keys;
}
inline std::ostream& operator<<(std::ostream& out, const WaitExists& v) {
  return out << "wait " << v.keys;
}
inline std::ostream& operator<<(std::ostream& out, const Remove& v) {
  return out << "remove " << v.keys;
}
inline std::ostream& operator<<(std::ostream& out, const NoteReads& v) {
  return out << "note " << v.puts;
}
inline std::ostream& operator<<(std::ostream& out, const StatObject& v) {
  return out << "stat " << v.keys;
}
inline std::ostream& operator<<(std::ostream& out, const Pin& v) {
  return out << "pin " << v.keys << v.hard << v.soft;
}
inline std::ostream& operator<<(std::ostream& out, const RemoveMatching& v) {
  return out << "remove matching " << v.prefix;
}
inline std::ostream& operator<<(std::ostream& out, const ReportFailures& v) {
  return out << "failures " << v.segments;
}
inline std::ostream& operator<<(std::ostream& out, const VerbRequest& v) {
  out << v.id << ' ' << v.patience << ' ';
  std::visit([&](const auto& verb) { out << verb; }, v.verb);
  return out;
}

inline std::ostream& operator<<(std::ostream& out, const StartPutAnswer& v) {
  return out << v.index << ' ' << v.status << v.replicas << v.grant << v.parked;
}
inline std::ostream& operator<<(std::ostream& out, const ItemAnswer& v) {
  return out << v.index << ' ' << v.status;
}
inline std::ostream& operator<<(std::ostream& out, const LocateAnswer& v) {
  return out << v.index << ' ' << v.status << v.put << ' ' << v.size << ' ' << v.checksum
             << v.replicas << v.lease << v.parked;
}
inline std::ostream& operator<<(std::ostream& out, const StatAnswer& v) {
  return out << v.index << ' ' << v.status << v.put << ' ' << v.size << ' ' << v.checksum << ' '
             << v.age << v.lease_left << v.replicas << v.durable << v.retention;
}
inline std::ostream& operator<<(std::ostream& out, const CountAnswer& v) {
  return out << v.index << ' ' << v.status << ' ' << v.count;
}
inline std::ostream& operator<<(std::ostream& out, const VerbReply& v) {
  out << v.id << ' ' << v.answers.index() << ' ' << v.peers;
  std::visit([&](const auto& answers) { out << answers; }, v.answers);
  return out;
}

template <typename T>
std::string TextOf(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace kvstore

#endif  // KVSTORE_TESTS_PROTO_TEXT_OF_H_
