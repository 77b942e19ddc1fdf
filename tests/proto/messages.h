#ifndef KVSTORE_TESTS_PROTO_MESSAGES_H_
#define KVSTORE_TESTS_PROTO_MESSAGES_H_

// Any message within the contract's limits, for properties; and every field of one as text, so that
// a comparison that fails shows what differs.

#include <rapidcheck.h>

#include <sstream>
#include <string>
#include <vector>

#include "proto/verbs.h"

namespace kvstore::messages {

template <typename T>
T Below(T limit) {  // 0 to limit - 1
  return *rc::gen::inRange<T>(0, limit);
}

inline uint64_t AnyNumber() { return *rc::gen::arbitrary<uint64_t>(); }
inline Duration AnyDuration() { return std::chrono::microseconds(Below<int64_t>(10'000'000'000)); }
inline Incarnation AnyIncarnation() { return {AnyNumber() | 1, AnyNumber()}; }
inline PutId AnyPut() { return {AnyIncarnation(), AnyNumber()}; }

inline std::string AnyBytes(size_t least, size_t limit) {
  const auto size = *rc::gen::inRange<size_t>(least, limit);
  return *rc::gen::container<std::string>(size, rc::gen::arbitrary<char>());
}

// Text that protobuf takes: some of it beyond ASCII.
inline std::string AnyText(size_t limit) {
  static const char* const kParts[] = {
      "a", "-", "node 7", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98", ""};
  std::string text;
  for (size_t i = Below<size_t>(6); i > 0; --i) text += kParts[Below<size_t>(7)];
  return text.substr(0, text.size() < limit ? text.size() : 0);
}

template <typename Make>
auto Several(size_t limit, Make make) {
  std::vector<decltype(make())> all;
  for (size_t i = Below<size_t>(limit); i > 0; --i) all.push_back(make());
  return all;
}

inline KeyBatch AnyKeys() {
  KeyBatch keys;
  for (size_t i = Below<size_t>(6); i > 0; --i) keys.Add(AnyBytes(1, 40));
  if (Below(10) == 0) keys.Add(std::string(1024, '\0'));
  return keys;
}

inline std::vector<Range> AnyRanges() {
  std::vector<Range> ranges = Several(5, [] {
    return Range{Below<uint64_t>(uint64_t{1} << 43), 1 + Below<uint64_t>(uint64_t{1} << 43)};
  });
  ranges.push_back({0, 4096});
  return ranges;
}

inline std::vector<Replica> AnyReplicas() {
  return Several(4, [] {
    return Replica{
        {AnyIncarnation(), static_cast<uint32_t>(AnyNumber())}, AnyNumber(), AnyRanges()};
  });
}

inline Status AnyStatus() {
  static const StatusCode kCodes[] = {StatusCode::kNotFound, StatusCode::kResourceExhausted,
                                      StatusCode::kDataLoss, StatusCode::kUnauthenticated};
  if (Below(2) == 0) return Status::Ok();
  return Status(kCodes[Below(4)], AnyText(100));
}

inline Peer AnyPeer() { return {AnyIncarnation(), AnyText(255), AnyText(255), AnyBytes(0, 64)}; }

inline Hello AnyHello() {
  Hello hello;
  hello.oldest_version = static_cast<uint32_t>(AnyNumber());
  hello.newest_version = static_cast<uint32_t>(AnyNumber());
  hello.software = AnyText(20);
  if (Below(2) == 0) hello.pool = AnyIncarnation();
  hello.term = AnyNumber();
  hello.self = AnyPeer();
  hello.counter = AnyNumber();
  hello.segments = Several(4, [] {
    const uint64_t granule = uint64_t{4096} << Below(4);
    const uint64_t granules = Below<uint64_t>(1'000'000);
    return LentSegment{0, granules * granule, granule, Below<uint64_t>(granules + 1) * granule};
  });
  for (uint32_t i = 0; i < hello.segments.size(); ++i) hello.segments[i].index = 7 * i;
  return hello;
}

inline VerbHello AnyVerbHello() {
  return {static_cast<uint32_t>(AnyNumber()), static_cast<uint32_t>(AnyNumber()), AnyIncarnation(),
          AnyNumber()};
}

inline Welcome AnyWelcome() {
  return {static_cast<uint32_t>(AnyNumber()),
          AnyText(20),
          AnyIncarnation(),
          AnyNumber() | 1,
          AnyDuration(),
          AnyDuration()};
}

inline Orders AnyOrders() {
  return {AnyNumber(), Several(6, []() -> Order {
            const auto segment = static_cast<uint32_t>(AnyNumber());
            if (Below(3) == 0) return PrepareOrder{segment, Below<uint64_t>(uint64_t{1} << 44)};
            return RetireOrder{AnyPut(), segment, AnyNumber(), AnyRanges()};
          })};
}

inline Acks AnyAcks() {
  return {AnyNumber(), AnyNumber(),
          Several(6,
                  [] {
                    return RetireAck{AnyPut(), static_cast<uint32_t>(AnyNumber()), AnyNumber(),
                                     Below(2) == 0 ? RetireStage::kWithdrawn : RetireStage::kFree};
                  }),
          Several(3, [] {
            return ReadyAck{static_cast<uint32_t>(AnyNumber()), Below<uint64_t>(uint64_t{1} << 44),
                            AnyText(100)};
          })};
}

inline StartPut AnyStartPut() {
  StartPut verb;
  verb.keys = AnyKeys();
  for (size_t i = 0; i < verb.keys.size(); ++i) {
    verb.sequences.push_back(AnyNumber());
    verb.sizes.push_back(Below<uint64_t>(uint64_t{1} << 44));
  }
  verb.replicas = 1 + Below<uint32_t>(8);
  verb.replace = Below(2) == 0;
  static constexpr Placement kPlacements[] = {Placement::kLocalFirst, Placement::kSpread,
                                              Placement::kThisHost};
  verb.placement = kPlacements[Below(3)];
  verb.preferred_nodes = Several(4, [] { return AnyText(255); });
  return verb;
}

inline CommitPut AnyCommitPut() {
  CommitPut verb;
  verb.sequences = Several(6, AnyNumber);
  const bool pieces = Below(2) == 0;
  for (size_t i = 0; i < verb.sequences.size(); ++i) {
    verb.checksums.push_back(AnyNumber());
    if (!pieces) continue;
    verb.pieces.emplace_back();
    if (Below(2) == 0) verb.pieces.back() = {AnyNumber(), Below<uint64_t>(1 << 30), 4096};
  }
  return verb;
}

inline VerbRequest AnyRequest() {
  VerbRequest request;
  request.id = AnyNumber();
  request.patience = AnyDuration();
  switch (Below(9)) {
    case 0:
      request.verb = AnyStartPut();
      break;
    case 1:
      request.verb = AnyCommitPut();
      break;
    case 2:
      request.verb = AbortPut{Several(6, AnyNumber)};
      break;
    case 3:
      request.verb = Locate{AnyKeys(), Below(2) == 0};
      break;
    case 4:
      request.verb = Exists{AnyKeys()};
      break;
    case 5:
      request.verb = WaitExists{AnyKeys()};
      break;
    case 6:
      request.verb = Remove{AnyKeys()};
      break;
    case 7:
      request.verb = NoteReads{Several(6, AnyPut)};
      break;
    default:
      request.verb = StatObject{AnyKeys()};
  }
  return request;
}

inline VerbReply AnyReply() {
  const auto index = [] { return Below<uint32_t>(4096); };
  VerbReply reply;
  reply.id = AnyNumber();
  reply.peers = Several(4, AnyPeer);
  switch (Below(4)) {
    case 0:
      reply.answers = Several(5, [&] {
        return StartPutAnswer{index(), AnyStatus(), AnyReplicas(), AnyDuration(), AnyDuration()};
      });
      break;
    case 1: {  // OK first, as decoding gives them
      auto items = Several(5, [&] { return ItemAnswer{index(), Status::Ok()}; });
      for (const ItemAnswer& other : Several(5, [&] {
             return ItemAnswer{index(), NotFoundError(AnyText(100))};
           })) {
        items.push_back(other);
      }
      reply.answers = std::move(items);
      break;
    }
    case 2:
      reply.answers = Several(5, [&] {
        return LocateAnswer{index(),     AnyStatus(),   AnyPut(),      Below<uint64_t>(1 << 30),
                            AnyNumber(), AnyReplicas(), AnyDuration(), AnyDuration()};
      });
      break;
    default:
      reply.answers = Several(5, [&] {
        return StatAnswer{index(),     AnyStatus(),   AnyPut(),      Below<uint64_t>(1 << 30),
                          AnyNumber(), AnyDuration(), AnyDuration(), AnyReplicas()};
      });
  }
  return reply;
}

}  // namespace kvstore::messages

// ---- as text

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
inline std::ostream& operator<<(std::ostream& out, const std::optional<GrantPiece>& v) {
  if (!v) return out << "none";
  return out << v->grant << ' ' << v->offset << ' ' << v->length;
}
inline std::ostream& operator<<(std::ostream& out, const KeyBatch& v) {
  for (size_t i = 0; i < v.size(); ++i) out << v[i] << '|';
  return out;
}

inline std::ostream& operator<<(std::ostream& out, const Hello& v) {
  return out << v.oldest_version << ' ' << v.newest_version << ' ' << v.software << ' ' << v.pool
             << ' ' << v.term << ' ' << v.self << ' ' << v.counter << ' ' << v.segments;
}
inline std::ostream& operator<<(std::ostream& out, const Welcome& v) {
  return out << v.version << ' ' << v.software << ' ' << v.pool << ' ' << v.term << ' '
             << v.heartbeat_interval << ' ' << v.suspect_after;
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
inline std::ostream& operator<<(std::ostream& out, const Order& v) {
  if (const auto* prepare = std::get_if<PrepareOrder>(&v)) {
    return out << "prepare " << prepare->segment << ' ' << prepare->limit;
  }
  const auto& retire = std::get<RetireOrder>(v);
  return out << "retire " << retire.put << ' ' << retire.segment << ' ' << retire.birth
             << retire.ranges;
}
inline std::ostream& operator<<(std::ostream& out, const Orders& v) {
  return out << v.term << ' ' << v.orders;
}
inline std::ostream& operator<<(std::ostream& out, const RetireAck& v) {
  return out << v.put << ' ' << v.segment << ' ' << v.birth << ' ' << static_cast<int>(v.stage);
}
inline std::ostream& operator<<(std::ostream& out, const ReadyAck& v) {
  return out << v.segment << ' ' << v.limit << ' ' << v.problem;
}
inline std::ostream& operator<<(std::ostream& out, const Acks& v) {
  return out << v.term << ' ' << v.counter << ' ' << v.retired << ' ' << v.ready;
}

inline std::ostream& operator<<(std::ostream& out, const StartPut& v) {
  return out << "start " << v.keys << v.sequences << v.sizes << v.replicas << v.replace
             << static_cast<int>(v.placement) << v.preferred_nodes;
}
inline std::ostream& operator<<(std::ostream& out, const CommitPut& v) {
  return out << "commit " << v.sequences << v.checksums << v.pieces;
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
             << v.age << v.lease_left << v.replicas;
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

#endif  // KVSTORE_TESTS_PROTO_MESSAGES_H_
