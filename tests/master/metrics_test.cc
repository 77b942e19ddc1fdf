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
  const std::string page = metrics.Scrape({}, {}, {});
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
  const std::string page = metrics.Scrape({}, {}, {});
  ExpectLine(page, "kvstore_answers_total{code=\"ok\"} 2");
  ExpectLine(page, "kvstore_answers_total{code=\"not_found\"} 1");
}

TEST(Metrics, StreamsAreCountedWhileTheyAreOpen) {
  Metrics metrics;
  metrics.StreamOpened(StreamKind::kVerbs);
  metrics.StreamOpened(StreamKind::kVerbs);
  metrics.StreamClosed(StreamKind::kVerbs);
  metrics.StreamOpened(StreamKind::kSession);
  const std::string page = metrics.Scrape({}, {}, {});
  ExpectLine(page, "kvstore_streams_open{kind=\"verbs\"} 1");
  ExpectLine(page, "kvstore_streams_open{kind=\"session\"} 1");
  ExpectLine(page, "kvstore_streams_open{kind=\"heartbeat\"} 0");
}

TEST(Metrics, NumbersOfTheCatalogAreShown) {
  Census census;
  census.objects = 3;
  census.space.free = 4096;
  Counters counters;
  counters.evicted_for_room = 17;
  counters.reads_noted = 5;
  const std::string page = Metrics().Scrape(census, counters, std::chrono::milliseconds(1500));
  ExpectLine(page, "kvstore_objects 3");
  ExpectLine(page, "kvstore_space_bytes{state=\"free\"} 4096");
  ExpectLine(page, "kvstore_evicted_for_room_total 17");
  ExpectLine(page, "kvstore_reads_noted_total 5");
  ExpectLine(page, "kvstore_uptime_seconds 1.5");
}

TEST(Metrics, AllNamesBeginAlikeAndAreExplained) {
  std::istringstream page(Metrics().Scrape({}, {}, {}));
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
