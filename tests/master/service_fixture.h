#ifndef KVSTORE_TESTS_MASTER_SERVICE_FIXTURE_H_
#define KVSTORE_TESTS_MASTER_SERVICE_FIXTURE_H_

// A real master in this process, and clients that speak to it message by message over real
// gRPC streams, so that a test decides who says what when. Every read ends within 200 s.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/strike.h"
#include "kvstore/v1/admin.grpc.pb.h"
#include "kvstore/v1/kvstore.grpc.pb.h"
#include "master/server.h"
#include "proto/codec.h"

namespace kvstore::master {

inline std::unique_ptr<grpc::ClientContext> NewContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(200, GPR_TIMESPAN)));
  return context;
}

// One open stream; cancelled when it goes away unfinished.
template <typename Out, typename In>
class OpenStream {
 public:
  template <typename Method>
  OpenStream(v1::Master::Stub& stub, Method open)
      : context_(NewContext()), stream_((stub.*open)(context_.get())) {}

  bool Write(const Out& message) { return stream_->Write(message); }

  // The next message, or a failure of the test.
  In Read() {
    In message;
    if (!stream_->Read(&message)) {
      const grpc::Status status = Finish();
      ADD_FAILURE() << "the stream ended with " << status.error_code() << ": "
                    << status.error_message();
    }
    return message;
  }

  bool TryRead(In* message) { return stream_->Read(message); }

  // Reads what is left and tells how the stream ended.
  grpc::Status Finish() {
    if (finished_) return status_;
    In ignored;
    while (stream_->Read(&ignored)) {
    }
    finished_ = true;
    return status_ = stream_->Finish();
  }

  void Cancel() { context_->TryCancel(); }

  ~OpenStream() {
    if (finished_) return;
    Cancel();
    Finish();
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriterInterface<Out, In>> stream_;
  bool finished_ = false;
  grpc::Status status_;
};

using SessionStream = OpenStream<v1::NodeMessage, v1::MasterMessage>;
using HeartbeatStream = OpenStream<v1::Beat, v1::BeatReply>;
using VerbsStream = OpenStream<v1::VerbMessage, v1::VerbReplyMessage>;

inline KeyBatch Keys(std::initializer_list<std::string_view> keys) {
  KeyBatch batch;
  for (std::string_view key : keys) batch.Add(key);
  return batch;
}

// A node driven by hand: it joins, lends one segment whose pages are all there, and acknowledges
// only what the test tells it to.
class ScriptedNode {
 public:
  ScriptedNode(v1::Master::Stub& stub, uint64_t number, uint64_t lend_bytes = 0)
      : stub_(stub), session_(stub, &v1::Master::Stub::Session) {
    hello_.self = {{number, number}, "node-" + std::to_string(number), "host", "descriptor"};
    hello_.software = "test";
    hello_.counter = 1;
    if (lend_bytes > 0) hello_.segments.push_back({0, lend_bytes, 4096, lend_bytes});
  }

  // Joins, opens a verb stream, and sees that it is open.
  void Join() {
    SendHello();
    const v1::MasterMessage answer = session_.Read();
    ASSERT_TRUE(answer.has_welcome());
    term_ = answer.welcome().term();
    if (answer.welcome().wants_report()) SendReport();
    verbs_ = std::make_unique<VerbsStream>(stub_, &v1::Master::Stub::Verbs);
    SendVerbHello(*verbs_);
    ExpectItem(Ask(Exists{Keys({"nothing"})}), NotFoundError(""));
  }

  void SendHello() {
    v1::NodeMessage message;
    Encode(hello_, message.mutable_hello());
    session_.Write(message);
  }

  // Its memory holds nothing.
  void SendReport() {
    Report report = WholeReport(term_, hello_.counter);
    report.segments = hello_.segments;
    v1::NodeMessage message;
    Encode(report, message.mutable_report());
    session_.Write(message);
  }

  void SendVerbHello(VerbsStream& stream) {
    v1::VerbMessage message;
    Encode(VerbHello{.self = hello_.self.incarnation, .term = term_}, message.mutable_hello());
    stream.Write(message);
  }

  // Returns the request's id.
  template <typename Verb>
  uint64_t Send(Verb verb, Duration patience = std::chrono::seconds(8)) {
    const VerbRequest request{++requests_, patience, std::move(verb)};
    v1::VerbMessage message;
    Encode(request, message.mutable_request());
    verbs_->Write(message);
    return request.id;
  }

  VerbReply ReadReply() {
    Result<VerbReply> reply = Decode(verbs_->Read());
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : VerbReply{};
  }

  // Sends, and reads the one reply.
  template <typename Verb>
  VerbReply Ask(Verb verb, Duration patience = std::chrono::seconds(8)) {
    const uint64_t id = Send(std::move(verb), patience);
    VerbReply reply = ReadReply();
    EXPECT_EQ(reply.id, id);
    return reply;
  }

  StartPut PutOf(std::string_view key, uint64_t size) {
    StartPut put;
    put.keys.Add(key);
    put.sequences = {++sequences_};
    put.sizes = {size};
    return put;
  }

  // Puts and commits an object.
  void Store(std::string_view key, uint64_t size) {
    const VerbReply started = Ask(PutOf(key, size));
    const auto& answers = std::get<std::vector<StartPutAnswer>>(started.answers);
    ASSERT_EQ(answers.size(), 1U);
    ASSERT_TRUE(answers[0].status.ok()) << answers[0].status;
    ExpectItem(Ask(CommitPut{{sequences_}, {7}, {}}), Status::Ok());
  }

  static void ExpectItem(const VerbReply& reply, const Status& status) {
    const auto* answers = std::get_if<std::vector<ItemAnswer>>(&reply.answers);
    ASSERT_NE(answers, nullptr);
    ASSERT_EQ(answers->size(), 1U);
    EXPECT_EQ(answers->front().status.code(), status.code()) << answers->front().status;
  }

  // The next order from the session, notes aside, which must be to retire something.
  RetireOrder ReadRetire() {
    for (;;) {
      const Result<Orders> orders = Decode(session_.Read().orders());
      EXPECT_TRUE(orders.ok() && orders->orders.size() == 1) << orders.status();
      if (!orders.ok() || orders->orders.empty()) return {};
      if (std::holds_alternative<NoteOrder>(orders->orders.front())) continue;
      const auto* retire = std::get_if<RetireOrder>(&orders->orders.front());
      EXPECT_NE(retire, nullptr);
      return retire == nullptr ? RetireOrder{} : *retire;
    }
  }

  void Acknowledge(const RetireOrder& order, RetireStage stage) {
    v1::NodeMessage message;
    Encode(Acks{term_, ++hello_.counter, {{order.put, order.segment, order.birth, stage}}, {}},
           message.mutable_acks());
    session_.Write(message);
  }

  Hello& hello() { return hello_; }
  SessionStream& session() { return session_; }
  VerbsStream& verbs() { return *verbs_; }
  uint64_t sequence() const { return sequences_; }

 private:
  v1::Master::Stub& stub_;
  Hello hello_;
  SessionStream session_;
  std::unique_ptr<VerbsStream> verbs_;
  uint64_t term_ = 0;
  uint64_t requests_ = 0;
  uint64_t sequences_ = 0;
};

class ServiceTest : public testing::Test {
 protected:
  // Before the first use of anything else; without it PatientConfig is served.
  void Serve(const Config& config) {
    Config used = config;
    used.port = 0;
    used.metrics_port = 0;
    Result<std::unique_ptr<Server>> server = Server::Create(used);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel();
    stub_ = v1::Master::NewStub(channel_);
    admin_ = v1::Admin::NewStub(channel_);
  }

  // Nodes driven by hand send no heartbeats; nobody suspects them on a slow machine.
  static Config PatientConfig() {
    Config config;
    config.limits.suspect_after = std::chrono::minutes(5);
    config.limits.gone_after = std::chrono::minutes(5);
    config.limits.note_patience = std::chrono::minutes(5);  // nor do they confirm notes
    return config;
  }

  void SetUp() override { Serve(PatientConfig()); }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  v1::GetStatusReply GetStatus() {
    v1::GetStatusReply reply;
    const grpc::Status status = admin_->GetStatus(NewContext().get(), {}, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }

  // Declared so that streams of a test end before its channel, and all before the server.
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Master::Stub> stub_;
  std::unique_ptr<v1::Admin::Stub> admin_;
};

// The status has this code, and these words in its message.
inline void ExpectStatus(const grpc::Status& status, grpc::StatusCode code,
                         const std::string& words) {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_NE(status.error_message().find(words), std::string::npos)
      << "'" << status.error_message() << "' says nothing of '" << words << "'";
}

}  // namespace kvstore::master

#endif  // KVSTORE_TESTS_MASTER_SERVICE_FIXTURE_H_
