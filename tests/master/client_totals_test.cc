#include "master/client_totals.h"

#include <gtest/gtest.h>

#include <limits>

#include "master/catalog.h"

namespace kvstore::master {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint() + seconds(3600);

ClientSums Hits(uint64_t hits) { return {hits, 0, {}}; }

TEST(ClientTotals, NamesAreKeptApartAsLongAsThereArePlaces) {
  ClientTotals totals(2);
  EXPECT_TRUE(totals.Join("a"));
  EXPECT_TRUE(totals.Join("b"));
  EXPECT_TRUE(totals.Join("a"));
  EXPECT_FALSE(totals.Join("c"));
  totals.Leave("a", true, Hits(1));
  EXPECT_FALSE(totals.Join("d"));  // another a is there
  totals.Leave("c", false, Hits(2));
  totals.Leave("a", true, Hits(4));
  EXPECT_EQ(totals.named().at("a").hits, 5U);
  EXPECT_EQ(totals.others().hits, 2U);
  EXPECT_EQ(totals.all().hits, 7U);
}

TEST(ClientTotals, WhoLeftFirstMakesPlaceAndStaysInTheSumOfAll) {
  ClientTotals totals(2);
  totals.Join("a");
  totals.Join("b");
  totals.Leave("b", true, Hits(1));
  totals.Leave("a", true, Hits(2));
  EXPECT_TRUE(totals.Join("c"));
  EXPECT_FALSE(totals.named().contains("b"));
  EXPECT_EQ(totals.named().at("a").hits, 2U);
  EXPECT_EQ(totals.all().hits, 3U);
}

TEST(ClientTotals, NoNumberGoesBackOrOver) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  ClientTally told;
  told.gets_ok = 5;
  told.bytes_by_way = {7};
  ClientTally news;
  news.gets_ok = 3;
  news.puts_ok = 1;
  news.bytes_by_way = {6, 2};
  Raise(&told, news);
  EXPECT_EQ(told.gets_ok, 5U);
  EXPECT_EQ(told.puts_ok, 1U);
  EXPECT_EQ(told.bytes_by_way, (std::vector<uint64_t>{7, 2}));
  ClientSums sum = Hits(kMost - 1);
  sum += Hits(2);
  EXPECT_EQ(sum.hits, kMost);
}

// The catalog's part: what is counted for whom, and what stays of those that have left.
class Clients : public testing::Test {
 protected:
  Incarnation Join(uint64_t number, const std::string& name, bool of_an_earlier_reign = false) {
    Hello hello;
    hello.self = {{number, number}, name, "host", "at"};
    if (of_an_earlier_reign) hello.pool = kPool;
    Effects effects;
    EXPECT_TRUE(catalog_.Join(kNow, hello, &effects).ok());
    return hello.self.incarnation;
  }
  void Ask(Incarnation caller, const std::string& key) {
    Locate locate;
    locate.keys.Add(key);
    catalog_.Handle(kNow, caller, {++requests_, seconds(1), locate});
    Exists exists;
    exists.keys.Add(key);
    catalog_.Handle(kNow, caller, {++requests_, seconds(1), exists});
  }
  void Tell(Incarnation node, uint64_t gets) {
    ClientTally tally;
    tally.gets_ok = gets;
    catalog_.HandleTally(node, tally);
  }
  ClientSums Named(const std::string& name) { return catalog_.ReportClients().named[name]; }

  static constexpr Incarnation kPool{7, 7};
  // Who names the pool and is not known is taken in, as one of an earlier reign is.
  static Guards TakeAll() {
    Guards guards;
    guards.gone_never_returns = false;
    return guards;
  }
  Catalog catalog_{kNow, Limits(), Reign{kPool, 2, {}, {}}, TakeAll()};
  uint64_t requests_ = 0;
};

TEST_F(Clients, MissesAreCountedForWhoAsked) {
  const Incarnation a = Join(1, "a");
  Join(2, "b");
  Ask(a, "nothing");
  EXPECT_EQ(Named("a").misses, 2U);
  EXPECT_EQ(Named("b").misses, 0U);
  EXPECT_EQ(catalog_.ReportClients().all.misses, 2U);
}

TEST_F(Clients, SumsOutliveWhoCountedThem) {
  const Incarnation a = Join(1, "a");
  Tell(a, 10);
  Ask(a, "nothing");
  catalog_.Leave(kNow, a);
  EXPECT_EQ(Named("a").tally.gets_ok, 10U);
  EXPECT_EQ(catalog_.ReportClients().all.misses, 2U);
  Tell(Join(2, "a"), 5);
  EXPECT_EQ(Named("a").tally.gets_ok, 15U);
}

TEST_F(Clients, WhatWasCountedUnderAnotherMasterIsNotCountedAgain) {
  const Incarnation a = Join(1, "a", /*of_an_earlier_reign=*/true);
  Tell(a, 1000);
  EXPECT_EQ(Named("a").tally.gets_ok, 0U);
  Tell(a, 1003);
  EXPECT_EQ(Named("a").tally.gets_ok, 3U);
}

}  // namespace
}  // namespace kvstore::master
