#include "master/stream_table.h"

#include <gtest/gtest.h>

#include <optional>

namespace kvstore::master {
namespace {

using std::chrono::seconds;

class FakeStream : public Endable {
 public:
  void End(const Status& why) override { ended = why; }
  bool greeted() const override { return said_hello; }
  std::optional<Status> ended;
  bool said_hello = false;
};

TEST(StreamTable, EndsOnlyTheSilentWhenTheirTimeIsUp) {
  StreamTable table({.streams = 10, .hello_within = seconds(5)});
  const auto silent = std::make_shared<FakeStream>();
  const auto polite = std::make_shared<FakeStream>();
  const auto later = std::make_shared<FakeStream>();
  polite->said_hello = true;
  const TimePoint begin;
  ASSERT_TRUE(table.Add(begin, silent).ok());
  ASSERT_TRUE(table.Add(begin, polite).ok());
  ASSERT_TRUE(table.Add(begin + seconds(1), later).ok());
  table.EndSilent(begin + seconds(4));
  EXPECT_FALSE(silent->ended);
  table.EndSilent(begin + seconds(5));
  ASSERT_TRUE(silent->ended);
  EXPECT_EQ(silent->ended->code(), StatusCode::kDeadlineExceeded);
  EXPECT_NE(silent->ended->message().find("5000 ms"), std::string::npos) << *silent->ended;
  EXPECT_FALSE(polite->ended);
  EXPECT_FALSE(later->ended);
}

TEST(StreamTable, RefusesMoreThanItsBound) {
  StreamTable table({.streams = 1, .hello_within = seconds(5)});
  const auto first = std::make_shared<FakeStream>();
  const auto second = std::make_shared<FakeStream>();
  ASSERT_TRUE(table.Add({}, first).ok());
  EXPECT_EQ(table.Add({}, second).code(), StatusCode::kResourceExhausted);
  table.Remove(first.get());
  EXPECT_TRUE(table.Add({}, second).ok());
}

TEST(StreamTable, SharesAStreamOnlyUntilItIsRemoved) {
  StreamTable table({.streams = 10, .hello_within = seconds(5)});
  auto stream = std::make_shared<FakeStream>();
  const std::weak_ptr<FakeStream> seen = stream;
  ASSERT_TRUE(table.Add({}, stream).ok());
  const FakeStream* key = stream.get();
  stream.reset();
  EXPECT_FALSE(seen.expired());
  table.Remove(key);
  EXPECT_TRUE(seen.expired());
  table.EndSilent(TimePoint() + seconds(9));  // its deadline is still noted; it is not touched
  EXPECT_EQ(table.size(), 0U);
}

TEST(StreamTable, CloseEndsAllAndRefusesFurtherOnes) {
  StreamTable table({.streams = 10, .hello_within = seconds(5)});
  const auto stream = std::make_shared<FakeStream>();
  ASSERT_TRUE(table.Add({}, stream).ok());
  const Status why = UnavailableError("ending");
  table.Close(why, BootClock::now());
  EXPECT_EQ(stream->ended, why);
  EXPECT_EQ(table.Add({}, std::make_shared<FakeStream>()), why);
}

// Its client takes nothing.
class ClosedUpStream : public FakeStream {
 public:
  void EndWhenSent(const Status&) override {}
};

TEST(StreamTable, WhatIsNotSentInTimeIsEndedAllTheSame) {
  StreamTable table({.streams = 10, .hello_within = seconds(5)});
  const auto stream = std::make_shared<ClosedUpStream>();
  ASSERT_TRUE(table.Add({}, stream).ok());
  const TimePoint sent_by = BootClock::now() + std::chrono::milliseconds(20);
  table.Close(UnavailableError("ending"), sent_by);
  EXPECT_GE(BootClock::now(), sent_by);
  EXPECT_TRUE(stream->ended.has_value());
}

}  // namespace
}  // namespace kvstore::master
