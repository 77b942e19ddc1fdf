// What is left of clients, holders and masters of one host when they have ended, or were killed:
// nothing.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "system/kernel_lists.h"
#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

// This process's children, zombies among them.
std::string Children() {
  std::ifstream file("/proc/self/task/" + std::to_string(getpid()) + "/children");
  return {std::istreambuf_iterator<char>(file), {}};
}

class LeftBehind : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(Children(), "");
    ASSERT_EQ(MappedFiles(getpid()), std::set<uint64_t>());
  }

  void TearDown() override {
    EXPECT_EQ(Children(), "");
    EXPECT_EQ(MappedFiles(getpid()), std::set<uint64_t>()) << "memory of others is still mapped";
    for (const auto& [inode, name] : HostSockets()) {
      EXPECT_EQ(sockets_.count(name), 0u) << name << " is still there";
    }
  }

  // By whose names nobody is to be found afterwards.
  void NoteSockets(pid_t pid) {
    const std::set<std::string> names = HostSocketsOf(pid);
    EXPECT_FALSE(names.empty());
    sockets_.insert(names.begin(), names.end());
  }

  std::set<std::string> sockets_;
};

// A master, a node, a told client and one of the test's own, with views and objects half made.
struct Everybody {
  Everybody() : node(master, "shelf", "8MiB"), told(master, "told"), own(Join(master)) {
    EXPECT_EQ(own->Put("key", ToldValue("key", 1, 65'536)), Status::Ok());
    EXPECT_EQ(told.Do("view key"), "version 1");
    EXPECT_EQ(told.Do("create made 65536"), "ok");
    EXPECT_EQ(own->counters(transfer::Way::kShm).copies_done, 1u);
    EXPECT_FALSE(MappedFiles(getpid()).empty());
  }

  MasterProcess master;
  NodeProcess node;
  ToldClient told;
  std::unique_ptr<Client> own;
};

TEST_F(LeftBehind, NothingWhenAllEndAsTold) {
  Everybody everybody;
  NoteSockets(everybody.node.process().pid());
  EXPECT_EQ(everybody.told.End(), 0);
  everybody.own.reset();
  everybody.node.process().Signal(SIGTERM);
  EXPECT_EQ(everybody.node.process().WaitForExit(std::chrono::seconds(20)), 0);
  everybody.master.process().Signal(SIGTERM);
  EXPECT_EQ(everybody.master.process().WaitForExit(std::chrono::seconds(20)), 0);
}

TEST_F(LeftBehind, NothingWhenAllAreKilled) {
  Everybody everybody;
  NoteSockets(everybody.node.process().pid());
  everybody.told.Kill();
  everybody.node.process().Signal(SIGKILL);
  EXPECT_TRUE(everybody.node.process().WaitForExit(std::chrono::seconds(20)));
}

// A client's memory is gone from the machine with the last process that maps it.
TEST_F(LeftBehind, AHolderThatLeavesInGoodOrderTakesItsMemoryAlong) {
  Everybody everybody;
  NoteSockets(everybody.node.process().pid());
  const std::set<uint64_t> mapped = MappedFiles(everybody.told.process().pid());
  ASSERT_FALSE(mapped.empty());
  everybody.node.process().Signal(SIGTERM);
  EXPECT_EQ(everybody.node.process().WaitForExit(std::chrono::seconds(20)), 0);
  // The view outlives it.
  EXPECT_EQ(everybody.told.Do("look key"), "version 1");
  EXPECT_EQ(everybody.told.Do("release key"), "ok");
  EXPECT_EQ(everybody.told.Do("drop made"), "ok");
  const TimePoint until = BootClock::now() + std::chrono::seconds(20);
  while (!MappedFiles(everybody.told.process().pid()).empty() && BootClock::now() < until) {
    EXPECT_EQ(everybody.told.Do("exists key"), "no");
  }
  EXPECT_EQ(MappedFiles(everybody.told.process().pid()), std::set<uint64_t>());
  EXPECT_EQ(everybody.told.End(), 0);
}

}  // namespace
}  // namespace kvstore::cluster
