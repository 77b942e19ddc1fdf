#include "client/locations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace kvstore::client {
namespace {

using std::chrono::seconds;

constexpr Incarnation kSelf{1, 1};
constexpr TimePoint kNow{std::chrono::hours(1)};

PutId Put(uint64_t sequence) { return {{9, 9}, sequence}; }

std::shared_ptr<const Location> LocationOf(uint64_t sequence, TimePoint until = kNow + seconds(5)) {
  auto location = std::make_shared<Location>();
  location->put = Put(sequence);
  location->learned_as = kSelf;
  location->until = until;
  return location;
}

TEST(LocationsTest, WhatIsRememberedIsHandedOutWithoutACopy) {
  Locations locations(10);
  const auto location = LocationOf(1);
  locations.Remember("k", location);
  EXPECT_EQ(locations.Find("k", kSelf, kNow), location);
  EXPECT_EQ(locations.Find("other", kSelf, kNow), nullptr);
}

TEST(LocationsTest, ItIsRememberedForItsLeaseAndThenForgotten) {
  Locations locations(10);
  locations.Remember("k", LocationOf(1, kNow + seconds(5)));
  EXPECT_NE(locations.Find("k", kSelf, kNow + seconds(5) - Duration(1)), nullptr);
  EXPECT_EQ(locations.Find("k", kSelf, kNow + seconds(5)), nullptr);
  EXPECT_EQ(locations.size(), 0u);
}

TEST(LocationsTest, WithoutALeaseNothingIsRememberedAndTheOlderOneIsForgotten) {
  Locations locations(10);
  locations.Remember("k", LocationOf(1));
  locations.Remember("k", LocationOf(2, TimePoint::min()));
  EXPECT_EQ(locations.Find("k", kSelf, kNow), nullptr);
  locations.Remember("k", LocationOf(3, TimePoint::max()));
  EXPECT_NE(locations.Find("k", kSelf, TimePoint::max() - Duration(1)), nullptr);
}

TEST(LocationsTest, WhatWasLearnedAsAnotherIncarnationIsOfAnotherPool) {
  Locations locations(10);
  locations.Remember("k", LocationOf(1));
  EXPECT_EQ(locations.Find("k", {2, 2}, kNow), nullptr);
  EXPECT_EQ(locations.size(), 0u);
}

TEST(LocationsTest, ThoseUsedLastAreKept) {
  Locations locations(3);
  for (const char* key : {"a", "b", "c"}) locations.Remember(key, LocationOf(1));
  locations.Find("a", kSelf, kNow);
  locations.Remember("b", LocationOf(2));
  locations.Remember("d", LocationOf(1));
  EXPECT_EQ(locations.size(), 3u);
  EXPECT_EQ(locations.Find("c", kSelf, kNow), nullptr);
  for (const char* key : {"a", "b", "d"}) {
    EXPECT_NE(locations.Find(key, kSelf, kNow), nullptr) << key;
  }
}

// Against a list, the last used first.
TEST(LocationsTest, AnyOrderOfCallsIsAsTheSimplestTableHasIt) {
  constexpr size_t kCapacity = 100;
  Locations locations(kCapacity);
  std::list<std::pair<std::string, uint64_t>> model;
  std::mt19937_64 random(7);
  const auto at = [&](const std::string& key) {
    return std::find_if(model.begin(), model.end(), [&](const auto& e) { return e.first == key; });
  };
  for (uint64_t step = 1; step <= 50'000; ++step) {
    const std::string key = std::to_string(random() % 300) + std::string(random() % 2 * 40, 'k');
    const uint64_t what = random() % 100;
    const auto known = at(key);
    if (what < 50) {
      const std::string_view view = key;
      if (what < 25) locations.Fetch({&view, 1});
      locations.Remember(key, LocationOf(step));
      if (known != model.end()) {
        model.erase(known);
      } else if (model.size() == kCapacity) {
        model.pop_back();
      }
      model.emplace_front(key, step);
    } else if (what < 80) {
      const auto found = locations.Find(key, kSelf, kNow);
      ASSERT_EQ(found != nullptr, known != model.end()) << step;
      if (found == nullptr) continue;
      ASSERT_EQ(found->put, Put(known->second)) << step;
      model.splice(model.begin(), model, known);
    } else if (what < 99) {
      locations.Forget(key);
      if (known != model.end()) model.erase(known);
    } else {
      const std::string prefix = key.substr(0, 2);
      locations.ForgetMatching(prefix);
      model.remove_if([&](const auto& e) { return e.first.starts_with(prefix); });
    }
    ASSERT_EQ(locations.size(), model.size()) << step;
  }
}

TEST(LocationsTest, NoRoomRemembersNothing) {
  Locations locations(0);
  locations.Remember("k", LocationOf(1));
  EXPECT_EQ(locations.Find("k", kSelf, kNow), nullptr);
  EXPECT_EQ(locations.size(), 0u);
}

TEST(LocationsTest, ARefusalForgetsOnlyThePutThatWasRefused) {
  Locations locations(10);
  locations.Remember("k", LocationOf(2));
  locations.Forget("k", Put(1));
  EXPECT_NE(locations.Find("k", kSelf, kNow), nullptr);
  locations.Forget("k", Put(2));
  EXPECT_EQ(locations.Find("k", kSelf, kNow), nullptr);
  locations.Remember("k", LocationOf(3));
  locations.Forget("k");
  EXPECT_EQ(locations.Find("k", kSelf, kNow), nullptr);
}

TEST(LocationsTest, AllKeysOfAPrefixAreForgotten) {
  Locations locations(10);
  for (const char* key : {"a/1", "a/2", "b/1"}) locations.Remember(key, LocationOf(1));
  locations.ForgetMatching("a/");
  EXPECT_EQ(locations.size(), 1u);
  EXPECT_NE(locations.Find("b/1", kSelf, kNow), nullptr);
  locations.ForgetMatching("");
  EXPECT_EQ(locations.size(), 0u);
}

TEST(LocationsTest, ThreadsShareThem) {
  Locations locations(50);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&locations, t] {
      for (uint64_t i = 0; i < 2000; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 100);
        locations.Remember(key, LocationOf(i));
        const auto found = locations.Find(key, kSelf, kNow);
        EXPECT_TRUE(found == nullptr || found->put.writer.low == 9u);
        if (i % 3 == 0) locations.Forget(key, Put(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(locations.size(), 50u);
}

}  // namespace
}  // namespace kvstore::client
