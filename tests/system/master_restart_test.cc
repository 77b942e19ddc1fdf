// The master is killed and started again: its nodes come back with what they hold, and whoever
// waits long enough sees a pause.

#include "system/master_restart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/told_value.h"
#include "thread_annotations.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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
  // So is an operator, at once.
  const std::vector<std::vector<std::string>> commands = {{"locate", on_[1]},
                                                          {"evict", on_[1]},
                                                          {"evict", "--bytes", "1MiB"},
                                                          {"drain", "shelf-1"},
                                                          {"drain", "shelf-0"},
                                                          {"copy", "--to", "shelf-1", on_[0]},
                                                          {"copy", "--to", "shelf-0", on_[1]},
                                                          {"ls"}};
  for (std::vector<std::string> words : commands) {
    words.insert(words.begin(), {KVSTORE_KVCTL_PATH, "--master", master_->address()});
    const Finished asked = RunProgram(words);
    EXPECT_EQ(asked.code, 1) << words[3];
    EXPECT_THAT(asked.out + asked.err,
                testing::HasSubstr("1 of the pool's nodes have not reported"))
        << words[3];
  }

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
