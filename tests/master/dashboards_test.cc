// The dashboard, the alerts and docs/metrics.md speak of metrics as the master shows them.

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "master/event_names.h"
#include "master/http_api.h"
#include "tools/json_value.h"

namespace kvstore::master {
namespace {

using text::JsonValue;

std::string Read(const std::string& path) {
  std::ifstream file(KVSTORE_SOURCE_FOLDER "/" + path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::smatch> Matches(const std::string& text, const std::regex& pattern) {
  return {std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator()};
}

// Series by name, and their labels with the values that there are.
struct Scrape {
  std::set<std::string> families;
  std::map<std::string, std::map<std::string, std::set<std::string>>> series;
};

class SilentSession : public SessionPort {
 public:
  void Send(Orders) override {}
  void EndSession(const Status&) override {}
};

// Of a master with a node that lends and a client.
Scrape TakeScrape() {
  UnkeptMembers members;
  Switchboard board(Limits(), Reign{{7, 7}, 1, {}, {}}, Clock::Boot(), members);
  const auto joined = [](const Result<Welcome>& welcome) {
    EXPECT_TRUE(welcome.ok()) << welcome.status();
  };
  const auto session = std::make_shared<SilentSession>();
  Hello hello;
  hello.self = {{1, 1}, "lender", "host", "at"};
  hello.segments.push_back({0, 1 << 20, 4096, 1 << 20});
  board.Join(hello, session, joined);
  hello = Hello();
  hello.self = {{2, 2}, "client", "host", "at"};
  board.Join(hello, session, joined);
  const Metrics metrics;
  std::istringstream page(HttpApi(board, metrics).Answer("/metrics").body);
  Scrape scrape;
  static const std::regex kSeries("^([a-z_]+)(\\{(.*)\\})? [-+0-9.eInfNa]+$");
  static const std::regex kLabel("([a-z_]+)=\"([^\"]*)\"");
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("# HELP ")) {
      scrape.families.insert(line.substr(7, line.find(' ', 7) - 7));
    }
    std::smatch match;
    if (line.starts_with("#") || !std::regex_match(line, match, kSeries)) continue;
    auto& labels = scrape.series[match[1]];
    const std::string text = match[3];
    for (const std::smatch& label : Matches(text, kLabel)) labels[label[1]].insert(label[2]);
  }
  return scrape;
}

// What is wrong with an expression: it names series, labels or values that there are not. Labels
// that Prometheus adds are none of ours.
std::string Wrong(const Scrape& scrape, const std::string& expression) {
  static const std::regex kUse("(kvstore_[a-z0-9_]+)(\\{([^}]*)\\})?");
  static const std::regex kMatcher("([a-z_]+)\\s*(=~|!~|!=|=)\\s*\"([^\"]*)\"");
  static const std::regex kGrouping("(?:by|without|ignoring|on) \\(([^)]*)\\)");
  const std::set<std::string> added = {"job", "instance"};
  std::set<std::string> labels;
  for (const std::smatch& use : Matches(expression, kUse)) {
    const auto series = scrape.series.find(use[1]);
    if (series == scrape.series.end()) return "no series " + use[1].str();
    for (const auto& [label, values] : series->second) labels.insert(label);
    const std::string matchers = use[3];
    for (const std::smatch& matcher : Matches(matchers, kMatcher)) {
      if (added.contains(matcher[1])) continue;
      const auto label = series->second.find(matcher[1]);
      if (label == series->second.end()) return use[1].str() + " has no label " + matcher[1].str();
      std::istringstream values(matcher[3]);
      for (std::string value; std::getline(values, value, '|');) {
        if (!label->second.contains(value)) {
          return use[1].str() + " has no " + matcher[1].str() + " " + value;
        }
      }
    }
  }
  for (const std::smatch& grouping : Matches(expression, kGrouping)) {
    std::istringstream names(grouping[1]);
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
      if (!labels.contains(name)) return "no label " + name + " to group by";
    }
  }
  const auto count = [&](char c) { return std::count(expression.begin(), expression.end(), c); };
  if (count('(') != count(')') || count('{') != count('}')) return "brackets don't match";
  return "";
}

// All strings under the name "expr" or "query", with what stands beside them.
void Collect(const JsonValue& value, std::vector<const JsonValue*>* with_expression) {
  if (const auto* object = std::get_if<JsonValue::Object>(&value.value)) {
    if (object->contains("expr")) with_expression->push_back(&value);
    for (const auto& [name, member] : *object) Collect(member, with_expression);
  } else if (const auto* array = std::get_if<JsonValue::Array>(&value.value)) {
    for (const JsonValue& element : *array) Collect(element, with_expression);
  }
}

TEST(Dashboards, GrafanasNamesOnlyWhatIsThere) {
  const auto dashboard = JsonValue::Parse(Read("packaging/grafana/kvstore.json"));
  ASSERT_TRUE(dashboard);
  const Scrape scrape = TakeScrape();
  std::vector<const JsonValue*> targets;
  Collect(*dashboard, &targets);
  EXPECT_GT(targets.size(), 40U);
  static const std::regex kLegend("\\{\\{([a-z_]+)\\}\\}");
  for (const JsonValue* target : targets) {
    const std::string expression = (*target)["expr"].text();
    EXPECT_EQ(Wrong(scrape, expression), "") << expression;
    const std::string legend = (*target)["legendFormat"].text();
    for (const std::smatch& label : Matches(legend, kLegend)) {
      EXPECT_TRUE(
          std::regex_search(expression, std::regex("by \\(([a-z]+, )*" + label[1].str() + "[,)]")))
          << legend << " of " << expression;
    }
  }
  std::set<double> ids;
  const JsonValue& panels = (*dashboard)["panels"];
  for (size_t i = 0; i < panels.size(); ++i) {
    EXPECT_TRUE(ids.insert(panels[i]["id"].number()).second) << "two panels have one id";
    const JsonValue& place = panels[i]["gridPos"];
    EXPECT_LE(place["x"].number() + place["w"].number(), 24) << panels[i]["title"].text();
  }
}

TEST(Dashboards, AlertsNameOnlyWhatIsThere) {
  const YAML::Node file = YAML::Load(Read("packaging/prometheus/kvstore-alerts.yaml"));
  const Scrape scrape = TakeScrape();
  std::set<std::string> names;
  for (const YAML::Node& group : file["groups"]) {
    for (const YAML::Node& rule : group["rules"]) {
      const auto expression = rule["expr"].as<std::string>();
      EXPECT_EQ(Wrong(scrape, expression), "") << expression;
      EXPECT_TRUE(names.insert(rule["alert"].as<std::string>()).second);
      EXPECT_TRUE(rule["labels"]["severity"]) << expression;
      EXPECT_TRUE(rule["annotations"]["summary"]) << expression;
      EXPECT_TRUE(rule["annotations"]["description"]) << expression;
    }
  }
  EXPECT_GT(names.size(), 10U);
}

TEST(Dashboards, WhatIsNotThereIsFound) {
  const Scrape scrape = TakeScrape();
  EXPECT_EQ(Wrong(scrape, "sum by (verb) (rate(kvstore_requests_total{verb=\"pin\"}[5m]))"), "");
  EXPECT_NE(Wrong(scrape, "kvstore_requests"), "");
  EXPECT_NE(Wrong(scrape, "kvstore_requests_total{way=\"tcp\"}"), "");
  EXPECT_NE(Wrong(scrape, "kvstore_requests_total{verb=~\"pin|lean\"}"), "");
  EXPECT_NE(Wrong(scrape, "sum by (way) (kvstore_requests_total)"), "");
  EXPECT_NE(Wrong(scrape, "sum(kvstore_requests_total"), "");
}

TEST(Dashboards, EveryMetricIsExplainedAndNoOther) {
  const Scrape scrape = TakeScrape();
  std::set<std::string> explained;
  const std::string page = Read("docs/metrics.md");
  static const std::regex kName("`(kvstore_[a-z_]+)`");
  for (const std::smatch& name : Matches(page, kName)) explained.insert(name[1]);
  EXPECT_EQ(explained, scrape.families);
  for (size_t i = 0; i < kNodeEvents; ++i) {
    const std::string name(EventName(static_cast<NodeEvent::What>(i)));
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
  }
  for (size_t i = 0; i < kObjectEvents; ++i) {
    const std::string name(EventName(static_cast<ObjectEvent::What>(i)));
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace kvstore::master
