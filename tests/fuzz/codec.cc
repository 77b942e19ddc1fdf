// What the gRPC streams carry, from protobuf on: whatever the codec takes, it encodes so that it
// takes the same again, also cut into several messages. The first byte of an input says which.

#include "proto/codec.h"

#include <google/protobuf/stubs/logging.h>

#include "fuzz/target.h"
#include "kvstore/v1/kvstore.pb.h"

namespace kvstore::fuzz {
namespace {

template <typename T>
const T& ValueOf(const T& plain) {
  return plain;
}
template <typename T>
const T& ValueOf(const Result<T>& result) {
  return *result;
}
template <typename T>
bool IsOk(const T&) {
  return true;
}
template <typename T>
bool IsOk(const Result<T>& result) {
  return result.ok();
}

void EncodeTo(const VerbReply& from, v1::VerbReplyMessage* to) { Encode(from, 1, to); }
template <typename T, typename Message>
void EncodeTo(const T& from, Message* to) {
  Encode(from, to);
}

template <typename Message, typename T>
std::string BytesOf(const T& value) {
  Message message;
  EncodeTo(value, &message);
  return message.SerializeAsString();
}

template <typename Message>
auto DecodeBytes(const std::string& bytes) {
  Message message;
  Expect(message.ParseFromString(bytes), "protobuf reads what it has written");
  return Decode(std::move(message));
}

// Later code takes the keys of a batch for whole.
template <typename T>
void ExpectWholeKeys(const T&) {}
void ExpectWholeKeys(const VerbRequest& request) {
  std::visit(
      [](const auto& verb) {
        if constexpr (requires { verb.keys; }) {
          size_t bytes = 0;
          for (size_t i = 0; i < verb.keys.size(); ++i) bytes += verb.keys[i].size();
          Expect(bytes == verb.keys.bytes().size(), "keys are all of a batch's bytes");
        }
      },
      request.verb);
}

template <typename Message, typename T>
void ExpectTaken(const T& value) {
  ExpectWholeKeys(value);
  const std::string bytes = BytesOf<Message>(value);
  const auto again = DecodeBytes<Message>(bytes);
  Expect(IsOk(again), "what the codec encodes, it takes");
  Expect(BytesOf<Message>(ValueOf(again)) == bytes, "and says the same then");
}

template <typename Message, typename Cut>
void TakeMessage(std::string_view bytes, const Cut& cut) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto value = Decode(Message(message));
  if (!IsOk(value)) {
    if constexpr (std::is_same_v<Message, v1::VerbRequest>) {
      const Result<VerbReply> refusal = Refusal(message, InvalidArgumentError("no"));
      if (refusal.ok()) ExpectTaken<v1::VerbReplyMessage>(*refusal);
    }
    return;
  }
  ExpectTaken<Message>(ValueOf(value));
  cut(ValueOf(value));
}

template <typename Message>
void TakeMessage(std::string_view bytes) {
  TakeMessage<Message>(bytes, [](const auto&) {});
}

template <typename Message>
void TakeAndCut(std::string_view bytes) {
  TakeMessage<Message>(bytes, [](const auto& value) {
    for (const auto& part : CutToMessages(value)) ExpectTaken<Message>(part);
  });
}

template <typename Message, typename T>
std::string Seed(char kind, const T& value) {
  return kind + BytesOf<Message>(value);
}

std::string RequestSeed(decltype(VerbRequest::verb) verb) {
  return Seed<v1::VerbRequest>(10, VerbRequest{3, std::chrono::seconds(1), std::move(verb)});
}

KeyBatch TwoKeys() {
  KeyBatch keys;
  keys.Add("one");
  keys.Add("\xff two");
  return keys;
}

}  // namespace

void Take(std::string_view bytes) {
  // Its parser writes a line for each string that is not UTF-8.
  [[maybe_unused]] static const auto before = google::protobuf::SetLogHandler(nullptr);
  Input input(bytes);
  switch (input.Below(12)) {
    case 0:
      return TakeMessage<v1::Hello>(input.Rest());
    case 1:
      return TakeMessage<v1::Welcome>(input.Rest());
    case 2:
      return TakeMessage<v1::Beat>(input.Rest());
    case 3:
      return TakeMessage<v1::BeatReply>(input.Rest());
    case 4:
      return TakeMessage<v1::VerbHello>(input.Rest());
    case 5:
      return TakeAndCut<v1::Orders>(input.Rest());
    case 6:
      return TakeMessage<v1::Acks>(input.Rest());
    case 7:
      return TakeAndCut<v1::Report>(input.Rest());
    case 8:
      return TakeMessage<v1::Lend>(input.Rest());
    case 9:
      return TakeMessage<v1::Tally>(input.Rest());
    case 10:
      return TakeMessage<v1::VerbRequest>(input.Rest());
    default:
      return TakeAndCut<v1::VerbReplyMessage>(input.Rest());
  }
}

std::vector<std::string> Seeds() {
  const Peer peer{{1, 2}, "node", "host", "at"};
  const std::vector<LentSegment> segments = {{0, 8192, 4096, 4096}};
  const Replica replica{{{1, 2}, 0}, 5, {{0, 4096}, {8192, 4096}}};
  const Retention kept{true, std::chrono::seconds(1), std::chrono::seconds(9), "g", 3};
  const NoteOrder note{{{1, 2}, 3}, 0, 5, replica.ranges, "key", 6000, 7, 2, kept, 1, {{1, 2}, 1}};
  Hello hello;
  hello.self = peer;
  hello.segments = segments;
  Report report;
  report.notes = {note};
  report.held = {{kFirstHeldSequence, 0, 2, {{4096, 4096}}}};
  report.segments = segments;
  report.last = true;
  const Orders orders{1,
                      {RetireOrder{{{1, 2}, 3}, 0, 5, replica.ranges}, PrepareOrder{0, 4096}, note,
                       CopyOrder{{{1, 2}, 3}, 6000, 7, replica, 0, 6, replica.ranges},
                       ReleaseOrder{0, 4096, 1}, LeaveOrder{}},
                      {peer}};
  const Acks acks{1,
                  9,
                  {{{{1, 2}, 3}, 0, 5, RetireStage::kFree}},
                  {{0, 4096, "none"}},
                  {{{{1, 2}, 3}, 0, 5, true, 1}},
                  {{{{1, 2}, 3}, 0, 6, NotFoundError("gone")}},
                  {{0, 4096, 1}}};
  StartPut start;
  start.keys = TwoKeys();
  start.sequences = {1, 2};
  start.sizes = {100, 0};
  start.preferred_nodes = {"n"};
  start.retention = kept;
  start.positions = {1, 2};
  start.instead_of = {0, 1};
  using std::chrono::seconds;
  const std::vector<VerbReply> replies = {
      {1, std::vector<StartPutAnswer>{{0, Status::Ok(), {replica}, seconds(1), {}}}, {peer}},
      {1, std::vector<ItemAnswer>{{0, Status::Ok()}, {1, NotFoundError("no")}}, {}},
      {1,
       std::vector<LocateAnswer>{{0, Status::Ok(), {{1, 2}, 3}, 60, 7, {replica}, seconds(1), {}}},
       {peer}},
      {1,
       std::vector<StatAnswer>{
           {0, Status::Ok(), {{1, 2}, 3}, 60, 7, seconds(1), seconds(2), {replica}, true, kept}},
       {peer}},
      {1, std::vector<CountAnswer>{{0, Status::Ok(), 5}}, {}}};
  std::vector<std::string> seeds = {
      Seed<v1::Hello>(0, hello),
      Seed<v1::Welcome>(1, Welcome{1, "0.1", {1, 2}, 3, seconds(1), seconds(2), true}),
      Seed<v1::Beat>(2, Beat{{1, 2}, 3}),
      Seed<v1::BeatReply>(3, BeatReply{3, true}),
      Seed<v1::VerbHello>(4, VerbHello{kOldestProtocolVersion, kProtocolVersion, {1, 2}, 3}),
      Seed<v1::Orders>(5, orders),
      Seed<v1::Acks>(6, acks),
      Seed<v1::Report>(7, report),
      Seed<v1::Lend>(8, Lend{segments}),
      Seed<v1::Tally>(9, ClientTally{.gets_ok = 1, .bytes_by_way = {1, 2, 3}}),
      RequestSeed(start),
      RequestSeed(CommitPut{{1, 2}, {3, 4}, {}}),
      RequestSeed(CommitPut{start.sequences,
                            {3, 4},
                            {GrantPiece{1, 2, 0, 4096}, GrantPiece{1, 2, 4096, 4096}},
                            start}),
      RequestSeed(GrantAhead{1, 65'536, 4096, {2, 3}}),
      RequestSeed(AbortPut{{1, 2}}),
      RequestSeed(Locate{TwoKeys(), true}),
      RequestSeed(Exists{TwoKeys()}),
      RequestSeed(WaitExists{TwoKeys()}),
      RequestSeed(Remove{TwoKeys()}),
      RequestSeed(StatObject{TwoKeys()}),
      RequestSeed(NoteReads{{{{1, 2}, 3}}}),
      RequestSeed(Pin{TwoKeys(), true, seconds(5)}),
      RequestSeed(RemoveMatching{"o"}),
      RequestSeed(ReportFailures{{{{1, 2}, 0}}})};
  for (const VerbReply& reply : replies) seeds.push_back(Seed<v1::VerbReplyMessage>(11, reply));
  return seeds;
}

}  // namespace kvstore::fuzz
