#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

using grpc::StatusCode;

class ServiceVerbs : public ServiceTest {};

TEST_F(ServiceVerbs, PutIsGrantedCommittedAndLocated) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  const VerbReply started = node.Ask(node.PutOf("key", 5000));
  const auto& grants = std::get<std::vector<StartPutAnswer>>(started.answers);
  ASSERT_EQ(grants.size(), 1U);
  ASSERT_TRUE(grants[0].status.ok()) << grants[0].status;
  ASSERT_EQ(grants[0].replicas.size(), 1U);
  EXPECT_EQ(grants[0].replicas[0].segment.holder, node.hello().self.incarnation);
  EXPECT_GT(grants[0].grant, Duration::zero());
  ASSERT_EQ(started.peers.size(), 1U);
  EXPECT_EQ(started.peers[0], node.hello().self);

  ScriptedNode::ExpectItem(node.Ask(CommitPut{{node.sequence()}, {77}, {}}), Status::Ok());

  const VerbReply located = node.Ask(Locate{Keys({"key", "other"}), true});
  const auto& found = std::get<std::vector<LocateAnswer>>(located.answers);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].size, 5000U);
  EXPECT_EQ(found[0].checksum, 77U);
  EXPECT_EQ(found[0].replicas, grants[0].replicas);
  EXPECT_GT(found[0].lease, Duration::zero());
  EXPECT_EQ(found[1].status.code(), kvstore::StatusCode::kNotFound);

  const VerbReply stat = node.Ask(StatObject{Keys({"key"})});
  EXPECT_EQ(std::get<std::vector<StatAnswer>>(stat.answers).at(0).size, 5000U);
}

TEST_F(ServiceVerbs, WaitExistsIsAnsweredByTheCommitOfAnother) {
  ScriptedNode writer(*stub_, 1, 1 << 20);
  ScriptedNode reader(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(writer.Join());
  ASSERT_NO_FATAL_FAILURE(reader.Join());
  const uint64_t wait = reader.Send(WaitExists{Keys({"key"})});
  // Answered before: so the wait holds up neither its stream nor others.
  ScriptedNode::ExpectItem(reader.Ask(Exists{Keys({"key"})}), NotFoundError(""));
  ASSERT_NO_FATAL_FAILURE(writer.Store("key", 1));
  const VerbReply reply = reader.ReadReply();
  EXPECT_EQ(reply.id, wait);
  ScriptedNode::ExpectItem(reply, Status::Ok());
}

TEST_F(ServiceVerbs, NotedReadsAreNeverAnswered) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(node.Store("key", 1));
  node.Send(NoteReads{{{node.hello().self.incarnation, node.sequence()}, {{7, 7}, 7}}});
  ScriptedNode::ExpectItem(node.Ask(Exists{Keys({"key"})}), Status::Ok());  // the first reply
}

TEST_F(ServiceVerbs, WaitEndsWithItsPatience) {
  ScriptedNode reader(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(reader.Join());
  ScriptedNode::ExpectItem(reader.Ask(WaitExists{Keys({"key"})}, std::chrono::milliseconds(50)),
                           DeadlineExceededError(""));
}

TEST_F(ServiceVerbs, RemoveIsAnsweredWhenTheHolderHasWithdrawn) {
  ScriptedNode holder(*stub_, 1, 1 << 20);
  ScriptedNode other(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(holder.Join());
  ASSERT_NO_FATAL_FAILURE(other.Join());
  ASSERT_NO_FATAL_FAILURE(holder.Store("key", 1));
  const uint64_t remove = other.Send(Remove{Keys({"key"})});
  const RetireOrder order = holder.ReadRetire();
  EXPECT_EQ(order.put, (PutId{holder.hello().self.incarnation, holder.sequence()}));
  EXPECT_NE(other.Send(StatObject{Keys({"unrelated"})}), remove);
  EXPECT_NE(other.ReadReply().id, remove);  // the remove still waits
  holder.Acknowledge(order, RetireStage::kWithdrawn);
  const VerbReply reply = other.ReadReply();
  EXPECT_EQ(reply.id, remove);
  ScriptedNode::ExpectItem(reply, Status::Ok());
}

TEST_F(ServiceVerbs, ParkedPutIsAnsweredWhenMemoryIsFree) {
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(node.Store("old", 8192));
  const uint64_t parked = node.Send(node.PutOf("new", 8192));
  const RetireOrder order = node.ReadRetire();
  node.Acknowledge(order, RetireStage::kWithdrawn);
  ScriptedNode::ExpectItem(node.Ask(Exists{Keys({"old"})}),
                           NotFoundError(""));  // not the parked put
  node.Acknowledge(order, RetireStage::kFree);
  const VerbReply reply = node.ReadReply();
  EXPECT_EQ(reply.id, parked);
  const auto& answers = std::get<std::vector<StartPutAnswer>>(reply.answers);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].status.ok()) << answers[0].status;
  EXPECT_GT(answers[0].parked, Duration::zero());
}

TEST_F(ServiceVerbs, AnswersGoToTheStreamOpenedLast) {
  ScriptedNode writer(*stub_, 1, 1 << 20);
  ScriptedNode reader(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(writer.Join());
  ASSERT_NO_FATAL_FAILURE(reader.Join());
  const uint64_t wait = reader.Send(WaitExists{Keys({"key"})});
  ScriptedNode::ExpectItem(reader.Ask(Exists{Keys({"key"})}),
                           NotFoundError(""));  // the wait is registered
  VerbsStream later(*stub_, &v1::Master::Stub::Verbs);
  reader.SendVerbHello(later);
  // A request and its answer show that the later stream is open.
  v1::VerbMessage message;
  Encode(VerbRequest{1000, {}, Exists{Keys({"key"})}}, message.mutable_request());
  later.Write(message);
  EXPECT_EQ(later.Read().id(), 1000U);
  ASSERT_NO_FATAL_FAILURE(writer.Store("key", 1));
  EXPECT_EQ(later.Read().id(), wait);
}

TEST_F(ServiceVerbs, CallerWithoutSessionIsRefused) {
  ScriptedNode stranger(*stub_, 9);
  VerbsStream verbs(*stub_, &v1::Master::Stub::Verbs);
  stranger.SendVerbHello(verbs);  // of term 0
  ExpectStatus(verbs.Finish(), StatusCode::FAILED_PRECONDITION, "term 0");

  VerbsStream of_this_term(*stub_, &v1::Master::Stub::Verbs);
  v1::VerbMessage message;
  message.mutable_hello()->set_oldest_version(kProtocolVersion);
  message.mutable_hello()->set_newest_version(kProtocolVersion);
  message.mutable_hello()->set_term(1);
  message.mutable_hello()->mutable_incarnation()->set_low(9);
  of_this_term.Write(message);
  ExpectStatus(of_this_term.Finish(), StatusCode::FAILED_PRECONDITION, "no member");
}

TEST_F(ServiceVerbs, RequestOutOfTheLimitsIsRefusedItemByItem) {
  ScriptedNode node(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  const VerbReply reply = node.Ask(Exists{Keys({"fine", std::string(1025, 'k')})});
  const auto& answers = std::get<std::vector<ItemAnswer>>(reply.answers);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[1].status.code(), kvstore::StatusCode::kInvalidArgument);
  EXPECT_NE(answers[1].status.message().find("1025"), std::string::npos);
  ScriptedNode::ExpectItem(node.Ask(Exists{Keys({"fine"})}),
                           NotFoundError(""));  // the stream goes on
}

TEST_F(ServiceVerbs, RequestWithoutAVerbEndsTheStream) {
  ScriptedNode node(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  v1::VerbMessage message;
  message.mutable_request()->set_id(1);
  node.verbs().Write(message);
  ExpectStatus(node.verbs().Finish(), StatusCode::INVALID_ARGUMENT, "without a verb");
}

TEST_F(ServiceVerbs, MessageOver4MiBEndsItsStreamAlone) {
  ScriptedNode node(*stub_, 1);
  ScriptedNode other(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(other.Join());
  v1::VerbMessage message;
  message.mutable_request()->mutable_exists()->mutable_keys()->set_packed(
      std::string(kMaxMessageBytes + 1, 'k'));
  node.verbs().Write(message);
  EXPECT_FALSE(node.verbs().Finish().ok());
  ScriptedNode::ExpectItem(other.Ask(Exists{Keys({"key"})}), NotFoundError(""));
}

// Its answers would take more memory than a stream may hold, were its requests read on.
TEST_F(ServiceVerbs, CallerThatReadsNoAnswersIsNotReadEither) {
  constexpr size_t kRequests = 600;
  ScriptedNode node(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  KeyBatch keys;
  for (int i = 0; i < 4096; ++i) keys.Add("k" + std::to_string(i));
  std::atomic<size_t> written{0};
  std::thread writer([&] {
    for (; written < kRequests; ++written) {
      v1::VerbMessage message;
      Encode(VerbRequest{written + 1, {}, Locate{keys, false}}, message.mutable_request());
      if (!node.verbs().Write(message)) return;  // cancelled at the end
    }
  });
  ScriptedNode other(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(other.Join());
  // Until the writer has been stuck for half a second the other asks; it is served all along.
  size_t before = 0;
  TimePoint progress = BootClock::now();
  while (BootClock::now() - progress < std::chrono::milliseconds(500)) {
    ScriptedNode::ExpectItem(other.Ask(Exists{Keys({"key"})}), NotFoundError(""));
    if (std::exchange(before, written.load()) != written) progress = BootClock::now();
  }
  EXPECT_LT(written, kRequests);
  // Once it reads, it is read on.
  const size_t wanted = (written + 20) * keys.size();
  size_t answered = 0;
  v1::VerbReplyMessage reply;
  while (answered < wanted && node.verbs().TryRead(&reply)) {
    answered += static_cast<size_t>(reply.located().locations_size());
  }
  EXPECT_GE(answered, wanted);
  node.verbs().Cancel();
  writer.join();
}

}  // namespace
}  // namespace kvstore::master
