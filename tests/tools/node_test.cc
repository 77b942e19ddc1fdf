// kvstore_node as an operator meets it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "cluster/cluster.h"

namespace kvstore {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// The exit status of a run that ends by itself; what it said is in `output`.
int RunNode(std::vector<std::string> flags, std::string* output) {
  flags.insert(flags.begin(), KVSTORE_NODE_PATH);
  cluster::ChildProcess node(flags);
  const std::optional<int> exit = node.WaitForExit(seconds(20));
  *output = node.output();
  return exit.value_or(-1);
}

TEST(Node, HelpExitsWith0AndBadFlagsWith2) {
  std::string output;
  EXPECT_EQ(RunNode({"--help"}, &output), 0);
  EXPECT_NE(output.find("SYNOPSIS"), std::string::npos);
  EXPECT_EQ(RunNode({"--lendd=1"}, &output), 2);
  EXPECT_NE(output.find("--lend"), std::string::npos);
  EXPECT_EQ(RunNode({"--listen=0.0.0.0:0"}, &output), 2);
  EXPECT_NE(output.find("--insecure_allow_remote"), std::string::npos);
}

TEST(Node, WithoutAMasterItGivesUpWith1) {
  std::string output;
  EXPECT_EQ(RunNode({"--master=127.0.0.1:1", "--connect_timeout=300ms", "--lend=1MiB"}, &output),
            1);
  EXPECT_NE(output.find("no master at 127.0.0.1:1"), std::string::npos) << output;
}

TEST(Node, ItWaitsForAMasterWhenToldTo) {
  cluster::ChildProcess node({KVSTORE_NODE_PATH, "--master=127.0.0.1:1", "--connect_timeout=100ms",
                              "--lend=1MiB", "--wait"});
  ASSERT_TRUE(node.WaitForLine("still waiting", seconds(20)));
  node.Signal(SIGTERM);
  EXPECT_EQ(node.WaitForExit(seconds(8)), 0);
}

TEST(Node, ItSaysOnceThatItIsReadyAndLeavesOnASignal) {
  cluster::MasterProcess master;
  ASSERT_TRUE(master.running());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    cluster::NodeProcess node(master, "node", "8MiB");
    ASSERT_TRUE(node.running());
    node.process().Signal(signal);
    EXPECT_EQ(node.process().WaitForExit(seconds(8)), 0);
  }
}

// The line by which a node of that pool says that it is ready; empty: it never was.
std::string ReadyLine(const cluster::MasterProcess& master, std::vector<std::string> flags) {
  flags.insert(flags.begin(), {KVSTORE_NODE_PATH, "--master=" + master.address()});
  cluster::ChildProcess node(flags);
  return node.WaitForLine("ready", seconds(20)).value_or("");
}

TEST(Node, ItsReadyLineSaysWhatIsLentAndHowItIsReached) {
  cluster::MasterProcess master;
  ASSERT_TRUE(master.running());
  const std::string line = ReadyLine(master, {"--name=shelf", "--lend=8000000"});
  EXPECT_THAT(line, HasSubstr("'shelf' ready: lends 7.6 MiB to the pool of " + master.address()));
  EXPECT_THAT(line, ContainsRegex(", (huge|ordinary) pages, reached at 127.0.0.1:[0-9]+, "));
  EXPECT_THAT(line, HasSubstr(", shared memory on, incarnation "));
}

TEST(Node, ItsReadyLineSaysWhichWaysItWasForbidden) {
  cluster::MasterProcess master;
  ASSERT_TRUE(master.running());
  EXPECT_THAT(ReadyLine(master, {"--lend=8MiB", "--ways=tcp"}),
              ContainsRegex("reached at 127.0.0.1:[0-9]+, shared memory off \\(.*forbidden"));
  EXPECT_THAT(ReadyLine(master, {"--lend=8MiB", "--ways=shm"}),
              HasSubstr("not reached by TCP, shared memory on"));
  EXPECT_THAT(ReadyLine(master, {"--lend=0"}),
              ContainsRegex("lends 0 B to the pool of [^,]*, inc"));
}

TEST(Node, TwoSignalsAtOnceAreOne) {
  cluster::MasterProcess master;
  ASSERT_TRUE(master.running());
  cluster::NodeProcess node(master, "node", "8MiB");
  ASSERT_TRUE(node.running());
  EXPECT_TRUE(node.process().WaitForLine("kvstore_node 'node' ready", seconds(1)));
  node.process().Signal(SIGTERM);
  node.process().Signal(SIGHUP);
  node.process().Signal(SIGTERM);
  EXPECT_EQ(node.process().WaitForExit(seconds(8)), 0) << node.process().output();
}

TEST(Node, ARefusalNamesTheFlagsAsTheyAreTyped) {
  std::string output;
  EXPECT_NE(RunNode({"--listen=0.0.0.0:0", "--insecure_allow_remote", "--lend=1MiB"}, &output), 0);
  EXPECT_NE(output.find("--listen is '0.0.0.0:0'"), std::string::npos) << output;
  EXPECT_NE(output.find("advertise"), std::string::npos) << output;
  EXPECT_EQ(RunNode({"--master=nowhere"}, &output), 2);
  EXPECT_NE(output.find("--master is 'nowhere'"), std::string::npos) << output;
}

TEST(Node, LeavingEndsInTimeWithoutAMaster) {
  cluster::MasterProcess master;
  ASSERT_TRUE(master.running());
  cluster::NodeProcess node(master, "node", "8MiB");
  ASSERT_TRUE(node.running());
  master.process().Signal(SIGKILL);
  ASSERT_TRUE(master.process().WaitForExit(seconds(10)));
  node.process().Signal(SIGTERM);
  EXPECT_EQ(node.process().WaitForExit(seconds(8)), 0);
}

}  // namespace
}  // namespace kvstore
