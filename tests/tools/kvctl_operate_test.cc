#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class KvctlOperateTest : public KvctlTest {};

TEST_F(KvctlOperateTest, APinIsSeenUntilItIsTakenAway) {
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  EXPECT_EQ(Run({"pin", "key"}).code, 0);
  EXPECT_THAT(Run({"locate", "key"}).out, ContainsRegex("pinned +hard"));
  EXPECT_EQ(Json({"status"})["objects_pinned"].number(), 1);
  EXPECT_EQ(Run({"pin", "--soft", "1h", "key"}).code, 0);
  EXPECT_THAT(Run({"locate", "key"}).out, ContainsRegex("pinned +soft, for (1 h|59 m)"));
  EXPECT_EQ(Run({"unpin", "key"}).code, 0);
  EXPECT_THAT(Run({"locate", "key"}).out, ContainsRegex("pinned +no"));
  EXPECT_EQ(Run({"pin", "missing"}).code, 3);
  EXPECT_EQ(Run({"pin", "--hard", "--soft", "1h", "key"}).code, 2);
}

TEST_F(KvctlOperateTest, NamedObjectsAreEvictedUnlessPinned) {
  for (const char* key : {"a", "b"}) ASSERT_EQ(Run({"put", key, "-"}, "value").code, 0);
  ASSERT_EQ(Run({"pin", "b"}).code, 0);
  const Finished evicted = Run({"evict", "a", "b", "c"});
  EXPECT_EQ(evicted.code, 1);
  EXPECT_THAT(evicted.out, HasSubstr("evicted 1 object, 5 B"));
  EXPECT_THAT(evicted.err, HasSubstr("b: failed_precondition"));
  EXPECT_THAT(evicted.err, HasSubstr("c: not_found"));
  EXPECT_EQ(Run({"get", "a"}).code, 3);
  EXPECT_EQ(Run({"get", "b"}).out, "value");
}

TEST_F(KvctlOperateTest, SoManyBytesAreEvicted) {
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_EQ(Run({"put", key, "-"}, std::string(1 << 20, 'x')).code, 0);
  }
  const JsonValue evicted = Json({"evict", "--bytes", "2MiB", "--node", "lender"});
  EXPECT_EQ(evicted["objects"].number(), 2);
  EXPECT_EQ(Json({"ls"})["objects"].size(), 1u);
}

TEST_F(KvctlOperateTest, WhatIsToBeEvictedMustBeClear) {
  EXPECT_EQ(Run({"evict"}).code, 2);
  EXPECT_EQ(Run({"evict", "--bytes", "1MiB", "key"}).code, 2);
  EXPECT_EQ(Run({"evict", "--node", "lender", "key"}).code, 2);
}

TEST_F(KvctlOperateTest, AnObjectIsCopiedAndMoved) {
  const NodeProcess second(master_, "second", "64MiB"), third(master_, "third", "64MiB");
  ASSERT_TRUE(second.running() && third.running());
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  const std::string from = Json({"locate", "key"})["objects"][0]["replicas"][0]["node"].text();
  const std::string to = from == "second" ? "third" : "second";
  const std::string last = from == "lender" ? "third" : "lender";

  const Finished copied = Run({"copy", "--to", to, "--wait", "--within", "30s", "key"});
  EXPECT_EQ(copied.code, 0) << copied.err;
  EXPECT_THAT(copied.out, ContainsRegex("task [0-9]+ done"));
  EXPECT_EQ(Json({"ls"})["objects"][0]["replicas"].number(), 2);

  const Finished moved =
      Run({"move", "--from", from, "--to", last, "--wait", "--within", "30s", "key"});
  EXPECT_EQ(moved.code, 0) << moved.err;
  const JsonValue tasks = Json({"tasks"});
  ASSERT_EQ(tasks["tasks"].size(), 2u);
  EXPECT_EQ(tasks["tasks"][0]["kind"].text(), "copy");
  EXPECT_EQ(tasks["tasks"][1]["state"].text(), "done");
  EXPECT_THAT(Run({"tasks"}).out, ContainsRegex("move +done +key"));
  const std::string nodes = Run({"ls"}).out;
  EXPECT_THAT(nodes, HasSubstr(to));
  EXPECT_THAT(nodes, HasSubstr(last));
  EXPECT_EQ(Run({"get", "key"}).out, "value");
}

TEST_F(KvctlOperateTest, ATaskThatCanNotBeIsRefused) {
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  EXPECT_EQ(Run({"copy", "--to", "nobody", "key"}).code, 3);
  EXPECT_EQ(Run({"copy", "--to", "lender", "missing"}).code, 3);
  EXPECT_EQ(Run({"copy", "key"}).code, 2);
  EXPECT_EQ(Run({"move", "--to", "lender", "key"}).code, 2);
}

TEST_F(KvctlOperateTest, ANodeIsDrainedUntilItHasLeftAndItsObjectsStay) {
  NodeProcess second(master_, "second", "64MiB");
  ASSERT_TRUE(second.running());
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(Run({"put", "key" + std::to_string(i), "-"}, std::string(1 << 20, 'x')).code, 0);
  }
  const Finished drained = Run({"drain", "lender", "--wait", "--within", "50s"});
  EXPECT_EQ(drained.code, 0) << drained.err;
  EXPECT_THAT(drained.out, HasSubstr("the node has left"));
  EXPECT_TRUE(node_.process().WaitForExit(seconds(20)).has_value());
  const JsonValue nodes = Json({"nodes"});
  ASSERT_EQ(nodes["nodes"].size(), 1u);
  EXPECT_EQ(nodes["nodes"][0]["name"].text(), "second");
  EXPECT_EQ(nodes["nodes"][0]["objects"].number(), 8);
  EXPECT_EQ(Run({"get", "key7"}).out, std::string(1 << 20, 'x'));
}

TEST_F(KvctlOperateTest, ADrainThatCanNotBeIsRefused) {
  EXPECT_EQ(Run({"drain", "nobody"}).code, 3);
  EXPECT_EQ(Run({"drain", "lender"}).code, 1);  // no other node lends
  EXPECT_EQ(Run({"drain", "lender", "--undo", "--wait"}).code, 2);
}

}  // namespace
}  // namespace kvstore::cluster
