#include "proto/codec.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/messages.h"
#include "proto/text_of.h"

namespace kvstore {
namespace {

// Over the wire and back.
template <typename Message, typename T>
Result<T> Carried(const T& value) {
  Message sent;
  Encode(value, &sent);
  Message received;
  if (!received.ParseFromString(sent.SerializeAsString())) return InternalError("not parsed");
  return Decode(std::move(received));
}

template <typename Message, typename T>
void ExpectUnchanged(const T& value) {
  const Result<T> back = Carried<Message>(value);
  RC_ASSERT(back.status() == Status::Ok());
  RC_ASSERT(TextOf(*back) == TextOf(value));
}

RC_GTEST_PROP(Codec, HelloComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Hello>(messages::AnyHello());
}
RC_GTEST_PROP(Codec, WelcomeComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Welcome>(messages::AnyWelcome());
}
RC_GTEST_PROP(Codec, VerbHelloComesBackUnchanged, ()) {
  ExpectUnchanged<v1::VerbHello>(messages::AnyVerbHello());
}
RC_GTEST_PROP(Codec, BeatComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Beat>(Beat{messages::AnyIncarnation(), messages::AnyNumber()});
  ExpectUnchanged<v1::BeatReply>(BeatReply{messages::AnyNumber(), messages::Below(2) == 0});
}
RC_GTEST_PROP(Codec, OrdersComeBackUnchanged, ()) {
  ExpectUnchanged<v1::Orders>(messages::AnyOrders());
}
RC_GTEST_PROP(Codec, AcksComeBackUnchanged, ()) { ExpectUnchanged<v1::Acks>(messages::AnyAcks()); }
RC_GTEST_PROP(Codec, ReportComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Report>(messages::AnyReport());
}
RC_GTEST_PROP(Codec, LendComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Lend>(Lend{messages::AnySegments()});
}
RC_GTEST_PROP(Codec, TallyComesBackUnchanged, ()) {
  ExpectUnchanged<v1::Tally>(messages::AnyTally());
}
RC_GTEST_PROP(Codec, RequestComesBackUnchanged, ()) {
  ExpectUnchanged<v1::VerbRequest>(messages::AnyRequest());
}
RC_GTEST_PROP(Codec, ReplyComesBackUnchanged, ()) {
  const VerbReply reply = messages::AnyReply();
  v1::VerbReplyMessage message;
  Encode(reply, 7, &message);
  RC_ASSERT(message.term() == 7U);
  const Result<VerbReply> back = Decode(message);
  RC_ASSERT(back.status() == Status::Ok());
  RC_ASSERT(TextOf(*back) == TextOf(reply));
}

// Parses and decodes what is perhaps no message at all. Must neither crash nor run over (the
// sanitizers look on).
template <typename Message>
void DecodeIfParsed(const std::string& bytes) {
  Message message;
  if (!message.ParseFromString(bytes)) return;
  const auto decoded = Decode(std::move(message));
  RC_ASSERT(decoded.ok() || !decoded.status().message().empty());
}

void DecodeAsEverything(const std::string& bytes) {
  const google::protobuf::LogSilencer silencer;  // the parser tells of each string that isn't UTF-8
  DecodeIfParsed<v1::Hello>(bytes);
  DecodeIfParsed<v1::Welcome>(bytes);
  DecodeIfParsed<v1::Orders>(bytes);
  DecodeIfParsed<v1::Acks>(bytes);
  DecodeIfParsed<v1::Report>(bytes);
  DecodeIfParsed<v1::Lend>(bytes);
  DecodeIfParsed<v1::Tally>(bytes);
  DecodeIfParsed<v1::VerbRequest>(bytes);
  DecodeIfParsed<v1::VerbReplyMessage>(bytes);
}

RC_GTEST_PROP(Codec, RandomBytesAreDecodedOrRefused, ()) {
  DecodeAsEverything(messages::AnyBytes(0, 200));
}

// Nearly right messages get deeper than noise.
RC_GTEST_PROP(Codec, DamagedMessagesAreDecodedOrRefused, ()) {
  v1::VerbRequest request;
  Encode(messages::AnyRequest(), &request);
  v1::VerbReplyMessage reply;
  Encode(messages::AnyReply(), 1, &reply);
  v1::Hello hello;
  Encode(messages::AnyHello(), &hello);
  v1::Orders orders;
  Encode(messages::AnyOrders(), &orders);
  v1::Report report;
  Encode(messages::AnyReport(), &report);
  for (std::string bytes :
       {request.SerializeAsString(), reply.SerializeAsString(), hello.SerializeAsString(),
        orders.SerializeAsString(), report.SerializeAsString()}) {
    for (int i = 0; i < 3 && !bytes.empty(); ++i) {
      bytes[messages::Below(bytes.size())] = *rc::gen::arbitrary<char>();
    }
    DecodeAsEverything(bytes);
  }
}

TEST(Codec, TextThatIsNotUtf8IsMadeSo) {
  Welcome welcome;
  welcome.term = 1;
  welcome.software = "a\xff\xc3\xa9\xed\xa0\x80\xc0\xafz\xf0\x9f";
  const Result<Welcome> back = Carried<v1::Welcome>(welcome);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->software, "a?\xc3\xa9?????z??");
}

TEST(Codec, LongStatusMessagesAreCutBetweenCharacters) {
  std::string message(1023, 'x');
  message += "\xe2\x82\xac and more";
  const VerbReply reply{1, std::vector<ItemAnswer>{{0, NotFoundError(message)}}, {}};
  v1::VerbReplyMessage wire;
  Encode(reply, 1, &wire);
  EXPECT_EQ(wire.items().others(0).outcome().message(), std::string(1023, 'x'));
}

TEST(Codec, DurationsAreRoundedDownAndNeverNegative) {
  Welcome welcome;
  welcome.term = 1;
  welcome.heartbeat_interval = std::chrono::nanoseconds(1999);
  welcome.suspect_after = std::chrono::seconds(-5);
  const Result<Welcome> back = Carried<v1::Welcome>(welcome);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->heartbeat_interval, std::chrono::microseconds(1));
  EXPECT_EQ(back->suspect_after, Duration::zero());
}

TEST(Codec, EndlessPatienceIsTenYears) {
  VerbRequest request;
  request.patience = Duration::max();
  request.verb = Exists{};
  const Result<VerbRequest> back = Carried<v1::VerbRequest>(request);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->patience, std::chrono::hours(24 * 3650));
}

// 0 would be for ever.
TEST(Codec, ATtlThatIsAllButOverStaysOne) {
  for (Duration left : {Duration(1), Duration(999), Duration(-5)}) {
    StartPut put;
    put.retention.ttl = left;
    const Result<VerbRequest> back = Carried<v1::VerbRequest>(VerbRequest{1, {}, put});
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(std::get<StartPut>(back->verb).retention.ttl, std::chrono::microseconds(1));
  }
}

TEST(Codec, RetentionThatIsAsUsualCostsNothing) {
  v1::VerbRequest request;
  Encode(VerbRequest{1, {}, StartPut()}, &request);
  EXPECT_FALSE(request.start_put().has_retention());
}

TEST(Codec, StatusCodeOfALaterVersionIsKeptAsInternal) {
  v1::VerbReplyMessage message;
  v1::Item* item = message.mutable_items()->add_others();
  item->mutable_outcome()->set_code(77);
  item->mutable_outcome()->set_message("new trouble");
  const Result<VerbReply> reply = Decode(message);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(std::get<std::vector<ItemAnswer>>(reply->answers)[0].status,
            InternalError("status code 77: new trouble"));
}

RC_GTEST_PROP(EncodedItemBytes, IsAnUpperBoundForEveryVerb, ()) {
  const std::string key = messages::AnyBytes(1, 1025);
  KeyBatch keys;
  keys.Add(key);
  const uint64_t most = ~uint64_t{0};
  const uint64_t extent = uint64_t{1} << 43;
  const std::vector<decltype(VerbRequest::verb)> verbs = {
      StartPut{keys,
               {most},
               {extent},
               8,
               true,
               Placement::kSpread,
               {},
               false,
               {},
               {~uint32_t{0}},
               {most}},
      CommitPut{{most},
                {most},
                {GrantPiece{most, most, extent, extent}},
                StartPut{.keys = keys,
                         .sequences = {most},
                         .sizes = {extent},
                         .preferred_nodes = {},
                         .positions = {~uint32_t{0}},
                         .instead_of = {most}}},
      AbortPut{{most}}, Locate{keys, false}};
  for (const auto& verb : verbs) {
    v1::VerbRequest with;
    Encode(VerbRequest{most, {}, verb}, &with);
    // What each message costs beside its items: ids, flags, lengths of the lists.
    RC_ASSERT(with.ByteSizeLong() <= EncodedItemBytes(key) + 64);
  }
}

// ---- Refusal

TEST(Refusal, AnswersEveryItemOfItsKind) {
  v1::VerbRequest request;
  request.set_id(3);
  request.mutable_locate()->mutable_keys()->add_lengths(5000);
  request.mutable_locate()->mutable_keys()->add_lengths(1);
  const Result<VerbRequest> decoded = Decode(v1::VerbRequest(request));
  ASSERT_FALSE(decoded.ok());
  const Result<VerbReply> refusal = Refusal(request, decoded.status());
  ASSERT_TRUE(refusal.ok()) << refusal.status();
  const auto& answers = std::get<std::vector<LocateAnswer>>(refusal->answers);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[1].index, 1U);
  EXPECT_EQ(answers[1].status, decoded.status());
}

TEST(Refusal, OfARemovalByPrefixIsOneCount) {
  v1::VerbRequest request;
  request.mutable_remove_matching()->set_prefix(std::string(1025, 'p'));
  const Result<VerbReply> refusal = Refusal(request, InvalidArgumentError("long"));
  ASSERT_TRUE(refusal.ok()) << refusal.status();
  const auto& answers = std::get<std::vector<CountAnswer>>(refusal->answers);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].status, InvalidArgumentError("long"));
}

TEST(Refusal, OfPinsIsOnePerKey) {
  v1::VerbRequest request;
  request.mutable_pin()->mutable_keys()->mutable_lengths()->Resize(3, 2000);
  const Result<VerbReply> refusal = Refusal(request, InvalidArgumentError("long"));
  ASSERT_TRUE(refusal.ok()) << refusal.status();
  EXPECT_EQ(std::get<std::vector<ItemAnswer>>(refusal->answers).size(), 3U);
}

TEST(Refusal, IsImpossibleWhereNothingIsAnswered) {
  v1::VerbRequest request;
  request.mutable_note_reads();
  EXPECT_FALSE(Refusal(request, InvalidArgumentError("x")).ok());
  request.mutable_report_failures();
  EXPECT_FALSE(Refusal(request, InvalidArgumentError("x")).ok());
}

TEST(Refusal, IsImpossibleWithoutItems) {
  const v1::VerbRequest no_verb;
  EXPECT_EQ(Refusal(no_verb, InvalidArgumentError("no verb")).status(),
            InvalidArgumentError("no verb"));
  v1::VerbRequest too_many;
  too_many.mutable_abort_put()->mutable_sequences()->Resize(4097, 0);
  EXPECT_EQ(Refusal(too_many, InvalidArgumentError("x")).status().code(),
            StatusCode::kInvalidArgument);
}

// ---- ChooseVersion

TEST(ChooseVersion, TakesTheNewestThatBothSpeak) {
  const Result<uint32_t> version = ChooseVersion(1, 9, "the node");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, kProtocolVersion);
}

TEST(ChooseVersion, NamesTheOlderSide) {
  const Status old_peer = ChooseVersion(1, 1, "the node").status();
  EXPECT_EQ(old_peer.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(old_peer.message().find("the older side is the node"), std::string::npos) << old_peer;
  const Status new_peer = ChooseVersion(8, 9, "the node").status();
  EXPECT_EQ(new_peer.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(new_peer.message().find("the older side is the peer of the node"), std::string::npos)
      << new_peer;
}

TEST(ChooseVersion, RefusesWhatIsNoRange) {
  EXPECT_EQ(ChooseVersion(3, 2, "the node").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvstore
