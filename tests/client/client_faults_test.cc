// Clients whose master, peers or process end at the wrong moment.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/pool_test.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClientFaultsTest : public PoolTest {
 protected:
  // A master that gives nodes up soon.
  void SetUp() override { Start(flags_); }

  // Kills the master and starts another one on its port.
  void RestartMaster() {
    const std::string address = master_->address();
    master_->process().Signal(SIGKILL);
    ASSERT_TRUE(master_->process().WaitForExit(seconds(10)));
    std::vector<std::string> flags = flags_;
    flags.push_back("--port=" + address.substr(address.rfind(':') + 1));
    Start(flags);
    ASSERT_EQ(master_->address(), address);
  }

  const std::vector<std::string> flags_ = {"--lease_ms=200",
                                           "--heartbeat_ms=50",
                                           cluster::SuspectAfter(1500),
                                           "--abort_writer_after_ms=300",
                                           "--gone_after_ms=2400",
                                           "--order_resend_ms=100"};
};

// Until `call` gives OK, for at most 20 s; the last status.
template <typename Call>
Status Eventually(const Call& call) {
  const TimePoint until = BootClock::now() + seconds(20);
  Status status = call();
  while (!status.ok() && BootClock::now() < until) status = call();
  return status;
}

PutOptions Within(Duration timeout) {
  PutOptions options;
  options.timeout = timeout;
  return options;
}

TEST_F(ClientFaultsTest, AfterAMasterWasLostNodesJoinTheNextOneEmpty) {
  const std::unique_ptr<Client> lender = Join(32 * kMiB, "lender");
  const std::unique_ptr<Client> guest = Join(0, "guest");
  const Incarnation before = lender->incarnation();
  ASSERT_EQ(guest->Put("old", BytesOf("old", kMiB)), Status::Ok());
  ASSERT_EQ(*guest->Get("old"), BytesOf("old", kMiB));
  RestartMaster();

  const std::string bytes = BytesOf("new", kMiB);
  EXPECT_EQ(Eventually([&] { return guest->Put("new", bytes, Within(seconds(1))); }), Status::Ok());
  EXPECT_EQ(*guest->Get("new"), bytes);
  EXPECT_EQ(*lender->Get("new"), bytes);
  EXPECT_EQ(guest->Get("old").status().code(), StatusCode::kNotFound);
  EXPECT_NE(lender->incarnation(), before);
}

TEST_F(ClientFaultsTest, CallsMadeWhileThereIsNoMasterEndInTime) {
  const std::unique_ptr<Client> client = Join(8 * kMiB);
  ASSERT_EQ(client->Put("k", "bytes"), Status::Ok());
  master_->process().Signal(SIGKILL);
  ASSERT_TRUE(master_->process().WaitForExit(seconds(10)));
  const TimePoint began = BootClock::now();
  EXPECT_FALSE(client->Put("other", "bytes", Within(milliseconds(300))).ok());
  EXPECT_FALSE(client->Exists("k", milliseconds(300)).ok());
  EXPECT_FALSE(client->Get("other", milliseconds(300)).ok());
  EXPECT_LT(BootClock::now() - began, seconds(5));
}

TEST_F(ClientFaultsTest, LeavingIsBoundedWhenTheMasterIsDead) {
  std::unique_ptr<Client> client = Join(8 * kMiB);
  master_->process().Signal(SIGKILL);
  ASSERT_TRUE(master_->process().WaitForExit(seconds(10)));
  const TimePoint began = BootClock::now();
  client.reset();
  EXPECT_LT(BootClock::now() - began, seconds(10));  // gRPC finds out after 15
}

TEST_F(ClientFaultsTest, LeavingIsBoundedWhenTheMasterIsStopped) {
  std::unique_ptr<Client> client = Join(8 * kMiB);
  master_->process().Signal(SIGSTOP);
  const TimePoint began = BootClock::now();
  client.reset();
  EXPECT_LT(BootClock::now() - began, seconds(10));  // gRPC finds out after 15
  master_->process().Signal(SIGCONT);
}

TEST_F(ClientFaultsTest, NoWrongByteWhileTheMasterIsKilledAgainAndAgain) {
  const std::unique_ptr<Client> lender = Join(16 * kMiB, "lender");
  const std::unique_ptr<Client> guest = Join(0, "guest");
  std::atomic<bool> over{false};
  std::atomic<int> right{0};
  const auto work = [&](Client& client, int first) {
    for (int i = first; !over; i += 2) {
      const std::string key = std::to_string(i % 40);
      const std::string bytes = BytesOf(key, 200'000 + static_cast<size_t>(i % 40) * 1009);
      (void)client.Put(key, bytes, Within(milliseconds(500)));
      const Result<std::string> value = client.Get(std::to_string((i + 7) % 40), milliseconds(500));
      if (!value.ok()) continue;
      ++right;
      EXPECT_EQ(*value, BytesOf(std::to_string((i + 7) % 40),
                                200'000 + static_cast<size_t>((i + 7) % 40) * 1009));
    }
  };
  std::thread first([&] { work(*lender, 0); });
  std::thread second([&] { work(*guest, 1); });
  for (int i = 0; i < 3; ++i) {
    RestartMaster();
    const int seen = right;
    const TimePoint until = BootClock::now() + seconds(20);
    while (right < seen + 20 && BootClock::now() < until) std::this_thread::yield();
    EXPECT_GE(right, seen + 20) << "the clients did not recover from restart " << i;
  }
  over = true;
  first.join();
  second.join();
}

TEST_F(ClientFaultsTest, AKilledNodesObjectsAreReadFromTheirOtherReplica) {
  auto node = std::make_unique<cluster::NodeProcess>(*master_, "doomed", "32MiB");
  ASSERT_TRUE(node->running());
  const std::unique_ptr<Client> lender = Join(32 * kMiB, "lender");
  const std::unique_ptr<Client> guest = Join(0, "guest");
  PutOptions twice;
  twice.replicas = 2;
  const std::string bytes = BytesOf("k", 2 * kMiB);
  ASSERT_EQ(guest->Put("k", bytes, twice), Status::Ok());
  node.reset();  // SIGKILL
  for (int i = 0; i < 5; ++i) {
    const Result<std::string> value = guest->Get("k", seconds(20));
    ASSERT_TRUE(value.ok()) << value.status();
    ASSERT_EQ(*value, bytes);
  }
}

TEST_F(ClientFaultsTest, AKilledNodesOnlyReplicasAreErrorsAndThenForgotten) {
  auto node = std::make_unique<cluster::NodeProcess>(*master_, "doomed", "32MiB");
  ASSERT_TRUE(node->running());
  const std::unique_ptr<Client> guest = Join(0, "guest");
  ASSERT_EQ(guest->Put("k", BytesOf("k", kMiB)), Status::Ok());
  node.reset();  // SIGKILL
  const Result<std::string> value = guest->Get("k", seconds(2));
  ASSERT_FALSE(value.ok());
  EXPECT_NE(value.status().code(), StatusCode::kInternal) << value.status();
  EXPECT_EQ(Eventually([&] {
              const Result<bool> exists = guest->Exists("k");
              if (!exists.ok()) return exists.status();
              return *exists ? UnavailableError("still there") : Status::Ok();
            }),
            Status::Ok());
  EXPECT_EQ(Eventually([&] {
              const StatusCode code = guest->Stat("k").status().code();
              return code == StatusCode::kNotFound ? Status::Ok() : UnavailableError("remembered");
            }),
            Status::Ok());
}

TEST_F(ClientFaultsTest, ANodeThatSleptTooLongComesBackAsAnother) {
  cluster::NodeProcess node(*master_, "sleeper", "32MiB");
  ASSERT_TRUE(node.running());
  const std::unique_ptr<Client> guest = Join(0, "guest");
  ASSERT_EQ(guest->Put("k", BytesOf("k", kMiB)), Status::Ok());
  node.process().Signal(SIGSTOP);
  EXPECT_EQ(Eventually([&] {
              // Exists says no before that, while the node is hoped for.
              const StatusCode code = guest->Stat("k").status().code();
              return code == StatusCode::kNotFound ? Status::Ok() : UnavailableError("still there");
            }),
            Status::Ok());
  node.process().Signal(SIGCONT);
  const std::string bytes = BytesOf("k", kMiB, 2);
  EXPECT_EQ(Eventually([&] { return guest->Put("k", bytes, Within(seconds(1))); }), Status::Ok());
  EXPECT_EQ(*guest->Get("k"), bytes);
}

TEST_F(ClientFaultsTest, AForkedChildIsRefusedAndItsParentGoesOn) {
  std::unique_ptr<Client> client = Join(8 * kMiB);
  ASSERT_EQ(client->Put("k", "bytes"), Status::Ok());
  const pid_t child = fork();
  if (child == 0) {
    int wrong = 0;
    if (client->Put("c", "x").code() != StatusCode::kFailedPrecondition) wrong |= 1;
    if (client->Get("k").status().code() != StatusCode::kFailedPrecondition) wrong |= 2;
    if (client->Exists("k").status().code() != StatusCode::kFailedPrecondition) wrong |= 4;
    if (client->Remove("k").code() != StatusCode::kFailedPrecondition) wrong |= 8;
    if (client->RegisterMemory(&wrong, 4).code() != StatusCode::kFailedPrecondition) wrong |= 16;
    if (!client->incarnation().IsNone()) wrong |= 32;
    client.reset();
    _exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*client->Get("k"), "bytes");
  EXPECT_EQ(client->Put("p", "more"), Status::Ok());
}

TEST_F(ClientFaultsTest, ANodeEndsCleanlyOnASignal) {
  cluster::NodeProcess node(*master_, "leaver", "32MiB");
  ASSERT_TRUE(node.running());
  const std::unique_ptr<Client> guest = Join(0, "guest");
  ASSERT_EQ(guest->Put("k", "bytes"), Status::Ok());
  node.process().Signal(SIGTERM);
  EXPECT_EQ(node.process().WaitForExit(seconds(20)), 0);
  EXPECT_EQ(guest->Get("k", seconds(20)).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvstore
