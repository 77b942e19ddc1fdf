// Gets of keys whose locations are remembered ask the master nothing, and return nothing that was
// removed or replaced, whatever other processes do.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>

#include "cluster/free_port.h"
#include "system/hostile.h"
#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string KeyOf(size_t i) { return "hot/" + std::to_string(i); }
std::string GetStep(const std::string& key, size_t cells, const std::string& where = "-") {
  return "get " + key + " " + std::to_string(cells) + " " + where;
}

class LongLeases : public OneHost {
 protected:
  LongLeases()
      : OneHost({"--lease_ms=60000", "--gone_after_ms=60000", "--free_share_wanted=0",
                 "--log_level=warning"}) {}
};

TEST_F(LongLeases, HotKeysAskTheMasterNothing) {
  constexpr size_t kKeys = 4;
  constexpr uint64_t kRounds = 50;
  ToldClient reader(master_, "reader");
  for (uint32_t i = 0; i < kKeys; ++i) {
    PutTold(KeyOf(i), i);
    // A yes brings the location along.
    ASSERT_EQ(reader.Do("exists " + KeyOf(i)), "yes");
  }
  const uint64_t asked = reader.Counter("requests");
  EXPECT_EQ(asked, kKeys);
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kKeys; ++i) {
      ASSERT_EQ(reader.Do(GetStep(KeyOf(i), kCells)), "version " + std::to_string(i));
    }
  }
  EXPECT_EQ(reader.Counter("remembered"), kRounds * kKeys);
  EXPECT_EQ(reader.Counter("requests"), asked);
  EXPECT_EQ(reader.Counter("shm_read"), kRounds * kKeys * kBytes);
}

TEST_F(LongLeases, WhatWasReplacedOrRemovedIsNeverReadAgain) {
  ToldClient reader(master_, "reader");
  for (uint32_t version = 1; version <= 20; ++version) {
    SCOPED_TRACE(version);
    const std::string right = "version " + std::to_string(version);
    PutTold("told", version);
    ASSERT_EQ(reader.Do(GetStep("told", kCells)), right);
    ASSERT_EQ(reader.Do(GetStep("told", kCells)), right);
    if (version % 4 != 0) continue;
    if (version % 8 == 0) reader.Stop();
    ASSERT_EQ(writer_->Remove("told"), Status::Ok());
    if (version % 8 == 0) reader.Continue();
    ASSERT_TRUE(reader.Do(GetStep("told", kCells)).starts_with("not_found"));
  }
  EXPECT_EQ(reader.Counter("remembered"), 20u);
  EXPECT_GE(reader.Counter("refused"), 19u);
  EXPECT_EQ(reader.Counter("tcp"), 0u);
}

TEST_F(LongLeases, AReaderStoppedInTheMidstOfARememberedGetReadsWhatIsThereNow) {
  for (const std::string where : {"begin", "half"}) {
    SCOPED_TRACE(where);
    PutTold("told", 1);
    ToldClient reader(master_, "reader", 0, ToldClient::Checksums::kUnchecked);
    ASSERT_EQ(reader.Do(GetStep("told", kCells)), "version 1");
    const int get = reader.Begin(GetStep("told", kCells, where));
    reader.AwaitStop(get, where);
    reader.Stop();
    PutTold("told", 2);
    // Where version 1 was, and everything else that can be had; version 2 among it.
    WriteOverThePool();
    PutTold("told", 3);
    reader.Continue();
    reader.GoOn();
    EXPECT_EQ(reader.Result(get), "version 3");
  }
}

// One client reads as fast as it can while another one replaces and removes what it reads.
TEST_F(LongLeases, ReadersRaceWithReplacements) {
  constexpr size_t kKeys = 4;
  constexpr size_t kHotCells = 4096;
  constexpr uint64_t kReads = 20'000;
  std::array<std::atomic<uint32_t>, kKeys> oldest_allowed{};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> replaced{0};
  std::thread replacing([&] {
    std::mt19937 random(1);
    for (uint32_t version = 1; !stop; ++version) {
      const size_t i = random() % kKeys;
      const std::string value = ToldValue(KeyOf(i), version, kHotCells);
      if (writer_->Put(KeyOf(i), value, {.replace = true}).ok()) oldest_allowed[i] = version;
      if (random() % 8 == 0 && writer_->Remove(KeyOf(i)).ok()) oldest_allowed[i] = version + 1;
      ++replaced;
      // So that locations are worth remembering.
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  uint64_t right = 0;
  std::mt19937 random(2);
  const TimePoint until = BootClock::now() + seconds(75);
  while (right < kReads && BootClock::now() < until) {
    const size_t i = random() % kKeys;
    const uint32_t oldest = oldest_allowed[i];
    const Result<std::string> got = reader_->Get(KeyOf(i), seconds(5));
    if (!got.ok()) {
      // Replaced again while what replaced it was read: a Get gives up then.
      EXPECT_TRUE(got.status().code() == StatusCode::kNotFound ||
                  got.status().code() == StatusCode::kUnavailable)
          << got.status();
      continue;
    }
    const std::optional<uint32_t> version = VersionTold(KeyOf(i), *got);
    EXPECT_TRUE(version.has_value()) << "wrong bytes";
    EXPECT_GE(version.value_or(0), oldest) << "a replaced or removed object came back";
    if (HasFailure()) break;
    ++right;
  }
  stop = true;
  replacing.join();
  const ClientCounters counters = reader_->counters();
  std::printf("right %lu, remembered %lu, refused %lu, replaced %lu\n", right,
              counters.gets_remembered, counters.reads_refused, replaced.load());
  EXPECT_EQ(right, kReads);
  EXPECT_GT(counters.gets_remembered, kReads / 4);
  EXPECT_GT(counters.reads_refused, 0u);
}

class ShortLeases : public OneHost {
 protected:
  ShortLeases()
      : OneHost({"--lease_ms=1500", "--heartbeat_ms=100", "--suspect_after_ms=500",
                 "--gone_after_ms=1500", "--free_share_wanted=0", "--log_level=warning"}) {}
};

TEST_F(ShortLeases, WhatWasEvictedIsNotRead) {
  ToldClient reader(master_, "reader");
  PutTold("told", 1);
  ASSERT_EQ(reader.Do(GetStep("told", kCells)), "version 1");
  ASSERT_EQ(reader.Do(GetStep("told", kCells)), "version 1");
  EXPECT_EQ(reader.Counter("remembered"), 1u);
  ExpectWholePool();  // waits for the lease
  EXPECT_TRUE(reader.Do(GetStep("told", kCells)).starts_with("not_found"));
}

// The remembered location names a holder that another process has replaced, under its name and at
// its address.
TEST_F(ShortLeases, AHolderComesBackUnderItsNameAndPort) {
  KillNode();
  const std::vector<std::string> same = {"--listen=127.0.0.1:" + std::to_string(FreePort())};
  StartNode(same);
  PutTold("told", 1);
  ToldClient reader(master_, "reader");
  ASSERT_EQ(reader.Do(GetStep("told", kCells)), "version 1");
  ASSERT_EQ(reader.Do(GetStep("told", kCells)), "version 1");
  ASSERT_EQ(reader.Counter("remembered"), 1u);
  KillNode();
  StartNode(same);
  const std::string found = reader.Do(GetStep("told", kCells));
  EXPECT_TRUE(found == "version 1" || found.starts_with("unavailable") ||
              found.starts_with("not_found"))
      << found;
  PutTold("told", 2);
  EXPECT_EQ(reader.Do(GetStep("told", kCells)), "version 2");
  EXPECT_EQ(reader.Counter("tcp"), 0u);
}

// A reader and a holder are stopped while one master follows another, over a pool of its own: when
// they go on, the holder's words still stand, and the leases last.
TEST(Successor, NobodyGoesByTheWordOfTheMasterBefore) {
  constexpr size_t kFewCells = 1024;
  const std::string quiet = "--quiet_start_ms=1000";
  MasterProcess first({quiet});
  NodeProcess old_holder(first, "old", "64MiB");
  ToldClient reader(first, "reader");
  const std::string put = " " + std::to_string(kFewCells) + " - 5000";
  ASSERT_EQ(reader.Do("put told 1" + put), "ok");
  ASSERT_EQ(reader.Do(GetStep("told", kFewCells)), "version 1");
  ASSERT_EQ(reader.Do(GetStep("told", kFewCells)), "version 1");
  ASSERT_EQ(reader.Counter("remembered"), 1u);
  reader.Stop();
  old_holder.process().Signal(SIGSTOP);
  first.process().Signal(SIGKILL);
  ASSERT_TRUE(first.process().WaitForExit(seconds(10)).has_value());

  const std::string port = first.address().substr(first.address().rfind(':') + 1);
  MasterProcess second({quiet, "--port=" + port});
  NodeProcess new_holder(second, "new", "64MiB");
  ToldClient writer(second, "writer");
  ASSERT_EQ(writer.Do("put told 2" + put), "ok");
  reader.Continue();
  EXPECT_EQ(reader.Do(GetStep("told", kFewCells)), "version 2");
  old_holder.process().Signal(SIGCONT);
}

}  // namespace
}  // namespace kvstore::cluster
