#ifndef KVSTORE_TESTS_PROTO_MESSAGES_H_
#define KVSTORE_TESTS_PROTO_MESSAGES_H_

// Any message within the contract's limits, for properties.

#include <rapidcheck.h>

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

inline AwaitPuts AnyAwaitPuts() {
  const Duration at_most = AnyDuration();
  return {at_most, at_most == Duration::zero() ? "" : AnyBytes(0, 40)};
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

inline Retention AnyRetention() {
  if (Below(2) == 0) return {};
  return {Below(2) == 0, AnyDuration(), AnyDuration(), AnyBytes(0, 256),
          static_cast<uint32_t>(AnyNumber())};
}

inline Peer AnyPeer() { return {AnyIncarnation(), AnyText(255), AnyText(255), AnyBytes(0, 64)}; }

inline std::vector<LentSegment> AnySegments() {
  std::vector<LentSegment> segments = Several(4, [] {
    const uint64_t granule = uint64_t{4096} << Below(4);
    const uint64_t granules = Below<uint64_t>(1'000'000);
    return LentSegment{0, granules * granule, granule, Below<uint64_t>(granules + 1) * granule};
  });
  for (uint32_t i = 0; i < segments.size(); ++i) segments[i].index = 7 * i;
  return segments;
}

inline Hello AnyHello() {
  Hello hello;
  hello.oldest_version = static_cast<uint32_t>(AnyNumber());
  hello.newest_version = static_cast<uint32_t>(AnyNumber());
  hello.software = AnyText(20);
  if (Below(2) == 0) hello.pool = AnyIncarnation();
  hello.term = AnyNumber();
  hello.self = AnyPeer();
  hello.counter = AnyNumber();
  hello.segments = AnySegments();
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
          AnyDuration(),
          Below(2) == 0};
}

inline uint32_t AnySegment() { return static_cast<uint32_t>(AnyNumber()); }
inline uint64_t AnyExtent() { return Below<uint64_t>(uint64_t{1} << 44); }

// Half of them as most are.
inline NoteOrder AnyNote() {
  if (Below(2) == 0) {
    NoteOrder note;
    note.put = {{1, Below<uint64_t>(2)}, AnyNumber()};
    note.segment = Below<uint32_t>(2);
    note.birth = Below<uint64_t>(2);
    note.ranges = {{Below<uint64_t>(1 << 30), 4096}};
    note.key = AnyBytes(1, 100);
    note.size = AnyExtent();
    note.checksum = AnyNumber();
    note.version = AnyNumber();
    return note;
  }
  return {AnyPut(),
          AnySegment(),
          AnyNumber(),
          AnyRanges(),
          AnyBytes(1, 100),
          AnyExtent(),
          AnyNumber(),
          1 + Below<uint32_t>(8),
          AnyRetention(),
          AnyNumber(),
          Below(2) ? AnyPut() : PutId()};
}

inline Replica AnyReplica() { return {{AnyIncarnation(), AnySegment()}, AnyNumber(), AnyRanges()}; }

inline Order AnyOrder() {
  switch (Below(6)) {
    case 0:
      return RetireOrder{AnyPut(), AnySegment(), AnyNumber(), AnyRanges()};
    case 1:
      return PrepareOrder{AnySegment(), AnyExtent()};
    case 2:
      return AnyNote();
    case 3:
      return CopyOrder{AnyPut(),     AnyExtent(), AnyNumber(), AnyReplica(),
                       AnySegment(), AnyNumber(), AnyRanges()};
    case 4:
      return ReleaseOrder{AnySegment(), AnyExtent(), AnyNumber()};
    default:
      return LeaveOrder{};
  }
}

inline Orders AnyOrders() { return {AnyNumber(), Several(6, AnyOrder), Several(4, AnyPeer)}; }

inline Acks AnyAcks() {
  return {AnyNumber(),
          AnyNumber(),
          Several(6,
                  [] {
                    return RetireAck{AnyPut(), static_cast<uint32_t>(AnyNumber()), AnyNumber(),
                                     Below(2) == 0 ? RetireStage::kWithdrawn : RetireStage::kFree};
                  }),
          Several(3,
                  [] {
                    return ReadyAck{AnySegment(), AnyExtent(), AnyText(100)};
                  }),
          Several(4,
                  [] {
                    return NoteAck{AnyPut(), AnySegment(), AnyNumber(), Below(2) == 0, AnyNumber()};
                  }),
          Several(4,
                  [] {
                    return CopyAck{AnyPut(), AnySegment(), AnyNumber(), AnyStatus()};
                  }),
          Several(3, [] {
            return ReleaseAck{AnySegment(), AnyExtent(), AnyNumber()};
          })};
}

inline HeldMemory AnyHeld() {
  return {kFirstHeldSequence | AnyNumber(), AnySegment(), AnyNumber(), AnyRanges()};
}

inline Report AnyReport() {
  Report report;
  report.term = AnyNumber();
  report.counter = AnyNumber();
  report.notes = Several(5, AnyNote);
  report.held = Several(5, AnyHeld);
  report.last = Below(2) == 0;
  if (report.last) report.segments = AnySegments();
  return report;
}

inline ClientTally AnyTally() {
  return {AnyNumber(), AnyNumber(), AnyNumber(),          AnyNumber(), AnyNumber(),
          AnyNumber(), AnyNumber(), AnyNumber(),          AnyNumber(), AnyNumber(),
          AnyNumber(), AnyNumber(), Several(9, AnyNumber)};
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
  verb.durable = Below(2) == 0;
  verb.retention = AnyRetention();
  if (Below(2) == 0) verb.positions.assign(verb.keys.size(), AnySegment());
  if (Below(2) == 0) verb.instead_of.assign(verb.keys.size(), AnyNumber());
  return verb;
}

inline CommitPut AnyCommitPut() {
  CommitPut verb;
  verb.put = AnyStartPut();
  verb.sequences = verb.put.sequences;
  for (size_t i = 0; i < verb.sequences.size(); ++i) {
    verb.checksums.push_back(AnyNumber());
    verb.pieces.push_back({AnyNumber(), AnyNumber(), Below<uint64_t>(1 << 30), 4096});
  }
  if (!verb.pieces.empty() && Below(2) == 0) return verb;
  verb.pieces.clear();
  verb.put = {};
  return verb;
}

inline VerbRequest AnyRequest() {
  VerbRequest request;
  request.id = AnyNumber();
  request.patience = AnyDuration();
  switch (Below(13)) {
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
      request.verb = Locate{AnyKeys(), Below(2) == 0, Below(2) == 0, AnyAwaitPuts()};
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
    case 8:
      request.verb = Pin{AnyKeys(), Below(2) == 0, AnyDuration()};
      break;
    case 9:
      request.verb = RemoveMatching{AnyBytes(0, 1025)};
      break;
    case 10:
      request.verb = ReportFailures{Several(6, [] {
        return SegmentId{AnyIncarnation(), AnySegment()};
      })};
      break;
    case 11:
      request.verb = GrantAhead{AnyNumber(), Below<uint64_t>(1 << 30), Below<uint64_t>(1 << 30),
                                Several(6, AnyNumber)};
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
  switch (Below(5)) {
    case 0:
      reply.answers = Several(5, [&] {
        return StartPutAnswer{index(),       AnyStatus(), AnyReplicas(),           AnyDuration(),
                              AnyDuration(), AnyNumber(), Below<uint64_t>(1 << 30)};
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
    case 2: {  // first what is found alike, as decoding gives them
      auto items = Several(5, [&] {
        LocateAnswer answer;
        answer.index = index();
        answer.put = {{1, Below<uint64_t>(2)}, AnyNumber()};
        answer.size = Below<uint64_t>(1 << 30);
        answer.checksum = AnyNumber();
        answer.replicas = {{{{2, Below<uint64_t>(2)}, 1}, Below<uint64_t>(2), {{0, 4096}}}};
        if (Below(2) == 0) answer.lease = std::chrono::seconds(1);
        return answer;
      });
      for (LocateAnswer& other : Several(5, [&] {
             return LocateAnswer{
                 index(),     AnyStatus(),   AnyPut(),      Below<uint64_t>(1 << 30),
                 AnyNumber(), AnyReplicas(), AnyDuration(), AnyDuration()};
           })) {
        if (other.status.ok() && other.replicas.size() == 1) other.replicas.clear();
        items.push_back(std::move(other));
      }
      reply.answers = std::move(items);
      break;
    }
    case 3:
      reply.answers = Several(5, [&] {
        return StatAnswer{index(),       AnyStatus(),   AnyPut(),      Below<uint64_t>(1 << 30),
                          AnyNumber(),   AnyDuration(), AnyDuration(), AnyReplicas(),
                          Below(2) == 0, AnyRetention()};
      });
      break;
    default:
      reply.answers = Several(5, [&] { return CountAnswer{index(), AnyStatus(), AnyNumber()}; });
  }
  return reply;
}

}  // namespace kvstore::messages

#endif  // KVSTORE_TESTS_PROTO_MESSAGES_H_
