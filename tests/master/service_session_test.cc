#include <gtest/gtest.h>

#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

using grpc::StatusCode;

class ServiceSession : public ServiceTest {
 protected:
  bool IsMember(ScriptedNode& node) {
    HeartbeatStream heartbeat(*stub_, &v1::Master::Stub::Heartbeat);
    return !Beat(heartbeat, node).unknown();
  }

  v1::BeatReply Beat(HeartbeatStream& heartbeat, ScriptedNode& node) {
    v1::Beat beat;
    Encode(kvstore::Beat{.self = node.hello().self.incarnation, .term = 1}, &beat);
    heartbeat.Write(beat);
    return heartbeat.Read();
  }

  std::string StateOf(const ScriptedNode&) {
    v1::ListNodesReply reply;
    const grpc::Status status = admin_->ListNodes(NewContext().get(), {}, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply.nodes_size() == 1 ? reply.nodes(0).state() : "absent";
  }

  // Asks until the node is in that state; the context's deadline bounds it.
  void AwaitState(const ScriptedNode& node, const std::string& state) {
    const TimePoint end = BootClock::now() + std::chrono::seconds(8);
    std::string now;
    while ((now = StateOf(node)) != state && BootClock::now() < end) {
    }
    EXPECT_EQ(now, state);
  }
};

TEST_F(ServiceSession, NodeIsWelcomedWithPoolTermAndTimes) {
  ScriptedNode node(*stub_, 1, 8192);
  node.SendHello();
  const Result<Welcome> welcome = Decode(node.session().Read().welcome());
  ASSERT_TRUE(welcome.ok()) << welcome.status();
  EXPECT_EQ(welcome->version, kProtocolVersion);
  EXPECT_EQ(welcome->software, KVSTORE_VERSION);
  EXPECT_EQ(welcome->pool, server_->pool());
  EXPECT_EQ(welcome->term, 1U);
  EXPECT_EQ(welcome->heartbeat_interval, PatientConfig().limits.heartbeat_interval);
  EXPECT_EQ(welcome->suspect_after, PatientConfig().limits.suspect_after);
}

TEST_F(ServiceSession, FirstMessageMustBeAHello) {
  SessionStream session(*stub_, &v1::Master::Stub::Session);
  v1::NodeMessage acks;
  acks.mutable_acks();
  session.Write(acks);
  ExpectStatus(session.Finish(), StatusCode::INVALID_ARGUMENT, "must be a hello");

  VerbsStream verbs(*stub_, &v1::Master::Stub::Verbs);
  v1::VerbMessage request;
  request.mutable_request();
  verbs.Write(request);
  ExpectStatus(verbs.Finish(), StatusCode::INVALID_ARGUMENT, "must be a hello");
}

TEST_F(ServiceSession, SecondHelloEndsTheStream) {
  ScriptedNode node(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  node.SendVerbHello(node.verbs());
  ExpectStatus(node.verbs().Finish(), StatusCode::INVALID_ARGUMENT, "only once");
  node.SendHello();
  ExpectStatus(node.session().Finish(), StatusCode::INVALID_ARGUMENT, "one hello");
}

TEST_F(ServiceSession, StreamsWithoutAHelloAreEnded) {
  Config config;
  config.hello_timeout = std::chrono::milliseconds(50);
  Serve(config);
  SessionStream session(*stub_, &v1::Master::Stub::Session);
  HeartbeatStream heartbeat(*stub_, &v1::Master::Stub::Heartbeat);
  VerbsStream verbs(*stub_, &v1::Master::Stub::Verbs);
  ExpectStatus(session.Finish(), StatusCode::DEADLINE_EXCEEDED, "no hello within 50 ms");
  ExpectStatus(heartbeat.Finish(), StatusCode::DEADLINE_EXCEEDED, "no hello");
  ExpectStatus(verbs.Finish(), StatusCode::DEADLINE_EXCEEDED, "no hello");
}

TEST_F(ServiceSession, VersionMismatchNamesTheOlderSide) {
  ScriptedNode old(*stub_, 1);
  old.hello().oldest_version = old.hello().newest_version = kOldestProtocolVersion - 1;
  old.SendHello();
  ExpectStatus(old.session().Finish(), StatusCode::FAILED_PRECONDITION,
               "the older side is the node");
  ScriptedNode newer(*stub_, 2);
  newer.hello().oldest_version = newer.hello().newest_version = kProtocolVersion + 1;
  newer.SendHello();
  ExpectStatus(newer.session().Finish(), StatusCode::FAILED_PRECONDITION,
               "the older side is the peer of the node");
}

TEST_F(ServiceSession, NodeOfAnotherPoolIsRefused) {
  ScriptedNode node(*stub_, 1);
  node.hello().pool = {1, 2};
  node.SendHello();
  ExpectStatus(node.session().Finish(), StatusCode::FAILED_PRECONDITION, "pool");
}

TEST_F(ServiceSession, HelloOutOfTheLimitsIsRefused) {
  ScriptedNode node(*stub_, 1);
  node.hello().self.name = std::string(256, 'n');
  node.SendHello();
  ExpectStatus(node.session().Finish(), StatusCode::INVALID_ARGUMENT, "at most 255");
}

TEST_F(ServiceSession, ANameThatWouldForgeLinesOfTheLogIsRefused) {
  ScriptedNode node(*stub_, 1);
  node.hello().self.name = "a\nI1125 node 'b' is gone";
  node.SendHello();
  ExpectStatus(node.session().Finish(), StatusCode::INVALID_ARGUMENT, "control characters");
}

TEST_F(ServiceSession, AcksOutOfTheLimitsEndTheSession) {
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  v1::NodeMessage message;
  message.mutable_acks()->add_ready()->set_limit(~uint64_t{0});
  node.session().Write(message);
  ExpectStatus(node.session().Finish(), StatusCode::INVALID_ARGUMENT, "at most");
}

TEST_F(ServiceSession, HeartbeatsAreAnsweredAndSayWhoIsNoMember) {
  ScriptedNode member(*stub_, 1);
  ScriptedNode stranger(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(member.Join());
  HeartbeatStream heartbeat(*stub_, &v1::Master::Stub::Heartbeat);
  EXPECT_FALSE(Beat(heartbeat, member).unknown());
  EXPECT_TRUE(Beat(heartbeat, stranger).unknown());
  EXPECT_EQ(Beat(heartbeat, member).term(), 1U);
}

TEST_F(ServiceSession, GoodbyeEndsTheStreamsAndTheMembership) {
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  EXPECT_TRUE(IsMember(node));
  v1::NodeMessage goodbye;
  goodbye.mutable_goodbye();
  node.session().Write(goodbye);
  EXPECT_TRUE(node.session().Finish().ok());
  EXPECT_TRUE(node.verbs().Finish().ok());
  EXPECT_FALSE(IsMember(node));
}

TEST_F(ServiceSession, LostSessionMakesTheNodeSuspectedUntilItComesBack) {
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  EXPECT_EQ(StateOf(node), "live");
  node.session().Cancel();
  AwaitState(node, "suspected");
  ScriptedNode again(*stub_, 1, 8192);
  again.hello().pool = server_->pool();
  again.hello().term = 1;
  ASSERT_NO_FATAL_FAILURE(again.Join());
  AwaitState(node, "live");
}

TEST_F(ServiceSession, SecondSessionOfANodeEndsTheFirst) {
  ScriptedNode first(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(first.Join());
  ScriptedNode second(*stub_, 1, 8192);
  second.hello().pool = server_->pool();
  second.hello().term = 1;
  ASSERT_NO_FATAL_FAILURE(second.Join());
  ExpectStatus(first.session().Finish(), StatusCode::ABORTED, "again");
  EXPECT_EQ(StateOf(second), "live");
}

TEST_F(ServiceSession, SilentNodeIsGoneAndItsStreamsAreEnded) {
  Config config;
  config.limits.heartbeat_interval = std::chrono::milliseconds(10);
  config.limits.suspect_after = std::chrono::milliseconds(500);
  config.limits.lease = config.limits.gone_after = std::chrono::milliseconds(500);
  Serve(config);
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ExpectStatus(node.session().Finish(), StatusCode::FAILED_PRECONDITION, "gone");
  ExpectStatus(node.verbs().Finish(), StatusCode::FAILED_PRECONDITION, "gone");
  EXPECT_FALSE(IsMember(node));
  ScriptedNode again(*stub_, 1, 8192);
  again.SendHello();
  ExpectStatus(again.session().Finish(), StatusCode::FAILED_PRECONDITION, "gone");
}

TEST_F(ServiceSession, HeartbeatsKeepANodeAlive) {
  Config config;
  config.limits.heartbeat_interval = std::chrono::milliseconds(10);
  config.limits.suspect_after = std::chrono::milliseconds(2000);
  // Joining takes a tenth of a second with a sanitizer.
  config.limits.lease = config.limits.gone_after = std::chrono::milliseconds(1000);
  Serve(config);
  ScriptedNode node(*stub_, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  HeartbeatStream heartbeat(*stub_, &v1::Master::Stub::Heartbeat);
  const TimePoint end = BootClock::now() + std::chrono::milliseconds(4500);
  while (BootClock::now() < end) ASSERT_FALSE(Beat(heartbeat, node).unknown());
}

}  // namespace
}  // namespace kvstore::master
