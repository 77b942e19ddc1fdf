// The master is killed and started again: its nodes come back with what they hold, and whoever
// waits long enough sees a pause.

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/told_value.h"
#include "thread_annotations.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kCells = 1024;  // 16 KiB
constexpr Duration kLong = seconds(30);

std::string KeyOf(const std::string& kind, size_t i) { return kind + "/" + std::to_string(i); }

// A master with its file and its port, nodes, and a client.
class MasterRestart : public ::testing::Test {
 protected:
  explicit MasterRestart(std::vector<std::string> flags = {}) : flags_(std::move(flags)) {
    std::string folder = std::filesystem::temp_directory_path() / "kvstore-restart-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    flags_.push_back("--port=" + std::to_string(FreePort()));
    flags_.push_back("--state_file=" + (folder_ / "master.state").string());
    flags_.push_back("--quiet_start_ms=1000");
  }
  ~MasterRestart() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void SetUp() override {
    StartMaster();
    nodes_[0] = std::make_unique<NodeProcess>(*master_, "shelf-0", "64MiB");
    nodes_[1] = std::make_unique<NodeProcess>(*master_, "shelf-1", "64MiB");
    client_ = Join(*master_, 0, "client");
    ASSERT_NE(client_, nullptr);
  }

  void StartMaster() {
    master_ = std::make_unique<MasterProcess>(flags_);
    ASSERT_TRUE(master_->running());
  }
  static void Kill(ChildProcess& process) {
    process.Signal(SIGKILL);
    ASSERT_EQ(process.WaitForExit(kLong), 128 + SIGKILL);
  }
  void RestartMaster() {
    Kill(master_->process());
    StartMaster();
  }
  // Until it has told the second master what it holds.
  static void AwaitReport(NodeProcess& node) {
    EXPECT_TRUE(node.process().WaitForLine("reports to the master of term 2", kLong));
  }

  Status Put(const std::string& key, uint32_t version, PutOptions options = {}) {
    return client_->Put(key, ToldValue(key, version, kCells), options);
  }
  // "version V", "wrong bytes", or an error.
  std::string Read(const std::string& key, Duration timeout = kLong) {
    const Result<std::string> got = client_->Get(key, timeout);
    if (!got.ok()) return got.status().ToString();
    const std::optional<uint32_t> version = VersionTold(key, *got);
    return version ? "version " + std::to_string(*version) : "wrong bytes";
  }
  // A node carries out notes in their order: what it was told before this it has confirmed, too.
  void AwaitNotes() {
    PutOptions options{.timeout = kLong, .replace = true, .replicas = 2};
    options.durable = true;
    ASSERT_EQ(Put("fence", 1, options), Status::Ok());
  }
  Incarnation HolderOf(const std::string& key) {
    const Result<ObjectStat> stat = client_->Stat(key, kLong);
    EXPECT_TRUE(stat.ok()) << key << ": " << stat.status();
    return stat.ok() && !stat->replicas.empty() ? stat->replicas[0].holder : Incarnation();
  }
  // Objects until each node has one: `on_[i]` lies on "shelf-i".
  void PutOnBothNodes() {
    PutOptions options{.placement = Placement::kSpread};
    options.durable = true;
    for (size_t i = 0; i < 200 && (on_[0].empty() || on_[1].empty()); ++i) {
      ASSERT_EQ(Put(KeyOf("spread", i), 1, options), Status::Ok());
      const Result<ObjectStat> stat = client_->Stat(KeyOf("spread", i), kLong);
      ASSERT_TRUE(stat.ok()) << stat.status();
      on_[stat->replicas.at(0).node == "shelf-0" ? 0 : 1] = KeyOf("spread", i);
    }
    ASSERT_FALSE(on_[0].empty() || on_[1].empty());
  }

  std::vector<std::string> flags_;
  std::filesystem::path folder_;
  std::unique_ptr<MasterProcess> master_;
  std::array<std::unique_ptr<NodeProcess>, 2> nodes_;
  std::unique_ptr<Client> client_;
  std::array<std::string, 2> on_;
};

// Clients that put, replace and read all the time, with deadlines beyond the restart.
class Load {
 public:
  explicit Load(const MasterProcess& master) {
    for (size_t i = 0; i < kThreads; ++i)
      clients_[i] = Join(master, 0, "load-" + std::to_string(i));
    threads_.emplace_back([this] { Write("durable-load", *clients_[0], true); });
    threads_.emplace_back([this] { Write("load", *clients_[1], false); });
    threads_.emplace_back([this] { ReadAll(*clients_[2]); });
    threads_.emplace_back([this] { WaitAndRemove(*clients_[3]); });
  }
  ~Load() { Stop(); }

  // Until each of them has done so many more whole rounds.
  void AwaitRounds(uint64_t rounds) {
    const TimePoint until = BootClock::now() + 2 * kLong;
    for (std::atomic<uint64_t>& done : done_) {
      const uint64_t before = done;
      while (done < before + rounds && BootClock::now() < until) {
        std::this_thread::sleep_for(milliseconds(5));
      }
      EXPECT_GE(done, before + rounds) << "thread " << &done - done_.data();
    }
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::vector<std::string> errors() {
    MutexLock lock(mu_);
    return errors_;
  }

 private:
  static constexpr size_t kThreads = 4;
  static constexpr size_t kKeys = 8;

  void Fail(const std::string& what) {
    MutexLock lock(mu_);
    errors_.push_back(what);
  }

  void Write(const std::string& kind, Client& client, bool durable) {
    const size_t thread = durable ? 0 : 1;
    for (uint32_t version = 1; !stop_; ++version) {
      const size_t i = version % kKeys;
      const std::string key = KeyOf(kind, i);
      PutOptions options{.timeout = kLong, .replace = true};
      options.durable = durable;
      const Status put = client.Put(key, ToldValue(key, version, kCells), options);
      if (!put.ok()) Fail("put " + key + ": " + put.ToString());
      if (put.ok()) oldest_allowed_[thread][i] = version;
      ++done_[thread];
    }
  }

  void ReadAll(Client& client) {
    for (uint64_t n = 0; !stop_; ++n) {
      const size_t thread = n % 2;
      const size_t i = n / 2 % kKeys;
      const std::string key = KeyOf(thread == 0 ? "durable-load" : "load", i);
      const uint32_t oldest_allowed = oldest_allowed_[thread][i];
      const Result<std::string> got = client.Get(key, kLong);
      if (got.ok()) {
        const std::optional<uint32_t> version = VersionTold(key, *got);
        if (!version) Fail("wrong bytes under " + key);
        if (version && *version < oldest_allowed) Fail("an older version of " + key + " came back");
      } else if (got.status().code() == StatusCode::kNotFound) {
        if (thread == 0 && oldest_allowed > 0) Fail("durable and lost: " + key);
      } else if (!WasReplacedMeanwhile(got.status())) {
        Fail("get " + key + ": " + got.status().ToString());
      }
      ++done_[2];
    }
  }

  // A Get gives up where what replaced the object was replaced in turn while it was read.
  static bool WasReplacedMeanwhile(const Status& status) {
    return status.code() == StatusCode::kUnavailable &&
           status.message().find("was moved, replaced or removed") != std::string::npos;
  }

  void WaitAndRemove(Client& client) {
    for (uint32_t n = 1; !stop_; ++n) {
      const std::string key = "come and go";
      PutOptions options{.timeout = kLong, .replace = true};
      options.durable = true;
      if (const Status put = client.Put(key, ToldValue(key, n, kCells), options); !put.ok()) {
        Fail("put: " + put.ToString());
      }
      if (const Status waited = client.WaitExists(key, kLong); !waited.ok()) {
        Fail("wait: " + waited.ToString());
      }
      if (const Status removed = client.Remove(key, kLong); !removed.ok()) {
        Fail("remove: " + removed.ToString());
      }
      const Result<bool> exists = client.Exists(key, kLong);
      if (!exists.ok()) Fail("exists: " + exists.status().ToString());
      if (exists.ok() && *exists) Fail("what was removed came back");
      ++done_[3];
    }
  }

  std::array<std::unique_ptr<Client>, kThreads> clients_;
  std::array<std::array<std::atomic<uint32_t>, kKeys>, 2> oldest_allowed_{};
  std::array<std::atomic<uint64_t>, kThreads> done_{};
  std::atomic<bool> stop_{false};
  Mutex mu_;
  std::vector<std::string> errors_ GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

class MasterDownFor : public MasterRestart, public ::testing::WithParamInterface<seconds> {};

TEST_P(MasterDownFor, NothingThatWasConfirmedIsLostAndWhoWaitsSeesAPause) {
  constexpr size_t kKeys = 20;
  PutOptions durable;
  durable.durable = true;
  for (size_t i = 0; i < kKeys; ++i) {
    ASSERT_EQ(Put(KeyOf("durable", i), 1, durable), Status::Ok());
    ASSERT_EQ(Put(KeyOf("noted", i), 1), Status::Ok());
    ASSERT_EQ(Put(KeyOf("removed", i), 1, durable), Status::Ok());
    ASSERT_EQ(client_->Remove(KeyOf("removed", i)), Status::Ok());
  }
  AwaitNotes();
  const Incarnation holder = HolderOf(KeyOf("durable", 0));
  Load load(*master_);
  load.AwaitRounds(10);
  Kill(master_->process());
  std::this_thread::sleep_for(GetParam());  // what this test is about
  StartMaster();
  for (const auto& node : nodes_) AwaitReport(*node);
  load.AwaitRounds(10);
  load.Stop();
  EXPECT_EQ(load.errors(), std::vector<std::string>());
  for (size_t i = 0; i < kKeys; ++i) {
    EXPECT_EQ(Read(KeyOf("durable", i)), "version 1") << i;
    EXPECT_EQ(Read(KeyOf("noted", i)), "version 1") << i;
    EXPECT_TRUE(Read(KeyOf("removed", i)).starts_with("not_found")) << i;
  }
  EXPECT_EQ(HolderOf(KeyOf("durable", 0)), holder);
}

INSTANTIATE_TEST_SUITE_P(Seconds, MasterDownFor,
                         ::testing::Values(seconds(0), seconds(1), seconds(5)),
                         [](const auto& test) { return std::to_string(test.param.count()); });

TEST_F(MasterRestart, WhoWaitsTooShortIsToldHowManyNodesAreMissing) {
  PutOnBothNodes();
  const Incarnation holder = HolderOf(on_[1]);
  nodes_[1]->process().Signal(SIGSTOP);
  RestartMaster();
  AwaitReport(*nodes_[0]);
  // What has been reported is served.
  EXPECT_EQ(Read(on_[0]), "version 1");
  // Of all else nobody knows.
  for (const std::string& key : {on_[1], std::string("never put")}) {
    const std::string found = Read(key, milliseconds(500));
    EXPECT_TRUE(found.starts_with("deadline_exceeded")) << found;
    EXPECT_NE(found.find("1 of the pool's nodes have not reported"), std::string::npos) << found;
  }
  const Status put = Put("new", 1, {.timeout = milliseconds(500)});
  EXPECT_EQ(put.code(), StatusCode::kDeadlineExceeded) << put;
  EXPECT_NE(put.message().find("1 of the pool's nodes have not reported"), std::string::npos)
      << put;
  const Status removed = client_->Remove(on_[0], milliseconds(500));
  EXPECT_EQ(removed.code(), StatusCode::kDeadlineExceeded) << removed;

  nodes_[1]->process().Signal(SIGCONT);
  EXPECT_EQ(Read(on_[1]), "version 1");
  EXPECT_EQ(HolderOf(on_[1]), holder);
  EXPECT_TRUE(Read("never put").starts_with("not_found"));
  EXPECT_EQ(Put("new", 1), Status::Ok());
}

class NodesAreSoonGone : public MasterRestart {
 protected:
  NodesAreSoonGone() : MasterRestart({"--gone_after_ms=6000", "--lease_ms=1000"}) {}
};

TEST_F(NodesAreSoonGone, ANodeThatIsKilledWithItsMasterIsWaitedForUntilItIsGone) {
  PutOnBothNodes();
  Kill(nodes_[1]->process());
  RestartMaster();
  EXPECT_EQ(Read(on_[0]), "version 1");
  const std::string early = Read(on_[1], milliseconds(300));
  EXPECT_TRUE(early.starts_with("deadline_exceeded")) << early;
  EXPECT_EQ(Put("new", 1, {.timeout = kLong}), Status::Ok());
  EXPECT_EQ(Read("new"), "version 1");
  EXPECT_TRUE(Read(on_[1]).starts_with("not_found"));
  EXPECT_EQ(Read(on_[0]), "version 1");
}

TEST_F(MasterRestart, RestartsThatFollowOneAnotherLoseNothing) {
  PutOnBothNodes();
  const Incarnation holder = HolderOf(on_[0]);
  for (int restart = 0; restart < 3; ++restart) {
    RestartMaster();
    EXPECT_EQ(Read(on_[0]), "version 1");
    EXPECT_EQ(Read(on_[1]), "version 1");
  }
  EXPECT_EQ(HolderOf(on_[0]), holder);
}

}  // namespace
}  // namespace kvstore::cluster
