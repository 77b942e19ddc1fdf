// Nodes that are emptied while they are in use.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "cluster/free_port.h"
#include "system/pool.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

constexpr size_t kObjectBytes = 512 << 10;

class Drains : public Pool {
 protected:
  using Pool::Pool;

  size_t CountOn(Client& client, const Names& keys, const std::string& node) {
    return static_cast<size_t>(std::count_if(keys.begin(), keys.end(), [&](const auto& key) {
      const Names holders = HoldersOf(client, key);
      return std::count(holders.begin(), holders.end(), node) > 0;
    }));
  }
};

TEST_F(Drains, UnderLoadNoReadFailsTheObjectsMoveAndTheNodeEnds) {
  const auto a = StartNode("a"), b = StartNode("b"), c = StartNode("c");
  const auto client = Connect(), writer = Connect();
  ASSERT_TRUE(a->running() && b->running() && c->running() && client && writer);
  const Names keys = PutTold(*client, "key", 24, kObjectBytes, {.placement = Placement::kSpread});
  ASSERT_GT(CountOn(*client, keys, "a"), 0u);

  Readers readers(*client, keys);
  readers.AwaitRound();
  EXPECT_EQ(Kvctl({"drain", "--wait", "--within", "30s", "a"})["node"].text(), "a");
  const Names later = PutTold(*writer, "later", 4, kObjectBytes, {.preferred_nodes = {"a"}});
  readers.AwaitRound();
  EXPECT_EQ(readers.Stop(), "");

  EXPECT_TRUE(a->process().WaitForLine("'a' was drained", seconds(10)));
  EXPECT_EQ(a->process().WaitForExit(seconds(10)), 0) << a->process().output();
  EXPECT_EQ(StateOf("a"), "");
  EXPECT_EQ(CountOn(*client, keys, "b") + CountOn(*client, keys, "c"), keys.size());
  EXPECT_EQ(CountOn(*client, later, "a"), 0u);
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*writer, key), "version 1") << key;
}

// Objects with several replicas, of which others stand elsewhere.
TEST_F(Drains, ReplicasKeepTheirNumber) {
  const auto a = StartNode("a"), b = StartNode("b"), c = StartNode("c");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && c->running() && client);
  const Names keys = PutTold(*client, "key", 12, kObjectBytes, {.replicas = 2});
  ASSERT_GT(CountOn(*client, keys, "a"), 0u);
  Kvctl({"drain", "--wait", "--within", "30s", "a"});
  for (const std::string& key : keys) {
    EXPECT_EQ(HoldersOf(*client, key), (Names{"b", "c"})) << key;
    EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  }
}

// A worker goes on as a mere client.
TEST_F(Drains, AWorkerIsToldAndGoesOnWithoutLending) {
  const auto shelf = StartNode("shelf");
  const auto worker =
      Connect({.name = "worker", .lend_bytes = 16 << 20, .ways = {transfer::Way::kTcp}});
  ASSERT_TRUE(shelf->running() && worker);
  AwaitMemoryOf("worker");
  const Names keys = PutTold(*worker, "key", 8, kObjectBytes, {.preferred_nodes = {"worker"}});
  ASSERT_EQ(CountOn(*worker, keys, "worker"), keys.size());
  EXPECT_FALSE(worker->lending().drained);
  Kvctl({"drain", "worker"});
  EXPECT_TRUE(worker->WaitDrained(seconds(30)));
  EXPECT_EQ(worker->lending().bytes, 0u);
  for (const std::string& key : keys) {
    EXPECT_EQ(HoldersOf(*worker, key), Names{"shelf"});
    EXPECT_EQ(ReadTold(*worker, key), "version 1") << key;
  }
}

// What it lends later counts as any lender's.
TEST_F(Drains, AWorkerThatWasDrainedMayLendAgain) {
  const auto shelf = StartNode("shelf");
  const auto worker =
      Connect({.name = "worker", .lend_bytes = 16 << 20, .ways = {transfer::Way::kTcp}});
  ASSERT_TRUE(shelf->running() && worker);
  AwaitMemoryOf("worker");
  const PutOptions on_worker = {.preferred_nodes = {"worker"}};
  const Names keys = PutTold(*worker, "key", 4, kObjectBytes, on_worker);
  Kvctl({"drain", "worker"});
  ASSERT_TRUE(worker->WaitDrained(seconds(30)));
  for (const std::string& key : keys) EXPECT_EQ(HoldersOf(*worker, key), Names{"shelf"});

  ASSERT_EQ(worker->Lend(8 << 20), Status::Ok());
  AwaitMemoryOf("worker");
  EXPECT_FALSE(worker->lending().drained);
  EXPECT_EQ(StateOf("worker"), "live");
  const Names again = PutTold(*worker, "again", 4, kObjectBytes, on_worker);
  EXPECT_EQ(CountOn(*worker, again, "worker"), again.size());
  for (const std::string& key : again) EXPECT_EQ(ReadTold(*worker, key), "version 1") << key;
  // And it can be drained once more.
  Kvctl({"drain", "worker"});
  EXPECT_TRUE(worker->WaitDrained(seconds(30)));
  for (const std::string& key : again) EXPECT_EQ(ReadTold(*worker, key), "version 1") << key;
}

// So slow that it does not end by itself.
class SlowDrains : public Drains {
 protected:
  SlowDrains() : Drains({"--repair_bytes_per_second=4096", "--lease_ms=300"}) {}
};

TEST_F(SlowDrains, ThatAreUndoneLeaveANodeThatTakesObjectsAgain) {
  const auto a = StartNode("a"), b = StartNode("b");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && client);
  const PutOptions on_a = {.preferred_nodes = {"a"}};
  const Names keys = PutTold(*client, "key", 16, kObjectBytes, on_a);
  ASSERT_EQ(CountOn(*client, keys, "a"), keys.size());

  Kvctl({"drain", "a"});
  EXPECT_EQ(StateOf("a"), "live draining");
  EXPECT_EQ(CountOn(*client, PutTold(*client, "meanwhile", 2, kObjectBytes, on_a), "b"), 2u);
  EXPECT_EQ(StateOf("a"), "live draining");

  Kvctl({"drain", "--undo", "a"});
  EXPECT_EQ(StateOf("a"), "live");
  EXPECT_EQ(CountOn(*client, PutTold(*client, "afterwards", 2, kObjectBytes, on_a), "a"), 2u);
  EXPECT_GT(CountOn(*client, keys, "a"), 0u);
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  EXPECT_EQ(a->process().WaitForExit(Duration{}), std::nullopt);
}

// Neither has left as it was asked to; the wait for it says so.
TEST_F(SlowDrains, OfANodeThatDiesOrIsStoppedHaveFailed) {
  const auto c = StartNode("c");
  const auto client = Connect();
  ASSERT_TRUE(c->running() && client);
  const auto drain = [&](NodeProcess& node, const std::string& name, int signal) {
    PutTold(*client, name, 2, kObjectBytes, {.preferred_nodes = {name}});
    ChildProcess drained({KVSTORE_KVCTL_PATH, "--master", master_.address(), "drain", "--wait",
                          "--within", "1m", name});
    EXPECT_TRUE(drained.WaitForLine("left", seconds(30)));  // its progress
    node.process().Signal(signal);
    EXPECT_EQ(drained.WaitForExit(seconds(60)), 1);
    return drained.output();
  };
  const auto a = StartNode("a");
  ASSERT_TRUE(a->running());
  EXPECT_THAT(drain(*a, "a", SIGKILL),
              testing::AllOf(testing::HasSubstr("node 'a' is gone before it was drained"),
                             testing::HasSubstr("are lost with it")));
  const auto b = StartNode("b");
  ASSERT_TRUE(b->running());
  EXPECT_THAT(drain(*b, "b", SIGTERM),
              testing::HasSubstr("node 'b' has left before it was drained"));
}

// Where a master keeps its members.
struct StatePlace {
  StatePlace() {
    std::string name = std::filesystem::temp_directory_path() / "kvstore-drain-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  ~StatePlace() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::vector<std::string> Flags(const std::vector<std::string>& more) const {
    std::vector<std::string> flags = {port, "--state_file=" + (folder / "master.state").string(),
                                      "--lease_ms=300"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  std::filesystem::path folder;
  const std::string port = "--port=" + std::to_string(FreePort());
};

class DrainsOverARestart : protected StatePlace, public Drains {
 protected:
  // The first master is so slow that no drain ends under it.
  DrainsOverARestart() : Drains(Flags({"--repair_bytes_per_second=4096"})) {}

  void FollowMaster() {
    master_.process().Signal(SIGKILL);
    ASSERT_EQ(master_.process().WaitForExit(seconds(30)), 128 + SIGKILL);
    master_ = MasterProcess(Flags({}));
    ASSERT_TRUE(master_.running());
  }
};

TEST_F(DrainsOverARestart, AreForgottenAndMayBeAskedForAgain) {
  const auto a = StartNode("a"), b = StartNode("b");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && client);
  PutOptions on_a = {.preferred_nodes = {"a"}};
  on_a.durable = true;
  const Names keys = PutTold(*client, "key", 8, kObjectBytes, on_a);
  ASSERT_EQ(CountOn(*client, keys, "a"), keys.size());
  Kvctl({"drain", "a"});
  EXPECT_EQ(StateOf("a"), "live draining");

  FollowMaster();
  for (const std::string& key : keys) {
    EXPECT_EQ(ReadTold(*client, key, seconds(30)), "version 1") << key;
  }
  AwaitMemoryOf("a");
  EXPECT_EQ(StateOf("a"), "live");
  EXPECT_EQ(Kvctl({"drain", "--wait", "--within", "60s", "a"})["node"].text(), "a");
  EXPECT_EQ(a->process().WaitForExit(seconds(30)), 0) << a->process().output();
  EXPECT_EQ(CountOn(*client, keys, "b"), keys.size());
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
}

}  // namespace
}  // namespace kvstore::cluster
