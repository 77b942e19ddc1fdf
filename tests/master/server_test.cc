#include "master/server.h"

#include <gtest/gtest.h>

#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

Config AnyPort(const std::string& listen) {
  Config config;
  config.listen = listen;
  config.port = 0;
  config.metrics_port = 0;
  return config;
}

TEST(Server, EveryOneBeginsANewPool) {
  const auto first = Server::Create(AnyPort("127.0.0.1"));
  const auto second = Server::Create(AnyPort("127.0.0.1"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE((*first)->pool().IsNone());
  EXPECT_NE((*first)->pool(), (*second)->pool());
  EXPECT_NE((*first)->port(), (*second)->port());
}

TEST(Server, ServesIPv6) {
  const auto server = Server::Create(AnyPort("::1"));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel("[::1]:" + std::to_string((*server)->port()),
                                           grpc::InsecureChannelCredentials());
  v1::GetStatusReply reply;
  const grpc::Status status =
      v1::Admin::NewStub(channel)->GetStatus(NewContext().get(), {}, &reply);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(Server, PortInUseIsAClearError) {
  const auto first = Server::Create(AnyPort("127.0.0.1"));
  ASSERT_TRUE(first.ok()) << first.status();
  Config config = AnyPort("127.0.0.1");
  config.port = (*first)->port();
  const auto second = Server::Create(config);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find("Address already in use"), std::string::npos)
      << second.status();
}

TEST(Server, AddressOfAnotherMachineIsAClearError) {
  Config config = AnyPort("192.0.2.1");  // reserved for documentation
  config.port = 50051;
  const auto server = Server::Create(config);
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.status().message().find("192.0.2.1"), std::string::npos) << server.status();
}

TEST(Server, EndTellsOpenStreamsAndWaitsForNoneOfThem) {
  auto server = Server::Create(AnyPort("127.0.0.1"));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string((*server)->port()),
                                           grpc::InsecureChannelCredentials());
  const auto stub = v1::Master::NewStub(channel);
  ScriptedNode node(*stub, 1, 8192);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  node.Send(WaitExists{Keys({"never"})});
  const TimePoint begin = BootClock::now();
  server->reset();
  EXPECT_LT(BootClock::now() - begin, std::chrono::seconds(4));
  ExpectStatus(node.session().Finish(), grpc::StatusCode::UNAVAILABLE, "shutting down");
  ExpectStatus(node.verbs().Finish(), grpc::StatusCode::UNAVAILABLE, "shutting down");
}

// Orders that wait for company, and what waits for being written.
TEST(Server, EndSendsNotesOfWhatWasAnswered) {
  auto server = Server::Create(AnyPort("127.0.0.1"));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string((*server)->port()),
                                           grpc::InsecureChannelCredentials());
  const auto stub = v1::Master::NewStub(channel);
  ScriptedNode node(*stub, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(node.Store("key", 100));
  server->reset();
  const Result<Orders> orders = Decode(node.session().Read().orders());
  ASSERT_TRUE(orders.ok()) << orders.status();
  ASSERT_EQ(orders->orders.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<NoteOrder>(orders->orders[0]));
  ExpectStatus(node.session().Finish(), grpc::StatusCode::UNAVAILABLE, "shutting down");
}

}  // namespace
}  // namespace kvstore::master
