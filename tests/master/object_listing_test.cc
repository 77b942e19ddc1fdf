#include "master/object_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fakes/large_pool.h"
#include "master/catalog.h"

namespace kvstore::master {
namespace {

using large_pool::kNodes;
using large_pool::kNotesPerNode;
using ::testing::ElementsAreArray;

// A catalog of the objects that the nodes of a large pool report.
class ObjectListingTest : public ::testing::Test {
 protected:
  static Reign ReignOfAll() {
    Reign reign{{9, 9}, 2, {}, {}};
    for (uint64_t i = 1; i <= kNodes; ++i) reign.members.push_back({{i, i}, "node"});
    return reign;
  }
  static TimePoint Now() { return TimePoint(std::chrono::seconds(1)); }

  void Report(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) {
      Effects effects;
      const Result<Welcome> welcome = catalog_.Join(Now(), large_pool::HelloOf(i), &effects);
      ASSERT_TRUE(welcome.ok()) << welcome.status();
      const master::Catalog& before = catalog_;
      const size_t had = before.TakeCensus(Now()).objects;
      ASSERT_EQ(
          catalog_.HandleReport(Now(), {i, i}, large_pool::ReportOf(i, welcome->term), &effects),
          Status::Ok());
      ASSERT_EQ(before.TakeCensus(Now()).objects, had + kNotesPerNode);
      for (uint64_t k = 0; k < kNotesPerNode; ++k) {
        keys_.push_back(std::to_string(i) + "/" + std::to_string(k));
      }
    }
    std::sort(keys_.begin(), keys_.end());
  }
  // Of those after `after` with the prefix.
  std::vector<std::string> Keys(const std::string& prefix, const std::string& after,
                                size_t limit) const {
    std::vector<std::string> keys;
    for (const std::string& key : keys_) {
      if (key.starts_with(prefix) && key > after && keys.size() < limit) keys.push_back(key);
    }
    return keys;
  }
  // Slices until it ends.
  std::vector<std::string> End(ObjectListing listing) const {
    do {
      catalog_.ListSome(Now(), &listing);
    } while (!listing.ended());
    std::vector<std::string> keys;
    for (const ObjectLine& line : std::move(listing).Take()) keys.push_back(line.key);
    return keys;
  }

  Catalog catalog_{Now(), Limits(), ReignOfAll()};
  std::vector<std::string> keys_;
};

TEST_F(ObjectListingTest, APageHoldsTheLeastKeys) {
  Report(1, 60);
  EXPECT_THAT(End({"", "", 100}), ElementsAreArray(Keys("", "", 100)));
  EXPECT_THAT(End({"", "3/7", 4096}), ElementsAreArray(Keys("", "3/7", 4096)));
  EXPECT_THAT(End({"17/4", "17/41", 100}), ElementsAreArray(Keys("17/4", "17/41", 100)));
  EXPECT_THAT(End({"", "", 1'000'000}), ElementsAreArray(keys_));
  EXPECT_TRUE(End({"", "", 0}).empty());
  EXPECT_TRUE(End({"none", "", 10}).empty());
}

TEST_F(ObjectListingTest, OfAnEmptyCatalogEnds) { EXPECT_TRUE(End({"", "", 10}).empty()); }

// So that others are served in between.
TEST_F(ObjectListingTest, OfManyObjectsTakesManySlices) {
  Report(1, kNodes);
  ObjectListing listing("", "", 10);
  catalog_.ListSome(Now(), &listing);
  EXPECT_FALSE(listing.ended());
}

TEST_F(ObjectListingTest, WhatIsThereFromTheFirstSliceToTheLastIsFoundOnce) {
  Report(1, 50);
  ObjectListing listing("", "", 1'000'000);
  catalog_.ListSome(Now(), &listing);
  ASSERT_FALSE(listing.ended());
  const std::vector<std::string> there = keys_;
  Report(51, kNodes);  // the table grows
  const std::vector<std::string> found = End(std::move(listing));
  EXPECT_TRUE(std::includes(found.begin(), found.end(), there.begin(), there.end()));
  EXPECT_EQ(std::set(found.begin(), found.end()).size(), found.size());
}

}  // namespace
}  // namespace kvstore::master
