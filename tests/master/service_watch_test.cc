// Watch, and what operators have the master do, over real gRPC.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/event_feed.h"
#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

using ::testing::ElementsAre;

class ServiceWatch : public ServiceTest {
 protected:
  class Watcher {
   public:
    Watcher(v1::Admin::Stub& stub, const v1::WatchRequest& request)
        : context_(NewContext()), reader_(stub.Watch(context_.get(), request)) {}
    ~Watcher() {
      if (finished_) return;
      context_->TryCancel();
      reader_->Finish();
    }

    // The first message, which comes without events.
    void ExpectBegun() {
      v1::WatchReply reply;
      ASSERT_TRUE(reader_->Read(&reply));
      EXPECT_EQ(reply.events_size(), 0);
    }
    v1::Event Next() {
      while (at_ == reply_.events_size()) {
        at_ = 0;
        reply_.Clear();
        if (!reader_->Read(&reply_)) {
          ADD_FAILURE() << "the stream has ended";
          return {};
        }
      }
      return reply_.events(at_++);
    }
    // How it ends, if it has no message left.
    grpc::Status End() {
      EXPECT_FALSE(reader_->Read(&reply_));
      finished_ = true;
      return reader_->Finish();
    }

   private:
    std::unique_ptr<grpc::ClientContext> context_;
    std::unique_ptr<grpc::ClientReader<v1::WatchReply>> reader_;
    v1::WatchReply reply_;
    int at_ = 0;
    bool finished_ = false;
  };
};

TEST_F(ServiceWatch, TellsOfANodeThatLeaves) {
  ScriptedNode stays(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(stays.Join());
  Watcher watcher(*admin_, {});
  ASSERT_NO_FATAL_FAILURE(watcher.ExpectBegun());
  {
    ScriptedNode goes(*stub_, 2);
    ASSERT_NO_FATAL_FAILURE(goes.Join());
  }
  v1::Event event = watcher.Next();
  while (event.kind() != "node_suspected") event = watcher.Next();
  EXPECT_EQ(event.node(), "node-2");
  EXPECT_EQ(event.incarnation().high(), 2U);
  EXPECT_FALSE(event.has_put());
}

TEST_F(ServiceWatch, AnUnknownKindEndsTheStreamWithThoseThatThereAre) {
  v1::WatchRequest request;
  request.add_kinds("sunrise");
  Watcher watcher(*admin_, request);
  ExpectStatus(watcher.End(), grpc::StatusCode::INVALID_ARGUMENT, "node_gone");
}

TEST_F(ServiceWatch, AWatcherHoldsUpNoShutdown) {
  Watcher watcher(*admin_, {});
  ASSERT_NO_FATAL_FAILURE(watcher.ExpectBegun());
  server_.reset();
  ExpectStatus(watcher.End(), grpc::StatusCode::UNAVAILABLE, "shutting down");
}

TEST_F(ServiceWatch, WatchersThatHaveGoneLeaveTheirPlaces) {
  for (size_t i = 0; i < 2 * EventFeed::kMostWatchers; ++i) {
    Watcher watcher(*admin_, {});
    ASSERT_NO_FATAL_FAILURE(watcher.ExpectBegun()) << i;
  }
}

class ServiceOperator : public ServiceTest {};

TEST_F(ServiceOperator, AnObjectIsDescribedWithItsReplicas) {
  ScriptedNode node(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  ASSERT_NO_FATAL_FAILURE(node.Store("key", 5000));
  v1::DescribeObjectRequest request;
  request.set_key("key");
  v1::DescribeObjectReply reply;
  const grpc::Status status = admin_->DescribeObject(NewContext().get(), request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.line().size(), 5000U);
  EXPECT_EQ(reply.checksum(), 7U);
  EXPECT_EQ(reply.replicas_wanted(), 1U);
  ASSERT_EQ(reply.replicas_size(), 1);
  EXPECT_EQ(reply.replicas(0).node(), "node-1");
  EXPECT_EQ(reply.replicas(0).standing(), "evictable");

  request.set_key("other");
  ExpectStatus(admin_->DescribeObject(NewContext().get(), request, &reply),
               grpc::StatusCode::NOT_FOUND, "");
  request.set_key(std::string(1025, 'k'));
  ExpectStatus(admin_->DescribeObject(NewContext().get(), request, &reply),
               grpc::StatusCode::INVALID_ARGUMENT, "1024");
}

TEST_F(ServiceOperator, SegmentsAreListedInPages) {
  ScriptedNode one(*stub_, 1, 1 << 20), two(*stub_, 2, 1 << 20), three(*stub_, 3, 1 << 20);
  for (ScriptedNode* node : {&one, &two, &three}) ASSERT_NO_FATAL_FAILURE(node->Join());
  std::vector<std::string> nodes;
  v1::ListSegmentsRequest request;
  request.set_limit(2);
  for (const bool more : {true, false}) {
    v1::ListSegmentsReply page;
    ASSERT_TRUE(admin_->ListSegments(NewContext().get(), request, &page).ok());
    EXPECT_EQ(page.more(), more);
    for (const v1::Segment& segment : page.segments()) {
      nodes.push_back(segment.node());
      *request.mutable_after_holder() = segment.holder();
      request.set_after_index(segment.index());
    }
  }
  EXPECT_THAT(nodes, ElementsAre("node-1", "node-2", "node-3"));
}

TEST_F(ServiceOperator, RequestsThatSayTooLittleAreRefused) {
  v1::EvictReply evicted;
  ExpectStatus(admin_->Evict(NewContext().get(), {}, &evicted), grpc::StatusCode::INVALID_ARGUMENT,
               "what is to be evicted");
  v1::StartTaskRequest task;
  task.set_key("key");
  v1::StartTaskReply started;
  task.set_kind("teleport");
  ExpectStatus(admin_->StartTask(NewContext().get(), task, &started),
               grpc::StatusCode::INVALID_ARGUMENT, "teleport");
  task.set_kind("move");
  task.set_to("node");
  ExpectStatus(admin_->StartTask(NewContext().get(), task, &started),
               grpc::StatusCode::INVALID_ARGUMENT, "from");
  v1::DrainRequest drain;
  drain.set_node(std::string(256, 'n'));
  v1::DrainReply drained;
  ExpectStatus(admin_->Drain(NewContext().get(), drain, &drained),
               grpc::StatusCode::INVALID_ARGUMENT, "255");
}

}  // namespace
}  // namespace kvstore::master
