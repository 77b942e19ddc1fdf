#include "master/http_api.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fakes/strike.h"
#include "tools/json_value.h"

namespace kvstore::master {
namespace {

using std::chrono::seconds;
using text::JsonValue;

constexpr Incarnation kPool{7, 7};

class StillClock : public Clock {
 public:
  TimePoint Now() const override { return TimePoint() + seconds(3600); }
};

class SilentSession : public SessionPort {
 public:
  void Send(Orders) override {}
  void EndSession(const Status&) override {}
};

class HttpApiTest : public testing::Test {
 protected:
  void Join(uint64_t number, uint64_t lend_bytes) {
    Hello hello;
    hello.self = {{number, number}, "node" + std::to_string(number), "host", "at"};
    hello.counter = 1;
    if (lend_bytes > 0) hello.segments.push_back({0, lend_bytes, 4096, lend_bytes});
    const auto session = std::make_shared<SilentSession>();
    board_.Join(hello, session, [](const Result<Welcome>& welcome) {
      EXPECT_TRUE(welcome.ok()) << welcome.status();
    });
    if (lend_bytes == 0) return;
    const Report report = WholeReport(board_.term(), hello.counter);
    EXPECT_TRUE(board_.HandleReport(hello.self.incarnation, session.get(), report).ok());
  }
  void Store(const std::string& key) {
    KeyBatch keys;
    keys.Add(key);
    StartPut start;
    start.keys = keys;
    start.sequences = {++sequences_};
    start.sizes = {100};
    board_.Handle({1, 1}, {++requests_, seconds(60), start});
    board_.Handle({1, 1}, {++requests_, seconds(60), CommitPut{{sequences_}, {0xab}, {}}});
  }

  // The JSON of a page, and that its status is as expected.
  JsonValue Get(const std::string& target, int status = 200) {
    const HttpReply reply = api_.Answer(target);
    EXPECT_EQ(reply.status, status) << target << "\n" << reply.body;
    EXPECT_EQ(reply.type, "application/json");
    const auto value = JsonValue::Parse(reply.body);
    EXPECT_TRUE(value) << reply.body;
    return value.value_or(JsonValue());
  }
  std::string CodeOf(const std::string& target, int status) {
    return Get(target, status)["error"]["code"].text();
  }

  StillClock clock_;
  UnkeptMembers members_;
  Switchboard board_{Limits(), Reign{kPool, 3, {}, {}}, clock_, members_};
  Metrics metrics_;
  HttpApi api_{board_, metrics_};
  uint64_t sequences_ = 0, requests_ = 0;
};

TEST_F(HttpApiTest, TellsWhatThereIs) {
  const HttpReply index = api_.Answer("/");
  EXPECT_EQ(index.status, 200);
  EXPECT_NE(index.body.find("/api/v1/objects"), std::string::npos);
  const HttpReply metrics = api_.Answer("/metrics");
  EXPECT_TRUE(metrics.type.starts_with("text/plain; version=0.0.4")) << metrics.type;
  EXPECT_NE(metrics.body.find("kvstore_term 3\n"), std::string::npos);
  const JsonValue health = Get("/health");
  EXPECT_EQ(health["status"].text(), "ok");
  EXPECT_EQ(health["pool"].text(), kPool.ToString());
  EXPECT_EQ(Get("/api/v1/version")["software"].text(), KVSTORE_VERSION);
}

TEST_F(HttpApiTest, StatusHasCensusSpaceAndCounters) {
  Join(1, 1 << 20);
  Store("key");
  const JsonValue status = Get("/api/v1/status");
  EXPECT_EQ(status["term"].number(), 3);
  EXPECT_EQ(status["objects"].number(), 1);
  EXPECT_EQ(status["space"]["committed_bytes"].number(), 4096);
  EXPECT_EQ(status["counters"]["kvstore_puts_committed_total"].number(), 1);
}

TEST_F(HttpApiTest, WhatWritersHoldAheadIsToldOfTheNodeThatLendsIt) {
  Join(1, 0);
  Join(2, 64 << 20);
  board_.Handle({1, 1}, {++requests_, seconds(60), GrantAhead{++sequences_, 64 << 10, 4096, {}}});
  const JsonValue nodes = Get("/api/v1/nodes")["nodes"];
  EXPECT_EQ(nodes[0]["space"]["ahead_bytes"].number(), 0);
  EXPECT_EQ(nodes[1]["space"]["ahead_bytes"].number(), 64 << 10);
  EXPECT_EQ(nodes[1]["space"]["unfinished_bytes"].number(), 64 << 10);
  EXPECT_EQ(Get("/api/v1/status")["space"]["ahead_bytes"].number(), 64 << 10);
}

TEST_F(HttpApiTest, NodesAndSegmentsComeInPagesThatAreTheWhole) {
  for (uint64_t number = 1; number <= 5; ++number) Join(number, 1 << 20);
  for (const std::string name : {"nodes", "segments"}) {
    std::vector<std::string> holders;
    std::string target = "/api/v1/" + name + "?limit=2";
    for (int pages = 0; !target.empty(); ++pages) {
      ASSERT_LT(pages, 3);
      const JsonValue page = Get(target);
      EXPECT_LE(page[name].size(), 2U);
      for (size_t i = 0; i < page[name].size(); ++i) {
        const JsonValue& line = page[name][i];
        EXPECT_EQ(line["space"]["size_bytes"].number(), 1 << 20);
        holders.push_back(line[name == "nodes" ? "incarnation" : "holder"].text());
      }
      target = page["next"].text();
    }
    ASSERT_EQ(holders.size(), 5U);
    for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(holders[i], (Incarnation{i + 1, i + 1}.ToString()));
  }
}

// As SGLang waits for the first line of it.
TEST_F(HttpApiTest, NamesOfNodesThatLendAreTold) {
  Join(1, 0);
  EXPECT_EQ(api_.Answer("/get_all_segments").body, "");
  for (uint64_t number = 2; number <= 3; ++number) Join(number, 1 << 20);
  const HttpReply reply = api_.Answer("/get_all_segments");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.type, "text/plain; charset=utf-8");
  EXPECT_EQ(reply.body, "node2\nnode3\n");
}

TEST_F(HttpApiTest, ANodesStateIsThatOfTheAdminServiceWithFlagsBesideIt) {
  for (uint64_t number = 1; number <= 2; ++number) Join(number, 1 << 20);
  EXPECT_EQ(board_.Drain("node1", true), Status::Ok());
  const JsonValue nodes = Get("/api/v1/nodes")["nodes"];
  EXPECT_EQ(nodes[0]["state"].text(), "live");
  EXPECT_EQ(std::get<bool>(nodes[0]["draining"].value), true);
  EXPECT_EQ(std::get<bool>(nodes[1]["draining"].value), false);
  EXPECT_EQ(std::get<bool>(nodes[0]["sick"].value), false);
}

TEST_F(HttpApiTest, ObjectsAreFoundByPrefixPageByPageWhateverTheirBytes) {
  Join(1, 1 << 20);
  const std::string binary("p/\xff\x00&=%", 7);
  for (const std::string& key :
       {std::string("p/a b"), std::string("p/ä"), binary, std::string("q")}) {
    Store(key);
  }
  std::vector<std::string> keys;
  std::string target = "/api/v1/objects?prefix=p%2F&limit=1";
  for (int pages = 0; !target.empty(); ++pages) {
    ASSERT_LT(pages, 4);
    const JsonValue page = Get(target);
    ASSERT_EQ(page["objects"].size(), 1U);
    const JsonValue& line = page["objects"][0];
    EXPECT_EQ(line["size"].number(), 100);
    EXPECT_EQ(line["nodes"][0].text(), "node1");
    keys.push_back(line["key"].text() + line["key_base64"].text());
    target = page["next"].text();
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"p/a b", "p/ä", "cC//ACY9JQ=="}));
}

TEST_F(HttpApiTest, OneObjectIsDescribedByItsPercentEncodedKey) {
  Join(1, 1 << 20);
  const std::string key("a/b%\x00\n?", 7);
  Store(key);
  const JsonValue object = Get("/api/v1/objects/" + EncodePercent(key));
  EXPECT_EQ(object["size"].number(), 100);
  EXPECT_EQ(object["checksum_xxh3"].text(), "00000000000000ab");
  EXPECT_EQ(object["put"].text(), Incarnation({1, 1}).ToString() + ".1");
  EXPECT_EQ(object["places"][0]["node"].text(), "node1");
  EXPECT_EQ(object["places"][0]["ranges"][0]["length"].number(), 4096);
  Store("slashes/need/no/escape");
  EXPECT_EQ(Get("/api/v1/objects/slashes/need/no/escape")["size"].number(), 100);
}

TEST_F(HttpApiTest, ErrorsAreJsonWithACode) {
  EXPECT_EQ(CodeOf("/favicon.ico", 404), "not_found");
  EXPECT_EQ(CodeOf("/api/v1/", 404), "not_found");
  EXPECT_EQ(CodeOf("/api/v1/objects/none", 404), "not_found");
  EXPECT_EQ(CodeOf("/api/v1/objects/", 400), "invalid_argument");
  EXPECT_EQ(CodeOf("/api/v1/objects/" + std::string(1025, 'k'), 400), "invalid_argument");
  EXPECT_EQ(CodeOf("/api/v1/objects/%4", 400), "invalid_argument");
  EXPECT_EQ(CodeOf("/api/v1/objects?prefix=%zz", 400), "invalid_argument");
  for (const char* limit : {"0", "4097", "-1", "", "1x", "99999999999999999999"}) {
    EXPECT_EQ(CodeOf(std::string("/api/v1/objects?limit=") + limit, 400), "invalid_argument");
  }
  EXPECT_EQ(CodeOf("/api/v1/nodes?limit=1&limit=2", 400), "invalid_argument");
  const JsonValue unknown = Get("/api/v1/nodes?prefix=a", 400);
  EXPECT_NE(unknown["error"]["message"].text().find("after, limit"), std::string::npos);
}

TEST_F(HttpApiTest, NoTasksAreAnEmptyPage) {
  const JsonValue tasks = Get("/api/v1/tasks");
  EXPECT_TRUE(std::holds_alternative<JsonValue::Array>(tasks["tasks"].value));
  EXPECT_EQ(tasks["tasks"].size(), 0U);
}

TEST(HttpTarget, PlusIsASpaceInAQueryAlone) {
  const auto target = ParseTarget("/a+b?x=a+b&y=a%2Bb&z");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->path, "/a+b");
  EXPECT_EQ(target->parameters.at("x"), "a b");
  EXPECT_EQ(target->parameters.at("y"), "a+b");
  EXPECT_EQ(target->parameters.at("z"), "");
  EXPECT_EQ(*DecodePercent("a+b", false), "a+b");
}

TEST(HttpTarget, EveryByteComesBack) {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  EXPECT_EQ(*DecodePercent(EncodePercent(bytes), false), bytes);
  EXPECT_EQ(*DecodePercent(EncodePercent(bytes), true), bytes);
}

}  // namespace
}  // namespace kvstore::master
