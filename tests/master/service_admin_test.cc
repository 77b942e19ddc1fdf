// The admin service, health, reflection: what operators' tools see of a master.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToBytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// One message there and one back on any method, without generated code for it.
grpc::Status Exchange(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                      const std::string& request, std::string* reply) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const auto context = NewContext();
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(context.get(), method, &queue);
  grpc::ByteBuffer received;
  grpc::Status status;
  call->StartCall(nullptr);
  if (await()) {
    call->WriteLast(ToBuffer(request), grpc::WriteOptions(), nullptr);
    await();
    call->Read(&received, nullptr);
    if (await()) *reply = ToBytes(received);
  }
  call->Finish(&status, nullptr);
  await();
  queue.Shutdown();
  while (await()) {
  }
  return status;
}

class ServiceAdmin : public ServiceTest {};

TEST_F(ServiceAdmin, StatusCountsNodesObjectsAndSpace) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(node.Store("key", 5000));
  const v1::GetStatusReply status = GetStatus();
  EXPECT_EQ(status.software(), KVSTORE_VERSION);
  EXPECT_EQ(status.protocol_version(), kProtocolVersion);
  EXPECT_EQ(status.pool().high(), server_->pool().high);
  EXPECT_EQ(status.term(), 1U);
  EXPECT_EQ(status.nodes_live(), 1U);
  EXPECT_EQ(status.objects(), 1U);
  EXPECT_EQ(status.space().size(), 1U << 20);
  EXPECT_EQ(status.space().committed(), 8192U);
  EXPECT_EQ(status.counters().at("kvstore_puts_committed_total"), 1U);
}

TEST_F(ServiceAdmin, NodesAndSegmentsAreListed) {
  ScriptedNode lender(*stub_, 1, 1 << 20);
  ScriptedNode user(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(lender.Join());
  ASSERT_NO_FATAL_FAILURE(user.Join());
  v1::ListNodesReply nodes;
  ASSERT_TRUE(admin_->ListNodes(NewContext().get(), {}, &nodes).ok());
  ASSERT_EQ(nodes.nodes_size(), 2);
  std::set<std::string> names;
  for (const v1::Node& node : nodes.nodes()) {
    names.insert(node.name());
    EXPECT_EQ(node.host(), "host");
    EXPECT_EQ(node.state(), "live");
  }
  EXPECT_EQ(names, (std::set<std::string>{"node-1", "node-2"}));

  v1::ListSegmentsReply segments;
  ASSERT_TRUE(admin_->ListSegments(NewContext().get(), {}, &segments).ok());
  ASSERT_EQ(segments.segments_size(), 1);
  EXPECT_EQ(segments.segments(0).node(), "node-1");
  EXPECT_EQ(segments.segments(0).granule(), 4096U);
  EXPECT_EQ(segments.segments(0).largest_free(), 1U << 20);
}

TEST_F(ServiceAdmin, ObjectsAreListedInPages) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  for (const char* key : {"b1", "a", "b2", "b3"}) ASSERT_NO_FATAL_FAILURE(node.Store(key, 1));
  v1::ListObjectsRequest request;
  request.set_prefix("b");
  request.set_limit(2);
  v1::ListObjectsReply page;
  ASSERT_TRUE(admin_->ListObjects(NewContext().get(), request, &page).ok());
  ASSERT_EQ(page.objects_size(), 2);
  EXPECT_EQ(page.objects(0).key(), "b1");
  EXPECT_EQ(page.objects(0).nodes(0), "node-1");
  EXPECT_TRUE(page.more());
  request.set_after(page.objects(1).key());
  page.Clear();
  ASSERT_TRUE(admin_->ListObjects(NewContext().get(), request, &page).ok());
  ASSERT_EQ(page.objects_size(), 1);
  EXPECT_EQ(page.objects(0).key(), "b3");
  EXPECT_FALSE(page.more());
}

TEST_F(ServiceAdmin, KeysThatWereMissedOrHaveEndedAreRemembered) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  (void)node.Ask(Exists{Keys({"k1"})});
  (void)node.Ask(Locate{Keys({"k1"}), false});
  (void)node.Ask(Exists{Keys({"k2"})});
  v1::TraceKeysRequest request;
  request.set_prefix("k");
  v1::TraceKeysReply traces;
  ASSERT_TRUE(admin_->TraceKeys(NewContext().get(), request, &traces).ok());
  ASSERT_EQ(traces.keys_size(), 2);
  EXPECT_EQ(traces.keys(0).key(), "k2");
  EXPECT_EQ(traces.keys(1).key(), "k1");
  EXPECT_EQ(traces.keys(1).misses(), 2U);
  EXPECT_EQ(traces.keys(1).asker(), "node-1");
  EXPECT_EQ(traces.keys(1).ended(), "");

  request.set_limit(1);
  traces.Clear();
  ASSERT_TRUE(admin_->TraceKeys(NewContext().get(), request, &traces).ok());
  EXPECT_EQ(traces.keys_size(), 1);
  EXPECT_EQ(traces.left_out(), 1U);

  request.set_exact(true);
  traces.Clear();
  ASSERT_TRUE(admin_->TraceKeys(NewContext().get(), request, &traces).ok());
  EXPECT_EQ(traces.keys_size(), 0);
  request.set_limit(4097);
  ExpectStatus(admin_->TraceKeys(NewContext().get(), request, &traces),
               grpc::StatusCode::INVALID_ARGUMENT, "4096");
}

// Who asks for many keys asks for a prefix: what follows the first ones tells no more.
TEST_F(ServiceAdmin, OfOneQuestionTheFirstMissesAreRemembered) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  KeyBatch keys;
  for (int i = 0; i < 100; ++i) keys.Add("many-" + std::to_string(i));
  (void)node.Ask(Exists{keys});
  v1::TraceKeysRequest request;
  request.set_prefix("many-");
  v1::TraceKeysReply traces;
  ASSERT_TRUE(admin_->TraceKeys(NewContext().get(), request, &traces).ok());
  EXPECT_EQ(traces.keys_size(), 8);
}

TEST_F(ServiceAdmin, TooLongAPageIsRefused) {
  v1::ListObjectsRequest request;
  request.set_limit(4097);
  v1::ListObjectsReply page;
  ExpectStatus(admin_->ListObjects(NewContext().get(), request, &page),
               grpc::StatusCode::INVALID_ARGUMENT, "4096");
}

TEST_F(ServiceAdmin, HealthServiceSaysServing) {
  std::string reply;
  const grpc::Status status = Exchange(channel_, "/grpc.health.v1.Health/Check", "", &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply, "\x08\x01");  // status = SERVING
}

// Asks over the wire for what a reflection client asks for.
class Reflection : public ServiceAdmin {
 protected:
  // The answer to the request in that field of ServerReflectionRequest.
  std::string Ask(int field, const std::string& argument) {
    std::string request(1, static_cast<char>(field << 3 | 2));  // a string, by its length
    request += static_cast<char>(argument.size());
    request += argument;
    std::string reply;
    const grpc::Status status =
        Exchange(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                 request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  static constexpr int kFileContainingSymbol = 4;
  static constexpr int kListServices = 7;
};

TEST_F(Reflection, ListsTheServices) {
  const std::string reply = Ask(kListServices, "*");
  for (const char* service : {"kvstore.v1.Master", "kvstore.v1.Admin", "grpc.health.v1.Health"}) {
    EXPECT_NE(reply.find(service), std::string::npos) << service;
  }
}

TEST_F(Reflection, DescribesTheProtocol) {
  const std::string reply = Ask(kFileContainingSymbol, "kvstore.v1.Master");
  const google::protobuf::FileDescriptor* file =
      google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
          "kvstore/v1/kvstore.proto");
  ASSERT_NE(file, nullptr);
  google::protobuf::FileDescriptorProto described;
  file->CopyTo(&described);
  EXPECT_NE(reply.find(described.SerializeAsString()), std::string::npos);
}

}  // namespace
}  // namespace kvstore::master
