// Several replicas: reads fall over, lost ones are made again, and an operator copies and moves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "system/pool.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr size_t kObjectBytes = 256 << 10;

class Replicas : public Pool {
 protected:
  using Pool::Pool;

  bool AllHeldBy(Client& client, const Names& keys, const Names& holders) {
    return Eventually([&] {
      return std::all_of(keys.begin(), keys.end(),
                         [&](const auto& key) { return HoldersOf(client, key) == holders; });
    });
  }
  // With that holder stopped all is read from the others, by a client that asks where they are.
  void ExpectRightWithout(NodeProcess& stopped, const Names& keys) {
    const auto client = Connect();
    ASSERT_NE(client, nullptr);
    stopped.process().Signal(SIGSTOP);
    std::vector<std::thread> readers;
    for (const std::string& key : keys) {
      readers.emplace_back([&] { EXPECT_EQ(ReadTold(*client, key), "version 1") << key; });
    }
    for (std::thread& reader : readers) reader.join();
    stopped.process().Signal(SIGCONT);
  }
};

TEST_F(Replicas, AHolderIsKilledAndNoReadFailsAndItsReplicasAreMadeAgain) {
  const auto a = StartNode("a"), b = StartNode("b"), c = StartNode("c");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && c->running() && client);
  const Names keys = PutTold(*client, "key", 16, kObjectBytes, {.replicas = 2});
  const auto on_a = std::count_if(keys.begin(), keys.end(), [&](const std::string& key) {
    return HoldersOf(*client, key)[0] == "a";
  });
  ASSERT_GT(on_a, 0);

  Readers readers(*client, keys);
  readers.AwaitRound();
  a->process().Signal(SIGKILL);
  EXPECT_TRUE(AllHeldBy(*client, keys, {"b", "c"}));
  readers.AwaitRound();
  EXPECT_EQ(readers.Stop(), "");
  EXPECT_EQ(Kvctl({"status"})["objects_lacking"].number(), 0);

  // What was made again is read where it was made.
  ExpectRightWithout(*b, keys);
  EXPECT_TRUE(AllHeldBy(*client, keys, {"b", "c"}));
  ExpectRightWithout(*c, keys);
}

// Silence of a stopped holder must not use up the time of a Get, nor need the master's word.
class PatientReplicas : public Replicas {
 protected:
  PatientReplicas() : Replicas({"--suspect_after_ms=20000"}) {}
};

TEST_F(PatientReplicas, AHolderIsStoppedAndEachReadIsStillServedSoon) {
  const auto a = StartNode("a"), b = StartNode("b");
  ASSERT_TRUE(a->running() && b->running());
  const auto writer = Connect();
  ASSERT_NE(writer, nullptr);
  const Names keys = PutTold(*writer, "key", 8, kObjectBytes, {.replicas = 2});
  for (NodeProcess* stopped : {a.get(), b.get()}) {
    const auto reader = Connect();  // knows nothing of whom it can't reach
    ASSERT_NE(reader, nullptr);
    stopped->process().Signal(SIGSTOP);
    for (const std::string& key : keys) {
      const TimePoint asked = BootClock::now();
      EXPECT_EQ(ReadTold(*reader, key), "version 1");
      EXPECT_LT(BootClock::now() - asked, seconds(4)) << key;  // TCP alone would wait for 5 s
    }
    stopped->process().Signal(SIGCONT);
    EXPECT_EQ(ReadTold(*reader, keys[0]), "version 1");
  }
}

TEST_F(Replicas, AnObjectIsCopiedThenMovedAndTheReplicasAreRight) {
  auto a = StartNode("a"), b = StartNode("b");
  const auto c = StartNode("c");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && c->running() && client);
  const std::string key = PutTold(*client, "key", 1, 4 << 20, {.preferred_nodes = {"a"}})[0];
  ASSERT_EQ(HoldersOf(*client, key), Names{"a"});

  EXPECT_EQ(Kvctl({"copy", "--to", "b", "--wait", "--within", "20s", key})["state"].text(), "done");
  EXPECT_EQ(HoldersOf(*client, key), (Names{"a", "b"}));
  EXPECT_EQ(
      Kvctl({"move", "--from", "a", "--to", "c", "--wait", "--within", "20s", key})["state"].text(),
      "done");
  EXPECT_EQ(HoldersOf(*client, key), (Names{"b", "c"}));

  ExpectRightWithout(*b, {key});
  a.reset();
  b.reset();
  EXPECT_EQ(ReadTold(*client, key), "version 1");
  EXPECT_TRUE(AllHeldBy(*client, {key}, {"c"}));
}

TEST_F(Replicas, ATaskThatCanNotSucceedSaysWhy) {
  const auto a = StartNode("a"), small = StartNode("small", "1MiB");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && small->running() && client);
  const std::string key = PutTold(*client, "key", 1, 4 << 20)[0];
  const Finished copied = RunProgram({KVSTORE_KVCTL_PATH, "--master", master_.address(), "copy",
                                      "--to", "small", "--wait", "--within", "30s", key});
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("resource_exhausted"));
  EXPECT_THAT(copied.err, HasSubstr("no room"));
  const JsonValue task = Kvctl({"tasks"})["tasks"][0];
  EXPECT_EQ(task["state"].text(), "failed");
  EXPECT_EQ(task["error"].text(), "resource_exhausted");
  EXPECT_EQ(HoldersOf(*client, key), Names{"a"});
}

TEST_F(Replicas, ATaskWhoseSourceIsLostSaysWhy) {
  const auto a = StartNode("a"), b = StartNode("b");
  const auto client = Connect();
  ASSERT_TRUE(a->running() && b->running() && client);
  const std::string key = PutTold(*client, "key", 1, 4 << 20, {.preferred_nodes = {"a"}})[0];
  a->process().Signal(SIGSTOP);
  ASSERT_EQ(Kvctl({"copy", "--to", "b", key})["state"].text(), "started");
  EXPECT_TRUE(Eventually([&] { return Kvctl({"tasks"})["tasks"][0]["state"].text() == "failed"; }));
  const JsonValue task = Kvctl({"tasks"})["tasks"][0];
  EXPECT_NE(task["message"].text(), "");
  a->process().Signal(SIGCONT);
}

}  // namespace
}  // namespace kvstore::cluster
