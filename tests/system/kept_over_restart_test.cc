// How objects are to be kept outlives the master.

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "system/master_restart.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

class ObjectsAreKept : public MasterRestart {
 protected:
  ObjectsAreKept() : MasterRestart({"--lease_ms=1000"}) {}

  Retention RetentionOf(const std::string& key) {
    const Result<ObjectStat> stat = client_->Stat(key, kLong);
    EXPECT_TRUE(stat.ok()) << key << ": " << stat.status();
    return stat.ok() ? stat->retention : Retention{};
  }
  // Twice as much as the pool can hold.
  void FillThePool() {
    const std::string filling(1 << 20, 'x');
    for (size_t i = 0; i < 256; ++i) {
      ASSERT_EQ(client_->Put(KeyOf("filling", i), filling, {.timeout = kLong}), Status::Ok());
    }
  }
};

TEST_F(ObjectsAreKept, PinsAreAsTheyWereAndHold) {
  const auto put = [&](const std::string& key, PutOptions options) {
    options.durable = true;
    ASSERT_EQ(Put(key, 1, options), Status::Ok());
  };
  put("plain", {});
  put("pinned", {.hard_pin = true});
  put("pinned by two", {.replicas = 2, .hard_pin = true});
  put("pinned later", {});
  put("unpinned later", {.hard_pin = true});
  put("softly", {.soft_pin = std::chrono::hours(1)});
  put("of a group", {.group = "group"});
  ASSERT_EQ(client_->Pin("pinned later", {.hard = true}), Status::Ok());
  ASSERT_EQ(client_->Pin("unpinned later", {}), Status::Ok());
  RestartMaster();
  EXPECT_FALSE(RetentionOf("plain").hard_pin);
  for (const char* key : {"pinned", "pinned by two", "pinned later"}) {
    EXPECT_TRUE(RetentionOf(key).hard_pin) << key;
  }
  EXPECT_FALSE(RetentionOf("unpinned later").hard_pin);
  EXPECT_GT(RetentionOf("softly").soft_pin, std::chrono::minutes(50));
  EXPECT_LT(RetentionOf("softly").soft_pin, std::chrono::hours(1));
  EXPECT_EQ(RetentionOf("of a group").group, "group");

  FillThePool();
  for (const char* key : {"pinned", "pinned by two", "pinned later"}) {
    EXPECT_EQ(Read(key), "version 1") << key;
  }
  for (const char* key : {"plain", "unpinned later", "of a group"}) {
    EXPECT_TRUE(Read(key).starts_with("not_found")) << key;
  }
}

TEST_F(ObjectsAreKept, APinIsAnsweredOnlyWhenTheNextMasterWouldKnowIt) {
  PutOptions options{.replicas = 2};
  options.durable = true;
  ASSERT_EQ(Put("key", 1, options), Status::Ok());
  nodes_[1]->process().Signal(SIGSTOP);
  EXPECT_EQ(client_->Pin("key", {.hard = true}, seconds(1)).code(), StatusCode::kDeadlineExceeded);
  nodes_[1]->process().Signal(SIGCONT);
  ASSERT_EQ(client_->Pin("key", {.hard = true}, kLong), Status::Ok());

  RestartMaster();
  EXPECT_TRUE(RetentionOf("key").hard_pin);
  ASSERT_EQ(client_->Pin("key", {}, kLong), Status::Ok());
  RestartMaster();
  EXPECT_FALSE(RetentionOf("key").hard_pin);
}

TEST_F(ObjectsAreKept, TimesToLiveGoOnAndEnd) {
  constexpr Duration kTtl = seconds(5);
  PutOptions options{.hard_pin = true, .ttl = std::chrono::hours(1)};
  options.durable = true;
  ASSERT_EQ(Put("long", 1, options), Status::Ok());
  options.ttl = kTtl;
  const TimePoint before = BootClock::now();
  ASSERT_EQ(Put("short", 1, options), Status::Ok());
  const TimePoint after = BootClock::now();

  Kill(master_->process());
  std::this_thread::sleep_for(seconds(2));  // without a master: the time that must have passed
  StartMaster();
  const Duration left = RetentionOf("long").ttl;
  EXPECT_LT(left, std::chrono::hours(1) - seconds(1));
  EXPECT_GT(left, std::chrono::minutes(50));
  TimePoint last_read{}, asked{}, answered{};
  std::string read;
  do {
    asked = BootClock::now();
    read = Read("short");
    answered = BootClock::now();
    if (read == "version 1") last_read = asked;
  } while (read == "version 1" && asked < after + kLong);
  EXPECT_TRUE(read.starts_with("not_found")) << read;
  EXPECT_GE(answered - before, kTtl);
  EXPECT_LT(last_read - after, kTtl + seconds(2));
  EXPECT_EQ(Read("long"), "version 1");
}

}  // namespace
}  // namespace kvstore::cluster
