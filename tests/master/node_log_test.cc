#include "master/node_log.h"

#include <gtest/gtest.h>

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using What = NodeEvent::What;

constexpr TimePoint kBegin = TimePoint() + std::chrono::hours(1);

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

TEST(NodeLogTest, WhatIsLostWithANodeIsToldAndWhy) {
  NodeEvent gone = About(What::kGone);
  gone.objects_lost = 3;
  gone.bytes_lost = 8u << 20;
  const std::string node = "node 'a' (" + gone.node.ToString() + ")";
  EXPECT_EQ(Describe(gone),
            node + " is gone: silent for 16.5 s; 3 objects, 8.0 MiB, are lost with it");
  NodeEvent suspected = About(What::kSuspected);
  suspected.has_session = false;
  EXPECT_EQ(Describe(suspected), node + " is suspected: its session stream is lost");
  EXPECT_EQ(Describe(About(What::kTrusted)), node + " is trusted again after 16.5 s");
  EXPECT_EQ(Describe(About(What::kLeft)), node + " has left; no object is lost with it");
}

TEST(NodeLogTest, LentMemoryInDoubtIsAWarningAndALeavingClientNothing) {
  NodeLog log;
  const std::vector<NodeLog::Line> lines =
      log.Compose(kBegin, {About(What::kSuspected), About(What::kTrusted), About(What::kGone),
                           About(What::kLeft), About(What::kSuspected, /*lends=*/false),
                           About(What::kLeft, /*lends=*/false)});
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_TRUE(lines[0].warning);
  EXPECT_FALSE(lines[1].warning);
  EXPECT_TRUE(lines[2].warning);
  EXPECT_FALSE(lines[3].warning);
  EXPECT_FALSE(lines[4].warning);
}

TEST(NodeLogTest, TooManyLinesInOneSecondAreCountedInstead) {
  NodeLog log;
  const std::vector<NodeEvent> many(120, About(What::kSuspected));
  EXPECT_EQ(log.Compose(kBegin, many).size(), 50U);
  EXPECT_TRUE(log.Compose(kBegin + milliseconds(999), {}).empty());
  const std::vector<NodeLog::Line> later = log.Compose(kBegin + seconds(1), {});
  ASSERT_EQ(later.size(), 1U);
  EXPECT_TRUE(later[0].text.starts_with("70 more")) << later[0].text;
  EXPECT_EQ(log.Compose(kBegin + seconds(1), many).size(), 50U);
}

}  // namespace
}  // namespace kvstore::master
