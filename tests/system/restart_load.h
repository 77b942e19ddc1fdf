#ifndef KVSTORE_TESTS_SYSTEM_RESTART_LOAD_H_
#define KVSTORE_TESTS_SYSTEM_RESTART_LOAD_H_

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/master_restart.h"
#include "system/told_value.h"
#include "thread_annotations.h"

namespace kvstore::cluster {

// Clients that put, replace and read all the time, with deadlines beyond the restart: whatever they
// are told but what they may be told is an error.
class RestartLoad {
 public:
  explicit RestartLoad(const MasterProcess& master) {
    for (size_t i = 0; i < kThreads; ++i)
      clients_[i] = Join(master, 0, "load-" + std::to_string(i));
    threads_.emplace_back([this] { Write("durable-load", *clients_[0], true); });
    threads_.emplace_back([this] { Write("load", *clients_[1], false); });
    threads_.emplace_back([this] { ReadAll(*clients_[2]); });
    threads_.emplace_back([this] { WaitAndRemove(*clients_[3]); });
  }
  ~RestartLoad() { Stop(); }

  // Until each of them has done so many more whole rounds.
  void AwaitRounds(uint64_t rounds) {
    const TimePoint until = BootClock::now() + 2 * kLong;
    for (std::atomic<uint64_t>& done : done_) {
      const uint64_t before = done;
      while (done < before + rounds && BootClock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      EXPECT_GE(done, before + rounds) << "thread " << &done - done_.data();
    }
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  // The longest that a put took to be answered since this was last asked.
  Duration TakePause() { return Duration(longest_put_.exchange(0)); }
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

  void NotePut(Duration took) {
    Duration::rep longest = longest_put_;
    while (took.count() > longest && !longest_put_.compare_exchange_weak(longest, took.count())) {
    }
  }

  void Write(const std::string& kind, Client& client, bool durable) {
    const size_t thread = durable ? 0 : 1;
    for (uint32_t version = 1; !stop_; ++version) {
      const size_t i = version % kKeys;
      const std::string key = KeyOf(kind, i);
      PutOptions options{.timeout = kLong, .replace = true};
      options.durable = durable;
      const TimePoint began = BootClock::now();
      const Status put = client.Put(key, ToldValue(key, version, kCells), options);
      NotePut(BootClock::now() - began);
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
  std::atomic<Duration::rep> longest_put_{0};
  std::atomic<bool> stop_{false};
  Mutex mu_;
  std::vector<std::string> errors_ GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_RESTART_LOAD_H_
