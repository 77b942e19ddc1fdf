#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/pool_test.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// A pool of 8 MiB in which leases don't keep anything, so that a ninth MiB evicts the coldest.
class KeepTest : public PoolTest {
 protected:
  static constexpr int kRoom = 8;

  void SetUp() override {
    Start({"--lease_ms=0", "--free_share_wanted=0", "--pinned_share_allowed=0.5"});
    client_ = Join(kRoom * kMiB);
    ASSERT_NE(client_, nullptr);
  }

  Status Put(const std::string& key, const PutOptions& options = {}) {
    return client_->Put(key, BytesOf(key, kMiB), options);
  }

  // Objects that nobody wants, until nothing older is left that may be evicted.
  void Flood(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(Put("flood" + std::to_string(flood_++)), Status::Ok());
    }
  }

  bool IsThere(const std::string& key) {
    const Result<bool> there = client_->Exists(key);
    EXPECT_TRUE(there.ok()) << there.status();
    return there.ok() && *there;
  }

  std::unique_ptr<Client> client_;
  int flood_ = 0;
};

TEST_F(KeepTest, APinnedObjectOutlastsAllOthersUntilItIsUnpinned) {
  ASSERT_EQ(Put("pinned", {.hard_pin = true}), Status::Ok());
  ASSERT_EQ(Put("plain"), Status::Ok());
  Flood(3 * kRoom);
  EXPECT_FALSE(IsThere("plain"));
  EXPECT_EQ(*client_->Get("pinned"), BytesOf("pinned", kMiB));
  EXPECT_TRUE(client_->Stat("pinned")->retention.hard_pin);

  EXPECT_EQ(client_->Pin("pinned", {}), Status::Ok());
  EXPECT_EQ(client_->Stat("pinned")->retention, Retention());
  Flood(2 * kRoom);
  EXPECT_FALSE(IsThere("pinned"));
  EXPECT_EQ(client_->Pin("pinned", {.hard = true}).code(), StatusCode::kNotFound);
}

TEST_F(KeepTest, ASoftPinHoldsAsLongAsAnythingElseMayBeEvicted) {
  ASSERT_EQ(Put("soft"), Status::Ok());
  EXPECT_EQ(client_->Pin("soft", {.soft = std::chrono::hours(1)}), Status::Ok());
  Flood(3 * kRoom);
  EXPECT_TRUE(IsThere("soft"));
  ASSERT_EQ(client_->Put("all", BytesOf("all", kRoom * kMiB)), Status::Ok());
  EXPECT_FALSE(IsThere("soft"));
}

TEST_F(KeepTest, OnlyHalfOfTheMemoryMayBePinned) {
  for (const char* key : {"1", "2", "3", "4"}) {
    ASSERT_EQ(Put(key, {.hard_pin = true}), Status::Ok());
  }
  const Status refused = Put("5", {.hard_pin = true});
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("of 8.0 MiB lent in all, at most 4.0 MiB may be"));
  ASSERT_EQ(Put("5"), Status::Ok());
  EXPECT_EQ(client_->Pin("5", {.hard = true}).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(client_->Remove("1"), Status::Ok());
  EXPECT_EQ(client_->Pin("5", {.hard = true}), Status::Ok());
}

TEST_F(KeepTest, AGroupIsEvictedAsOne) {
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(Put(key, {.group = "g"}), Status::Ok());
  EXPECT_EQ(client_->Stat("a")->retention.group, "g");
  Flood(kRoom - 3);
  EXPECT_TRUE(IsThere("c"));
  Flood(1);
  for (const char* key : {"a", "b", "c"}) EXPECT_FALSE(IsThere(key)) << key;
}

TEST_F(KeepTest, OfAChainTheTailGoesFirst) {
  const std::string bytes = BytesOf("chain", kMiB);
  const ConstPiece piece{bytes.data(), bytes.size()};
  const std::vector<PutItem> chain = {
      {"0", {&piece, 1}, 0}, {"1", {&piece, 1}, 1}, {"2", {&piece, 1}, 2}};
  for (const Status& status : client_->Put(chain)) ASSERT_EQ(status, Status::Ok());
  Flood(kRoom - 2);
  EXPECT_TRUE(IsThere("0"));
  EXPECT_TRUE(IsThere("1"));
  EXPECT_FALSE(IsThere("2"));
}

TEST_F(KeepTest, AnObjectMadeInPlaceIsKeptLikeAnyOther) {
  Result<std::unique_ptr<NewObject>> made =
      client_->Create("made", kMiB, {.hard_pin = true, .group = "g"});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ((*made)->Seal(), Status::Ok());
  made->reset();
  Flood(2 * kRoom);
  const Result<ObjectStat> stat = client_->Stat("made");
  ASSERT_TRUE(stat.ok());
  EXPECT_TRUE(stat->retention.hard_pin);
  EXPECT_EQ(stat->retention.group, "g");
}

TEST_F(KeepTest, AllOfAPrefixAreRemovedAndCounted) {
  for (const char* key : {"x/1", "x/2", "y"}) ASSERT_EQ(Put(key), Status::Ok());
  EXPECT_EQ(*client_->RemoveMatching("x/"), 2u);
  EXPECT_FALSE(IsThere("x/1"));
  EXPECT_TRUE(IsThere("y"));
  EXPECT_EQ(*client_->RemoveMatching("x/"), 0u);
  EXPECT_EQ(*client_->RemoveMatching(""), 1u);
}

// Leases outlast the object here, so that a location would be remembered beyond its end.
class ExpiryTest : public PoolTest {
 protected:
  void SetUp() override {
    Start({"--lease_ms=60000", "--gone_after_ms=60000"});
    near_ = Join(8 * kMiB, "near");
    far_ = Join(0, "far");
    ASSERT_TRUE(near_ && far_);
  }

  std::unique_ptr<Client> near_;
  std::unique_ptr<Client> far_;
};

TEST_F(ExpiryTest, NobodyReadsAnObjectBeyondItsTtlNotEvenWhereItWasRemembered) {
  // Longer each time, until the machine was fast enough for a second read.
  for (auto ttl = milliseconds(500); far_->counters().gets_remembered == 0; ttl *= 2) {
    ASSERT_LT(ttl, seconds(30));
    const TimePoint before = BootClock::now();
    ASSERT_EQ(near_->Put("k", "v", {.ttl = ttl}), Status::Ok());
    const TimePoint committed = BootClock::now();
    TimePoint last_read{};
    Status status;
    while (status.ok()) {
      const TimePoint asked = BootClock::now();
      ASSERT_LT(asked, committed + ttl + seconds(30));
      status = far_->Get("k").status();
      if (status.ok()) last_read = asked;
    }
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_LT(last_read, committed + ttl);
    EXPECT_GE(BootClock::now(), before + ttl);
  }
  EXPECT_EQ(near_->Put("k", "w"), Status::Ok());
}

}  // namespace
}  // namespace kvstore
