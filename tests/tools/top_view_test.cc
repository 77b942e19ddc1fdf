#include "tools/kvctl/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/json_value.h"

namespace kvstore::kvctl {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

NodeRow Node(const std::string& name, uint64_t number, uint64_t hits, uint64_t misses) {
  NodeRow node;
  node.name = name;
  node.incarnation = {number, number};
  node.state = "live";
  node.hits = hits;
  node.misses = misses;
  return node;
}

// Two seconds, in which 20 puts, 30 hits and 10 misses were counted.
class TopViewTest : public testing::Test {
 protected:
  TopViewTest() {
    before_.when = TimePoint() + seconds(100);
    now_.when = TimePoint() + seconds(102);
    before_.status.counters = {{"kvstore_puts_committed_total", 100},
                               {"kvstore_locate_hits_total", 10},
                               {"kvstore_exists_hits_total", 10},
                               {"kvstore_locate_misses_total", 5}};
    now_.status.counters = {{"kvstore_puts_committed_total", 120},
                            {"kvstore_locate_hits_total", 30},
                            {"kvstore_exists_hits_total", 20},
                            {"kvstore_locate_misses_total", 15},
                            {"kvstore_evicted_for_room_total", 4}};
    before_.nodes = {Node("worker", 1, 0, 0)};
    now_.nodes = {Node("worker", 1, 30, 10)};
    now_.nodes[0].tally.bytes_got = 4 << 20;
    now_.status.space = {.size = 100 << 20,
                         .unprepared = 20 << 20,
                         .free = 5 << 20,
                         .committed = 70 << 20,
                         .pinned = 10 << 20};
  }
  Sample before_, now_;
};

TEST_F(TopViewTest, RatesArePerSecondOfTheInterval) {
  const Rates rates = RatesOf(before_, now_);
  EXPECT_EQ(rates.puts, 10);
  EXPECT_EQ(rates.hits, 15);
  EXPECT_EQ(rates.misses, 5);
  EXPECT_EQ(rates.evictions, 2);
}

TEST_F(TopViewTest, AnotherReignBeginsAtNothing) {
  now_.status.term = before_.status.term + 1;
  EXPECT_EQ(RatesOf(before_, now_).hits, 0);
}

TEST_F(TopViewTest, ACounterThatWentBackIsNoRate) {
  EXPECT_EQ(RatesOf(Node("n", 1, 50, 0), Node("n", 1, 10, 0), seconds(1)).hits, 0);
}

TEST_F(TopViewTest, TheTextShowsPoolAndNodes) {
  const std::string text = TopText(before_, now_);
  EXPECT_THAT(text, HasSubstr("70.0 MiB of 100.0 MiB (75% in use, 10% pinned)"));
  EXPECT_THAT(text, HasSubstr("puts 10/s, hits 15/s, misses 5/s (hit ratio 75%), evictions 2/s"));
  EXPECT_THAT(text, ContainsRegex("worker +live .* 15/s +5/s +75% +2.0 MiB/s +0 B/s"));
}

TEST_F(TopViewTest, TheFullestNodeComesFirstAndANewOneHasNoRates) {
  NodeRow fuller = Node("shelf", 2, 1000, 0);
  fuller.space = {.size = 10 << 20, .committed = 10 << 20};
  now_.nodes.push_back(fuller);
  const std::string text = TopText(before_, now_);
  EXPECT_LT(text.find("shelf"), text.find("worker"));
  EXPECT_THAT(text, ContainsRegex("shelf +live +10.0 MiB +100% +0 +0/s"));
}

TEST_F(TopViewTest, ScriptsGetOneObjectInALine) {
  const std::string line = TopJson(before_, now_);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = text::JsonValue::Parse(line);
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)["hits_per_second"].number(), 15);
  EXPECT_EQ((*json)["nodes"][0]["name"].text(), "worker");
  EXPECT_EQ((*json)["nodes"][0]["got_bytes_per_second"].number(), 2 << 20);
}

}  // namespace
}  // namespace kvstore::kvctl
