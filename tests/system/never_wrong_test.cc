// A Get returns exactly the bytes that were committed under its key, or an error: with real
// processes, a pool smaller than the working set, and processes paused and killed.

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/told_value.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kKeys = 48;
constexpr size_t kCells = 16384;  // 256 KiB a value: 48 of them are half as much again as the pool

std::string KeyOf(size_t i) { return "own/" + std::to_string(i); }

// What readers may still see of each key. One thread owns a key and writes it with growing
// versions.
struct Ledger {
  // Versions below this were replaced or removed by an answered call.
  std::array<std::atomic<uint32_t>, kKeys> oldest_allowed{};
  std::atomic<uint64_t> right{0}, missing{0}, failed{0};
  std::atomic<bool> stop{false};
};

void WriteAndRemove(Client& client, size_t first_key, Ledger& ledger) {
  std::mt19937 random(static_cast<uint32_t>(first_key));
  for (uint32_t version = 1; !ledger.stop; ++version) {
    const size_t i = first_key + random() % (kKeys / 2);
    const PutOptions options{.timeout = seconds(5), .replace = true};
    const Status put = client.Put(KeyOf(i), ToldValue(KeyOf(i), version, kCells), options);
    if (put.ok()) ledger.oldest_allowed[i] = version;
    if (put.ok() && random() % 8 == 0 && client.Remove(KeyOf(i), seconds(5)).ok()) {
      ledger.oldest_allowed[i] = version + 1;
    }
  }
}

void ReadAndVerify(Client& client, uint32_t seed, Ledger& ledger) {
  std::mt19937 random(seed);
  while (!ledger.stop) {
    const size_t i = random() % kKeys;
    const uint32_t oldest_allowed = ledger.oldest_allowed[i];
    const Result<std::string> got = client.Get(KeyOf(i), seconds(5));
    if (got.ok()) {
      const std::optional<uint32_t> version = VersionTold(KeyOf(i), *got);
      ASSERT_TRUE(version.has_value()) << "wrong bytes under " << KeyOf(i);
      ASSERT_GE(*version, oldest_allowed) << "a replaced or removed object came back";
      ++ledger.right;
    } else {
      ASSERT_NE(got.status().code(), StatusCode::kDataLoss) << got.status();
      ++(got.status().code() == StatusCode::kNotFound ? ledger.missing : ledger.failed);
    }
  }
}

// Reads what the stranger writes; how many were whole.
void ReadStranger(Client& client, Ledger& ledger, std::atomic<uint64_t>& whole) {
  for (uint32_t n = 0; !ledger.stop; ++n) {
    const std::string key = "stranger/" + std::to_string(n % 8);
    const Result<std::string> got = client.Get(key, seconds(5));
    if (!got.ok()) continue;
    ASSERT_TRUE(VersionTold(key, *got).has_value()) << "wrong bytes under " << key;
    ++whole;
  }
}

class NeverWrong : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(master_.running());
    for (auto& client : clients_) {
      client = Join(master_, 0);
      ASSERT_NE(client, nullptr);
    }
  }

  // Runs writers and readers in this process while `disturb` plays tricks on the others.
  template <typename Disturb>
  void RunWhile(const Disturb& disturb) {
    std::vector<std::thread> threads;
    threads.emplace_back([&] { WriteAndRemove(*clients_[0], 0, ledger_); });
    threads.emplace_back([&] { WriteAndRemove(*clients_[1], kKeys / 2, ledger_); });
    threads.emplace_back([&] { ReadAndVerify(*clients_[2], 1, ledger_); });
    threads.emplace_back([&] { ReadAndVerify(*clients_[0], 2, ledger_); });
    threads.emplace_back([&] { ReadStranger(*clients_[2], ledger_, stranger_whole_); });
    disturb();
    ledger_.stop = true;
    for (std::thread& thread : threads) thread.join();
    std::printf("right %lu, missing %lu, failed %lu, stranger's %lu\n", ledger_.right.load(),
                ledger_.missing.load(), ledger_.failed.load(), stranger_whole_.load());
  }

  // Waits until `more` further reads were right, so that a disturbance has work to disturb.
  void AwaitReads(uint64_t more) {
    const uint64_t target = ledger_.right + more;
    const TimePoint until = BootClock::now() + seconds(60);
    while (ledger_.right < target && BootClock::now() < until) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_GE(ledger_.right, target) << "reads have stopped";
  }

  MasterProcess master_{{"--lease_ms=300", "--suspect_after_ms=400", "--gone_after_ms=1500"}};
  std::array<std::unique_ptr<Client>, 3> clients_;
  Ledger ledger_;
  std::atomic<uint64_t> stranger_whole_{0};
};

TEST_F(NeverWrong, WhenAWriterIsPausedUntilItsMemoryIsWantedByOthers) {
  NodeProcess first(master_, "first", "4MiB");
  NodeProcess second(master_, "second", "4MiB");
  ASSERT_TRUE(first.running() && second.running());
  ChildProcess writer({KVSTORE_TEST_WRITER_PATH, master_.address()});
  ASSERT_TRUE(writer.WaitForLine("writing", seconds(20))) << writer.output();
  RunWhile([&] {
    for (int round = 0; round < 5; ++round) {
      AwaitReads(50);
      writer.Signal(SIGSTOP);
      AwaitReads(400);
      writer.Signal(SIGCONT);
    }
    AwaitReads(50);
  });
  EXPECT_GT(ledger_.right, 1000u);
}

TEST_F(NeverWrong, WhenAWriterIsKilledAtAnyMoment) {
  NodeProcess first(master_, "first", "8MiB");
  ASSERT_TRUE(first.running());
  RunWhile([&] {
    for (int round = 0; round < 5; ++round) {
      ChildProcess writer({KVSTORE_TEST_WRITER_PATH, master_.address()});
      ASSERT_TRUE(writer.WaitForLine("writing", seconds(20))) << writer.output();
      AwaitReads(60);
      writer.Signal(SIGKILL);
    }
  });
}

TEST_F(NeverWrong, WhenAHolderIsPausedUntilItIsGoneAndComesBack) {
  NodeProcess first(master_, "first", "4MiB");
  NodeProcess second(master_, "second", "4MiB");
  ASSERT_TRUE(first.running() && second.running());
  RunWhile([&] {
    for (int round = 0; round < 2; ++round) {
      AwaitReads(100);
      first.process().Signal(SIGSTOP);
      AwaitReads(300);
      first.process().Signal(SIGCONT);
    }
    AwaitReads(100);
  });
}

TEST_F(NeverWrong, WhenAHolderIsKilledAndAnotherStarts) {
  NodeProcess second(master_, "second", "4MiB");
  ASSERT_TRUE(second.running());
  RunWhile([&] {
    for (int round = 0; round < 3; ++round) {
      NodeProcess first(master_, "first", "4MiB");
      ASSERT_TRUE(first.running());
      AwaitReads(100);
      first.process().Signal(SIGKILL);
      AwaitReads(50);
    }
  });
}

}  // namespace
}  // namespace kvstore::cluster
