#include "master/event_log.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "master/event_names.h"
#include "tools/json_value.h"

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using text::JsonValue;
using What = NodeEvent::What;

constexpr TimePoint kBegin = TimePoint() + std::chrono::hours(1);
constexpr uint64_t kTerm = 3;
const std::string kNode = "00000000000000000000000000000001";

NodeEvent About(What what, bool lends = true) {
  NodeEvent event;
  event.what = what;
  event.node = {0, 1};
  event.name = "a";
  event.lends = lends;
  event.has_session = true;
  event.lasted = milliseconds(16500);
  return event;
}

ObjectEvent Evicted(const std::string& key) {
  return {ObjectEvent::What::kEvictedForRoom, key, {{0, 1}, 17}, 4096, ""};
}

TEST(EventLogTest, WhatIsLostWithANodeIsToldAndWhy) {
  NodeEvent gone = About(What::kGone);
  gone.objects_lost = 3;
  gone.bytes_lost = 8u << 20;
  const std::string node = "node 'a' (" + kNode + ")";
  EXPECT_EQ(Describe(gone),
            node + " is gone: silent for 16.5 s; 3 objects, 8.0 MiB, are lost with it");
  gone.why = "its report stands still";
  EXPECT_EQ(Describe(gone),
            node + " is gone: its report stands still; 3 objects, 8.0 MiB, are lost with it");
  NodeEvent suspected = About(What::kSuspected);
  suspected.has_session = false;
  EXPECT_EQ(Describe(suspected), node + " is suspected: its session stream is lost");
  EXPECT_EQ(Describe(About(What::kTrusted)), node + " is trusted again after 16.5 s");
  EXPECT_EQ(Describe(About(What::kLeft)), node + " has left; no object is lost with it");
}

TEST(EventLogTest, ANodesLineNamesItItsTermAndWhatIsLost) {
  EventLog log(kTerm, {});
  NodeEvent gone = About(What::kGone);
  gone.name = "a \"b\"\x1b[2J";
  gone.objects_lost = 3;
  gone.bytes_lost = 8u << 20;
  const auto lines = log.Compose(kBegin, {gone}, {});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(
      lines[0].text.starts_with("event=node_gone term=3 node=\"a \\\"b\\\"\\x1b[2J\" "
                                "incarnation=" +
                                kNode +
                                " lasted_s=16.5 objects_lost=3 bytes_lost=8388608 "
                                "msg=\"node 'a "))
      << lines[0].text;
}

TEST(EventLogTest, LentMemoryInDoubtIsAWarningAndALeavingClientNothing) {
  EventLog log(kTerm, {});
  const std::vector<EventLog::Line> lines = log.Compose(
      kBegin,
      {About(What::kSuspected), About(What::kTrusted), About(What::kGone), About(What::kLeft),
       About(What::kSuspected, /*lends=*/false), About(What::kLeft, /*lends=*/false)},
      {});
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_TRUE(lines[0].warning);
  EXPECT_FALSE(lines[1].warning);
  EXPECT_TRUE(lines[2].warning);
  EXPECT_FALSE(lines[3].warning);
  EXPECT_FALSE(lines[4].warning);
}

TEST(EventLogTest, ObjectsAreToldOnlyWhereThatIsWanted) {
  EventLog quiet(kTerm, {});
  EXPECT_FALSE(quiet.WantsObjects());
  EXPECT_TRUE(quiet.Compose(kBegin, {}, {Evicted("k")}).empty());
  EventLog log(kTerm, {LogFormat::kText, true});
  EXPECT_TRUE(log.WantsObjects());
  ObjectEvent lost = Evicted("k");
  lost.what = ObjectEvent::What::kReplicaLost;
  lost.node = "n";
  const auto lines = log.Compose(kBegin, {}, {Evicted("a\n\"\\"), lost});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text,
            "event=evicted_for_room term=3 key=\"a\\x0a\\\"\\\\\" put=" + kNode + ".17 size=4096");
  EXPECT_FALSE(lines[0].warning);
  EXPECT_EQ(lines[1].text,
            "event=replica_lost term=3 key=\"k\" put=" + kNode + ".17 size=4096 node=\"n\"");
  EXPECT_TRUE(lines[1].warning);
}

TEST(EventLogTest, ALongKeyIsCutInTextAndWholeInJson) {
  const std::string key(1024, 'k');
  EventLog in_text(kTerm, {LogFormat::kText, true});
  const auto lines = in_text.Compose(kBegin, {}, {Evicted(key)});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_LT(lines[0].text.size(), 400U);
  EventLog in_json(kTerm, {LogFormat::kJson, true});
  const auto objects = in_json.Compose(kBegin, {}, {Evicted(key), Evicted("\xff")});
  ASSERT_EQ(objects.size(), 2U);
  const auto value = JsonValue::Parse(objects[0].text);
  ASSERT_TRUE(value) << objects[0].text;
  EXPECT_EQ((*value)["event"].text(), "evicted_for_room");
  EXPECT_EQ((*value)["key"].text(), key);
  EXPECT_EQ((*value)["put"].text(), kNode + ".17");
  EXPECT_EQ((*value)["size"].number(), 4096);
  EXPECT_EQ((*value)["term"].number(), 3);
  const auto binary = JsonValue::Parse(objects[1].text);
  ASSERT_TRUE(binary) << objects[1].text;
  EXPECT_EQ((*binary)["key_base64"].text(), "/w==");
}

TEST(EventLogTest, TooManyLinesOfAKindAreCountedInsteadAndHideNoOtherKind) {
  EventLog log(kTerm, {LogFormat::kText, true});
  const std::vector<NodeEvent> many(120, About(What::kSuspected));
  std::vector<NodeEvent> storm = many;
  storm.push_back(About(What::kGone));
  EXPECT_EQ(log.Compose(kBegin, storm, {Evicted("k")}).size(), 52U);
  EXPECT_TRUE(log.Compose(kBegin + milliseconds(999), {}, {}).empty());
  const std::vector<EventLog::Line> later = log.Compose(kBegin + seconds(1), {}, {});
  ASSERT_EQ(later.size(), 1U);
  EXPECT_TRUE(
      later[0].text.starts_with("event=left_out term=3 of=\"node_suspected\" lines=70 msg="))
      << later[0].text;
  EXPECT_TRUE(later[0].warning);
  EXPECT_EQ(log.Compose(kBegin + seconds(1), many, {}).size(), 50U);
}

TEST(EventNames, NoTwoAreEqual) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kNodeEvents; ++i) names.insert(EventName(static_cast<What>(i)));
  for (size_t i = 0; i < kObjectEvents; ++i) {
    names.insert(EventName(static_cast<ObjectEvent::What>(i)));
  }
  EXPECT_EQ(names.size(), kNodeEvents + kObjectEvents);
}

}  // namespace
}  // namespace kvstore::master
