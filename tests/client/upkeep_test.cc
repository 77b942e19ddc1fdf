#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/pool_test.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class UpkeepTest : public PoolTest {
 protected:
  void SetUp() override {
    Start();
    client_ = Join(8 * kMiB, "here");
    other_ = Join(8 * kMiB, "there");
    ASSERT_NE(client_, nullptr);
    ASSERT_NE(other_, nullptr);
  }

  std::vector<std::string> NodesOf(const std::string& key) {
    std::vector<std::string> nodes;
    const Result<ObjectStat> stat = client_->Stat(key);
    EXPECT_TRUE(stat.ok()) << stat.status();
    if (stat.ok()) {
      for (const ReplicaStat& replica : stat->replicas) nodes.push_back(replica.node);
    }
    return nodes;
  }

  // Of an object with one replica: where it lies, and where it does not.
  std::pair<std::string, std::string> NodeOfAndOther(const std::string& key) {
    const std::vector<std::string> nodes = NodesOf(key);
    EXPECT_EQ(nodes.size(), 1u);
    const bool is_here = nodes == std::vector<std::string>{"here"};
    return {is_here ? "here" : "there", is_here ? "there" : "here"};
  }

  // Until it has ended; how.
  Status Await(uint64_t id) {
    const TimePoint until = BootClock::now() + seconds(60);
    while (BootClock::now() < until) {
      const Result<std::vector<TaskStat>> tasks = client_->Tasks();
      if (!tasks.ok()) return tasks.status();
      for (const TaskStat& task : *tasks) {
        if (task.id == id && task.ended) return task.status;
      }
    }
    return DeadlineExceededError("the task has not ended");
  }

  std::unique_ptr<Client> client_;
  std::unique_ptr<Client> other_;
};

TEST_F(UpkeepTest, ObjectsAreListedPageByPage) {
  for (const std::string key : {"a/1", "a/2", "a/3", "b/1"}) {
    ASSERT_EQ(client_->Put(key, BytesOf(key, 10)), Status::Ok());
  }
  const Result<ObjectPage> first = client_->List("a/", "", 2);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->objects.size(), 2u);
  EXPECT_EQ(first->objects[0].key, "a/1");
  EXPECT_EQ(first->objects[0].size, 10u);
  EXPECT_EQ(first->objects[0].replicas, 1u);
  EXPECT_EQ(first->objects[0].lease_left, Duration::zero());
  EXPECT_EQ(first->objects[1].key, "a/2");
  EXPECT_TRUE(first->more);
  ASSERT_TRUE(*client_->Exists("a/3"));
  const Result<ObjectPage> second = client_->List("a/", "a/2", 2);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->objects.size(), 1u);
  EXPECT_EQ(second->objects[0].key, "a/3");
  EXPECT_GT(second->objects[0].lease_left, Duration::zero());
  EXPECT_FALSE(second->more);
  EXPECT_EQ(client_->List("", "", 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->List("", "", 5000).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(UpkeepTest, CopiesAndMovesAreTasks) {
  ASSERT_EQ(client_->Put("key", BytesOf("key", 10)), Status::Ok());
  const auto [from, to] = NodeOfAndOther("key");
  const Result<uint64_t> move =
      client_->StartTask({.key = "key", .from = from, .to = to, .move = true});
  ASSERT_TRUE(move.ok()) << move.status();
  EXPECT_EQ(Await(*move), Status::Ok());
  EXPECT_THAT(NodesOf("key"), ElementsAre(to));
  const Result<uint64_t> copy = client_->StartTask({.key = "key", .to = from});
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(Await(*copy), Status::Ok());
  EXPECT_THAT(NodesOf("key"), UnorderedElementsAre("here", "there"));
  EXPECT_EQ(*client_->Get("key"), BytesOf("key", 10));
}

TEST_F(UpkeepTest, TasksThatCanNotBeAreRefused) {
  ASSERT_EQ(client_->Put("key", BytesOf("key", 10)), Status::Ok());
  const auto [holder, other] = NodeOfAndOther("key");
  const auto code = [&](const CopyTask& task) { return client_->StartTask(task).status().code(); };
  EXPECT_EQ(code({.key = "none", .to = other}), StatusCode::kNotFound);
  EXPECT_EQ(code({.key = "key", .to = "nowhere"}), StatusCode::kNotFound);
  EXPECT_EQ(code({.key = "key", .to = holder}), StatusCode::kAlreadyExists);
  EXPECT_EQ(code({.key = "key", .from = other, .to = other, .move = true}), StatusCode::kNotFound);
  EXPECT_TRUE(client_->Tasks()->empty());
}

TEST_F(UpkeepTest, WithoutAMasterCallsEndInTime) {
  master_->process().Signal(SIGKILL);
  EXPECT_EQ(client_->List("", "", 1, seconds(1)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(client_->Tasks(seconds(1)).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kvstore
