#include "master/metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace kvstore::master {
namespace {

void ExpectLine(const std::string& page, const std::string& line) {
  EXPECT_NE(("\n" + page).find("\n" + line + "\n"), std::string::npos)
      << "no line '" << line << "' in\n"
      << page;
}

TEST(Metrics, RequestsAreCountedByVerb) {
  Metrics metrics;
  VerbRequest request;
  request.verb = AbortPut{{1, 2, 3}};
  metrics.Handled(request, std::chrono::microseconds(50));
  Locate locate;
  locate.keys.Add("key");
  request.verb = locate;
  metrics.Handled(request, std::chrono::seconds(2));
  request.verb = NoteReads{std::vector<PutId>(7)};
  metrics.Handled(request, std::chrono::microseconds(1));
  request.verb = RemoveMatching{"prefix"};
  metrics.Handled(request, std::chrono::microseconds(1));
  request.verb = ReportFailures{std::vector<SegmentId>(5)};
  metrics.Handled(request, std::chrono::microseconds(1));
  const std::string page = metrics.Scrape({});
  ExpectLine(page, "kvstore_request_items_total{verb=\"note_reads\"} 7");
  ExpectLine(page, "kvstore_request_items_total{verb=\"remove_matching\"} 1");
  ExpectLine(page, "kvstore_request_items_total{verb=\"report_failures\"} 5");
  ExpectLine(page, "kvstore_requests_total{verb=\"abort_put\"} 1");
  ExpectLine(page, "kvstore_request_items_total{verb=\"abort_put\"} 3");
  ExpectLine(page, "kvstore_request_items_total{verb=\"locate\"} 1");
  ExpectLine(page, "kvstore_request_handling_seconds_count{verb=\"locate\"} 1");
  ExpectLine(page, "kvstore_request_handling_seconds_bucket{verb=\"abort_put\",le=\"0.0001\"} 1");
  ExpectLine(page, "kvstore_request_handling_seconds_bucket{verb=\"locate\",le=\"1\"} 0");
}

TEST(Metrics, AnswersAreCountedByCode) {
  Metrics metrics;
  metrics.Answered({1, std::vector<ItemAnswer>{{0, {}}, {1, {}}, {2, NotFoundError("")}}, {}});
  const std::string page = metrics.Scrape({});
  ExpectLine(page, "kvstore_answers_total{code=\"ok\"} 2");
  ExpectLine(page, "kvstore_answers_total{code=\"not_found\"} 1");
}

TEST(Metrics, StreamsAreCountedWhileTheyAreOpen) {
  Metrics metrics;
  metrics.StreamOpened(StreamKind::kVerbs);
  metrics.StreamOpened(StreamKind::kVerbs);
  metrics.StreamClosed(StreamKind::kVerbs);
  metrics.StreamOpened(StreamKind::kSession);
  const std::string page = metrics.Scrape({});
  ExpectLine(page, "kvstore_streams_open{kind=\"verbs\"} 1");
  ExpectLine(page, "kvstore_streams_open{kind=\"session\"} 1");
  ExpectLine(page, "kvstore_streams_open{kind=\"heartbeat\"} 0");
}

TEST(Metrics, NumbersOfTheCatalogAreShown) {
  Snapshot snapshot;
  snapshot.uptime = std::chrono::milliseconds(1500);
  snapshot.term = 4;
  snapshot.census.objects = 3;
  snapshot.census.space.free = 4096;
  snapshot.census.space.retiring = 300;
  snapshot.census.space.withdrawn = 100;
  snapshot.census.space.withheld = 50;
  snapshot.census.oldest_note = std::chrono::milliseconds(250);
  snapshot.counters.evicted_for_room = 17;
  snapshot.counters.reads_noted = 5;
  const std::string page = Metrics().Scrape(snapshot);
  ExpectLine(page, "kvstore_objects 3");
  ExpectLine(page, "kvstore_space_bytes{state=\"free\"} 4096");
  ExpectLine(page, "kvstore_evicted_for_room_total 17");
  ExpectLine(page, "kvstore_reads_noted_total 5");
  ExpectLine(page, "kvstore_uptime_seconds 1.5");
  ExpectLine(page, "kvstore_term 4");
  ExpectLine(page, "kvstore_oldest_unconfirmed_note_seconds 0.25");
  ExpectLine(page, "kvstore_retiring_bytes{why=\"unanswered\"} 150");
  ExpectLine(page, "kvstore_retiring_bytes{why=\"touched\"} 100");
}

NodeLine Lender(const std::string& name, uint64_t free) {
  NodeLine line;
  line.peer.name = name;
  line.segments = 1;
  line.space.size = line.space.free = free;
  return line;
}

TEST(Metrics, LendersHaveSeriesOfTheirOwnAndNamesakesShareThem) {
  Snapshot snapshot;
  snapshot.nodes = {Lender("a", 10), Lender("b\"", 20), Lender("a", 30), NodeLine()};
  snapshot.nodes[2].suspected = true;
  const std::string page = Metrics().Scrape(snapshot);
  ExpectLine(page, "kvstore_node_space_bytes{node=\"a\",state=\"free\"} 40");
  ExpectLine(page, "kvstore_node_space_bytes{node=\"b\\\"\",state=\"free\"} 20");
  ExpectLine(page, "kvstore_node_live{node=\"a\"} 1");
  EXPECT_EQ(page.find("node=\"\""), std::string::npos);  // lends nothing
}

TEST(Metrics, NodesBeyondABoundAreSummedUp) {
  Snapshot snapshot;
  for (int i = 1000; i < 1300; ++i) snapshot.nodes.push_back(Lender(std::to_string(i), 10));
  const std::string page = Metrics().Scrape(snapshot);
  ExpectLine(page, "kvstore_node_space_bytes{node=\"1199\",state=\"free\"} 10");
  ExpectLine(page, "kvstore_node_space_bytes{node=\"other\",state=\"free\"} 1000");
  EXPECT_EQ(page.find("node=\"1200\""), std::string::npos);
}

TEST(Metrics, WhatClientsCountedIsShownByWayByGuardAndByClient) {
  Snapshot snapshot;
  ClientReport& clients = snapshot.clients;
  clients.all.tally.gets_ok = 8;
  clients.all.tally.bytes_by_way = {1, 2, 3};
  clients.all.tally.reads_refused = 4;
  clients.all.tally.checksum_mismatches = 5;
  clients.named["a"].tally.gets_ok = 6;
  clients.named["a"].misses = 7;
  clients.named["other"].hits = 1;  // a client may be called so
  clients.others.hits = 2;
  const std::string page = Metrics().Scrape(snapshot);
  ExpectLine(page, "kvstore_gets_total{outcome=\"hit\"} 8");
  ExpectLine(page, "kvstore_moved_bytes_total{way=\"local\"} 1");
  ExpectLine(page, "kvstore_moved_bytes_total{way=\"tcp\"} 3");
  ExpectLine(page, "kvstore_refused_total{guard=\"word\"} 4");
  ExpectLine(page, "kvstore_refused_total{guard=\"checksum\"} 5");
  ExpectLine(page, "kvstore_client_gets_total{client=\"a\",outcome=\"hit\"} 6");
  ExpectLine(page, "kvstore_client_lookups_total{client=\"a\",outcome=\"miss\"} 7");
  ExpectLine(page, "kvstore_client_lookups_total{client=\"other\",outcome=\"hit\"} 3");
}

TEST(Metrics, AllNamesBeginAlikeAndAreExplained) {
  std::istringstream page(Metrics().Scrape({}));
  std::set<std::string> explained;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("# HELP ")) explained.insert(line.substr(7, line.find(' ', 7) - 7));
    if (line.starts_with("#")) continue;
    EXPECT_TRUE(line.starts_with("kvstore_")) << line;
  }
  EXPECT_GT(explained.size(), 40U);
}

TEST(Metrics, EveryCounterOfTheCatalogHasAName) {
  // Counters is all uint64_t: as many names as fields.
  const auto named = NamedCounters({});
  EXPECT_EQ(named.size(), sizeof(Counters) / sizeof(uint64_t));
  std::set<std::string_view> names;
  for (const auto& [name, value] : named) {
    EXPECT_TRUE(name.starts_with("kvstore_") && name.ends_with("_total")) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), named.size());
}

}  // namespace
}  // namespace kvstore::master
