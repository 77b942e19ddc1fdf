// Nodes whose network fails, in part or in whole, and nodes that are started again.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "cluster/free_port.h"
#include "cluster/proxy.h"
#include "system/pool.h"
#include "system/told_value.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kObjectBytes = 256 << 10;

// ---- the data path of one node fails; the master still hears it

class DataPath : public Pool {
 protected:
  DataPath() : Pool({"--lease_ms=300"}), port_(FreePort()), path_(port_) {}

  std::unique_ptr<NodeProcess> StartNodeBehindPath() {
    return StartNode("far", "32MiB",
                     {"--ways=tcp", "--listen=127.0.0.1:" + std::to_string(port_),
                      "--advertise=" + path_.address()});
  }

  const uint16_t port_;
  Proxy path_;
};

TEST_F(DataPath, ANodeThatPeersCanNotReachGetsNothingNewUntilTheyCanAgain) {
  const auto far = StartNodeBehindPath(), near = StartNode("near"), other = StartNode("other");
  const auto client = Connect();
  ASSERT_TRUE(far->running() && near->running() && other->running() && client);
  const PutOptions on_far = {.preferred_nodes = {"far"}};
  const Names keys = PutTold(*client, "key", 4, kObjectBytes, on_far);
  for (const std::string& key : keys) {
    ASSERT_EQ(HoldersOf(*client, key), Names{"far"});
    ASSERT_EQ(ReadTold(*client, key), "version 1");
  }

  path_.SetMode(Proxy::Mode::kRefusing);
  EXPECT_EQ(ReadTold(*client, keys[0], seconds(20)), "unavailable");
  const TimePoint failed = BootClock::now();
  TimePoint looked{};
  EXPECT_TRUE(Eventually([&] {
    looked = BootClock::now();
    return StateOf("far") == "live sick";
  }));
  EXPECT_LT(looked - failed, seconds(4));
  for (const std::string& key : PutTold(*client, "meanwhile", 8, kObjectBytes, on_far)) {
    EXPECT_NE(HoldersOf(*client, key), Names{"far"}) << key;
  }

  path_.SetMode(Proxy::Mode::kOpen);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live"; }));
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  for (const std::string& key : PutTold(*client, "afterwards", 4, kObjectBytes, on_far)) {
    EXPECT_EQ(HoldersOf(*client, key), Names{"far"}) << key;
    EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  }
}

TEST_F(DataPath, APutWhosePathIsSilentIsWrittenElsewhereWithinItsDeadline) {
  const auto far = StartNodeBehindPath(), near = StartNode("near");
  const auto client = Connect();
  ASSERT_TRUE(far->running() && near->running() && client);
  const PutOptions on_far = {.preferred_nodes = {"far"}};
  const std::string before = PutTold(*client, "before", 1, kObjectBytes, on_far)[0];
  ASSERT_EQ(HoldersOf(*client, before), Names{"far"});
  path_.SetMode(Proxy::Mode::kSilent);
  const std::string key = PutTold(*client, "key", 1, kObjectBytes, on_far)[0];
  EXPECT_EQ(HoldersOf(*client, key), Names{"near"});
  EXPECT_EQ(ReadTold(*client, key), "version 1");
}

// Packets get lost, and nobody is told: only time says that a holder can't be reached.
TEST_F(DataPath, ASilentPathMakesANodeSickWhileReadsGoToTheOtherReplica) {
  const auto far = StartNodeBehindPath(), near = StartNode("near");
  const auto writer = Connect(), reader = Connect();
  ASSERT_TRUE(far->running() && near->running() && writer && reader);
  const Names keys = PutTold(*writer, "key", 8, kObjectBytes, {.replicas = 2});
  const std::string lone =
      PutTold(*writer, "lone", 1, kObjectBytes, {.preferred_nodes = {"far"}})[0];
  ASSERT_EQ(HoldersOf(*writer, lone), Names{"far"});
  path_.SetMode(Proxy::Mode::kSilent);
  for (const std::string& key : keys) {
    const TimePoint asked = BootClock::now();
    EXPECT_EQ(ReadTold(*reader, key), "version 1");
    EXPECT_LT(BootClock::now() - asked, seconds(4)) << key;  // TCP alone would wait for 5 s
  }
  EXPECT_EQ(ReadTold(*reader, lone, seconds(4)), "unavailable");
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live sick"; }, seconds(10)));
  for (const std::string& key :
       PutTold(*writer, "new", 4, kObjectBytes, {.preferred_nodes = {"far"}})) {
    EXPECT_EQ(HoldersOf(*writer, key), Names{"near"}) << key;
  }

  path_.SetMode(Proxy::Mode::kOpen);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live"; }));
  EXPECT_EQ(ReadTold(*reader, lone), "version 1");
}

// ---- the way between one node and the master fails; peers still reach it

class MasterPath : public Pool {
 protected:
  explicit MasterPath(const Names& flags = kShortLife)
      : Pool(flags), path_(PortOf(master_.address())) {}

  static uint16_t PortOf(const std::string& address) {
    return static_cast<uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  }
  std::unique_ptr<NodeProcess> StartNodeBehindPath() {
    auto node = std::make_unique<NodeProcess>(path_.address(), "far", "32MiB", Names{"--ways=tcp"});
    AwaitMemoryOf("far");
    return node;
  }

  Proxy path_;
};

class LongSuspicion : public MasterPath {
 protected:
  LongSuspicion()
      : MasterPath({"--heartbeat_ms=50", "--lease_ms=300", "--suspect_after_ms=500",
                    "--gone_after_ms=60000", "--order_resend_ms=200"}) {}
};

TEST_F(LongSuspicion, AHolderThatTheMasterHearsNotIsReadAndGetsNothingNewAndReturnsAsItWas) {
  const auto far = StartNodeBehindPath(), near = StartNode("near");
  const auto client = Connect();
  ASSERT_TRUE(far->running() && near->running() && client);
  const PutOptions on_far = {.preferred_nodes = {"far"}};
  const Names keys = PutTold(*client, "key", 8, kObjectBytes, on_far);
  for (const std::string& key : keys) ASSERT_EQ(HoldersOf(*client, key), Names{"far"});
  const std::string incarnation = NodeNamed("far")["incarnation"].text();
  Readers readers(*client, keys);
  readers.AwaitRound();

  path_.SetMode(Proxy::Mode::kSilent);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "suspected"; }));
  readers.AwaitRound();
  for (const std::string& key : PutTold(*client, "meanwhile", 4, kObjectBytes, on_far)) {
    EXPECT_EQ(HoldersOf(*client, key), Names{"near"}) << key;
  }

  path_.SetMode(Proxy::Mode::kOpen);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live"; }));
  readers.AwaitRound();
  EXPECT_EQ(readers.Stop(), "");
  EXPECT_EQ(NodeNamed("far")["incarnation"].text(), incarnation);
  for (const std::string& key : keys) EXPECT_EQ(HoldersOf(*client, key), Names{"far"}) << key;
}

// What is removed meanwhile is answered, and is not there again afterwards.
TEST_F(LongSuspicion, WhatIsRemovedMeanwhileStaysRemoved) {
  const auto far = StartNodeBehindPath();
  const auto client = Connect(), reader = Connect();
  ASSERT_TRUE(far->running() && client && reader);
  const Names keys = PutTold(*client, "key", 4, kObjectBytes);
  for (const std::string& key : keys) ASSERT_EQ(ReadTold(*reader, key), "version 1");
  path_.SetMode(Proxy::Mode::kSilent);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "suspected"; }));
  // No longer found; that old locations are refused only the holder can say.
  EXPECT_EQ(client->Remove(keys[0], milliseconds(500)).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReadTold(*client, keys[0]), "not_found");
  path_.SetMode(Proxy::Mode::kOpen);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live"; }));
  EXPECT_EQ(client->Remove(keys[0]).code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadTold(*reader, keys[0]), "not_found");
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_EQ(ReadTold(*reader, keys[i]), "version 1");
}

TEST_F(MasterPath, AHolderThatIsCutOffForTooLongIsGoneAndJoinsEmptyAsAnother) {
  const auto far = StartNodeBehindPath(), near = StartNode("near");
  const auto client = Connect();
  ASSERT_TRUE(far->running() && near->running() && client);
  const PutOptions on_far = {.preferred_nodes = {"far"}};
  const Names keys = PutTold(*client, "key", 8, kObjectBytes, on_far);
  for (const std::string& key : keys) ASSERT_EQ(HoldersOf(*client, key), Names{"far"});
  const std::string incarnation = NodeNamed("far")["incarnation"].text();
  ASSERT_NE(incarnation, "");

  path_.SetMode(Proxy::Mode::kSilent);
  EXPECT_TRUE(Eventually([&] { return StateOf("far").empty(); }));
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*client, key), "not_found") << key;
  const Names half(keys.begin(), keys.begin() + 4);
  for (const std::string& key : half) {
    EXPECT_EQ(client->Put(key, ToldValue(key, 2, kObjectBytes / kCellBytes)), Status::Ok());
  }

  path_.SetMode(Proxy::Mode::kOpen);
  EXPECT_TRUE(Eventually([&] { return StateOf("far") == "live"; }));
  EXPECT_NE(NodeNamed("far")["incarnation"].text(), incarnation);
  EXPECT_EQ(NodeNamed("far")["objects"].number(), 0);
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(ReadTold(*client, keys[i]), i < 4 ? "version 2" : "not_found") << keys[i];
  }
  AwaitMemoryOf("far");
  for (const std::string& key : PutTold(*client, "new", 8, kObjectBytes, on_far)) {
    EXPECT_EQ(HoldersOf(*client, key), Names{"far"}) << key;
    EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  }
  EXPECT_EQ(far->process().WaitForExit(Duration{}), std::nullopt);
}

// ---- a node that is started again

class StartedAgain : public Pool {};

TEST_F(StartedAgain, UnderTheSameNameAndPortItIsAnother) {
  const Names same_port = {"--ways=tcp", "--listen=127.0.0.1:" + std::to_string(FreePort())};
  auto node = StartNode("same", "8MiB", same_port);
  const auto client = Connect(), writer = Connect();
  ASSERT_TRUE(node->running() && client && writer);
  const Names keys = PutTold(*client, "key", 16, kObjectBytes);
  for (const std::string& key : keys) ASSERT_EQ(ReadTold(*client, key), "version 1");

  node->process().Signal(SIGKILL);
  ASSERT_EQ(node->process().WaitForExit(seconds(10)), 128 + SIGKILL);
  node = StartNode("same", "8MiB", same_port);
  ASSERT_TRUE(node->running());
  // The master has both for a while, and readers remember where the old one had the objects: at the
  // same address, and offsets. New objects take those offsets now.
  const Names others = PutTold(*writer, "other", 16, kObjectBytes, {.timeout = seconds(10)});
  for (const std::string& key : keys) {
    const std::string got = ReadTold(*client, key, seconds(20));
    EXPECT_TRUE(got == "not_found" || got == "unavailable") << key << ": " << got;
  }
  EXPECT_TRUE(Eventually([&] { return Kvctl({"status"})["objects"].number() == 16; }));
  for (const std::string& key : keys) EXPECT_EQ(ReadTold(*client, key), "not_found") << key;
  for (const std::string& key : others) EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  EXPECT_EQ(StateOf("same"), "live");
  for (const std::string& key : keys) {
    EXPECT_EQ(writer->Put(key, ToldValue(key, 2, kCellBytes)), Status::Ok());
    EXPECT_EQ(ReadTold(*client, key), "version 2") << key;
  }
}

}  // namespace
}  // namespace kvstore::cluster
