// Descriptors used up, in a master, a node and a client: what is connected goes on, what is new is
// refused or waits, nobody spins, and all is well again when there are some.

#include "system/descriptors.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/free_port.h"
#include "system/hostile.h"
#include "system/told_value.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSoon = seconds(30);

uint16_t PortOf(const MasterProcess& master) {
  return static_cast<uint16_t>(std::stoi(master.address().substr(master.address().rfind(':') + 1)));
}

// What a process has run so far.
Duration CpuTime(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text, ')');
  std::vector<std::string> words;
  for (std::string word; file >> word;) words.push_back(word);
  const long ticks = std::stol(words.at(11)) + std::stol(words.at(12));
  return seconds(1) * ticks / sysconf(_SC_CLK_TCK);
}

// Whether it runs for less than half of the time for a second.
bool IsAtRest(pid_t pid) {
  const Duration before = CpuTime(pid);
  ChildProcess second({"/bin/sleep", "1"});
  EXPECT_EQ(second.WaitForExit(kSoon), 0);
  return CpuTime(pid) - before < milliseconds(500);
}

Result<std::unique_ptr<Client>> JoinWithin(const MasterProcess& master, Duration time,
                                           std::vector<transfer::Way> ways = {}) {
  ClientOptions options;
  options.master = master.address();
  options.connect_timeout = time;
  options.ways = std::move(ways);
  return Client::Connect(options);
}

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// UBSan looks at memory through a pipe: without descriptors it takes every object for a bad one.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitizerNeedsDescriptors = true;
#else
constexpr bool kSanitizerNeedsDescriptors = false;
#endif
constexpr char kWhySkipped[] = "UBSan can't go on without a descriptor";

class UsedUp : public ::testing::Test {
 protected:
  void SetUp() override {
    std::remove(state_.c_str());
    master_ = std::make_unique<MasterProcess>(std::vector<std::string>{
        "--state_file=" + state_, "--metrics_port=" + std::to_string(FreePort())});
    ASSERT_TRUE(master_->running());
  }

  void StartNode(const std::vector<std::string>& flags = {}) {
    node_ = std::make_unique<NodeProcess>(*master_, "shelf", "8MiB", flags);
    ASSERT_TRUE(node_->running());
  }

  pid_t master_pid() { return master_->process().pid(); }

  // The master strikes the node from its state file, and serves that client meanwhile.
  void ExpectForgotten(Client& client) {
    const TimePoint until = BootClock::now() + kSoon;
    while (ReadFile(state_).find("shelf") != std::string::npos && BootClock::now() < until) {
      EXPECT_TRUE(client.Exists("key").ok());
    }
    EXPECT_EQ(ReadFile(state_).find("shelf"), std::string::npos);
  }

  const std::string state_ = TempPath("descriptors.state");
  std::unique_ptr<MasterProcess> master_;
  std::unique_ptr<NodeProcess> node_;
};

TEST_F(UsedUp, AMasterKeepsTheLastOnesForItsStateFile) {
  StartNode();
  const auto client = Join(*master_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
  {
    const FewDescriptors few(master_pid(), 24);
    std::vector<std::unique_ptr<HostileConnection>> crowd;
    for (int i = 0; i < 100; ++i)
      crowd.push_back(std::make_unique<HostileConnection>(PortOf(*master_)));
    ASSERT_TRUE(master_->process().WaitForLine("new connections are refused", kSoon));
    EXPECT_TRUE(crowd.back()->ClosedByPeerWithin(20));
    // Who is connected goes on, with what takes a descriptor in the master, too.
    EXPECT_EQ(client->Put("other", ToldValue("other", 1, 4096)), Status::Ok());
    EXPECT_TRUE(client->Get("key").ok());
    EXPECT_NE(ReadFile(state_).find("shelf"), std::string::npos);
    node_->process().Signal(SIGTERM);
    EXPECT_EQ(node_->process().WaitForExit(kSoon), 0);
    ExpectForgotten(*client);
  }
  StartNode();
  EXPECT_EQ(client->Put("key", ToldValue("key", 2, 4096)), Status::Ok());
  const std::string refused = master_->Metric("kvstore_connections_refused_total");
  EXPECT_NE(refused, "");
  EXPECT_NE(refused, "kvstore_connections_refused_total 0\n");
  // At a limited rate: one line in ten seconds.
  EXPECT_LE(Count(master_->process().output(), "new connections are refused"), 3u);
}

TEST_F(UsedUp, AMasterThatHasNoneLetsConnectionsWait) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << kWhySkipped;
  StartNode();
  const auto client = Join(*master_);
  ASSERT_NE(client, nullptr);
  std::unique_ptr<HostileConnection> waiting;
  {
    const FewDescriptors few(master_pid());
    waiting = std::make_unique<HostileConnection>(PortOf(*master_));
    ASSERT_TRUE(master_->process().WaitForLine("new connections wait: Too many open files", kSoon));
    EXPECT_TRUE(IsAtRest(master_pid()));
    EXPECT_EQ(client->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
    EXPECT_TRUE(client->Get("key").ok());
    // A dead node is not forgotten before that is written down: it can't be, and the log says why.
    node_->process().Signal(SIGTERM);
    ASSERT_TRUE(master_->process().WaitForLine("Too many open files; raise the limit", kSoon));
  }
  ExpectForgotten(*client);
  StartNode();
  EXPECT_EQ(client->Put("key", ToldValue("key", 2, 4096)), Status::Ok());
}

// Peers are served by turns, and the node's last descriptors are not theirs.
TEST_F(UsedUp, ANodeServesMorePeersThanItHasDescriptors) {
  ChildProcess node({"/bin/bash", "-c",
                     "ulimit -Sn 48; exec " KVSTORE_NODE_PATH
                     " --name=shelf --lend=8MiB --ways=tcp "
                     "--master=" +
                         master_->address()});
  ASSERT_TRUE(node.WaitForLine(" ready", kSoon)) << node.output();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(Join(*master_));
    ASSERT_NE(clients.back(), nullptr);
  }
  ASSERT_EQ(clients[0]->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
  for (int round = 0; round < 2; ++round) {
    for (const auto& client : clients) {
      const Result<std::string> got = client->Get("key", kSoon);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(VersionTold("key", *got), 1u);
    }
  }
  EXPECT_LE(Descriptors(node.pid()).size(), 44u);
  EXPECT_EQ(node.output().find("Too many open files"), std::string::npos) << node.output();
}

TEST_F(UsedUp, ANodeThatHasNoneServesWhoIsConnected) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << kWhySkipped;
  StartNode();
  const auto over_tcp = JoinWithin(*master_, kSoon, {transfer::Way::kTcp});
  const auto in_place = Join(*master_);
  const auto later = Join(*master_);
  ASSERT_TRUE(over_tcp.ok()) << over_tcp.status();
  EXPECT_EQ((*over_tcp)->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
  EXPECT_TRUE(in_place->Get("key").ok());
  {
    const FewDescriptors few(node_->process().pid());
    EXPECT_FALSE(later->Get("key", seconds(1)).ok());
    ASSERT_TRUE(node_->process().WaitForLine("new connections of peers wait", kSoon));
    EXPECT_TRUE(IsAtRest(node_->process().pid()));
    for (Client* const client : {over_tcp->get(), in_place.get()}) {
      const Result<std::string> got = client->Get("key", kSoon);
      ASSERT_TRUE(got.ok()) << got.status() << "\n" << node_->process().output();
      EXPECT_EQ(VersionTold("key", *got), 1u);
    }
  }
  const TimePoint until = BootClock::now() + kSoon;
  Result<std::string> got = later->Get("key", kSoon);
  while (!got.ok() && BootClock::now() < until) got = later->Get("key", kSoon);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(VersionTold("key", *got), 1u);
}

// It is told so, and doesn't blame the holders.
TEST_F(UsedUp, AClientThatHasNoneIsToldSo) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << kWhySkipped;
  StartNode();
  const auto known = Join(*master_);
  const auto client = Join(*master_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(known->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
  EXPECT_TRUE(known->Get("key").ok());
  {
    const FewDescriptors few(getpid());
    const Result<std::string> got = client->Get("key", kSoon);
    EXPECT_EQ(got.status().code(), StatusCode::kResourceExhausted) << got.status();
    EXPECT_NE(got.status().message().find("Too many open files"), std::string::npos)
        << got.status();
    const Status put = client->Put("other", ToldValue("other", 1, 4096), {.timeout = seconds(2)});
    // Not resource_exhausted, which says of a put that the pool has no room.
    EXPECT_EQ(put.code(), StatusCode::kUnavailable) << put;
    EXPECT_NE(put.message().find("Too many open files"), std::string::npos) << put;
    EXPECT_TRUE(known->Get("key", kSoon).ok());
    const auto newcomer = JoinWithin(*master_, seconds(1));
    EXPECT_EQ(newcomer.status().code(), StatusCode::kResourceExhausted) << newcomer.status();
  }
  EXPECT_EQ(client->Put("other", ToldValue("other", 1, 4096), {.timeout = kSoon}), Status::Ok());
  const Result<std::string> got = client->Get("key", kSoon);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(VersionTold("key", *got), 1u);
  EXPECT_EQ(master_->Metric("kvstore_nodes_sick "), "kvstore_nodes_sick 0\n");
}

// gRPC would end the process.
TEST_F(UsedUp, TooFewToBeginIsAClearError) {
  const std::string master = std::string(KVSTORE_MASTER_PATH) + " --port=0 --metrics_port=0 " +
                             "--state_file=none --quiet_start_ms=0";
  const std::string node = std::string(KVSTORE_NODE_PATH) + " --master=" + master_->address();
  const std::string kvctl =
      std::string(KVSTORE_KVCTL_PATH) + " --master=" + master_->address() + " get key";
  for (const std::string& program : {master, node, kvctl}) {
    for (const int limit : {6, 8, 12}) {
      const Finished ended = RunProgram(
          {"/bin/bash", "-c", "ulimit -Sn " + std::to_string(limit) + "; exec " + program});
      EXPECT_EQ(ended.code, 1) << program << " with " << limit;
      EXPECT_NE(ended.err.find("Too many open files"), std::string::npos) << ended.err;
    }
  }
}

}  // namespace
}  // namespace kvstore::cluster
