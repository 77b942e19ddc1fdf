#include "histories/history.h"

#include <gtest/gtest.h>

namespace kvstore::history {
namespace {

TEST(HistoryTest, LinesAreReadBackAsOperations) {
  History history;
  ReadHistory(
      "begun\nbegin 1 0 key 77 1000\nbegin 2 1 key 0 1500\nend 1 0 0 77 2000\n"
      "end 2 0 1 77 2500\nbegin 3 3 other 0 3000\nbegin 4 0 ke",
      &history);
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0].verb, Verb::kPut);
  EXPECT_EQ(history[0].outcome, Outcome::kOk);
  EXPECT_EQ(history[0].version, 77u);
  EXPECT_EQ(history[0].begin, TimePoint(Duration(1000)));
  EXPECT_EQ(history[0].end, TimePoint(Duration(2000)));
  EXPECT_EQ(history[1].verb, Verb::kGet);
  EXPECT_TRUE(history[1].found);
  EXPECT_EQ(history[1].version, 77u);
}

TEST(HistoryTest, WhatHasNotEndedIsUnknown) {
  History history;
  ReadHistory("begin 3 3 other 0 3000\n", &history);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].key, "other");
  EXPECT_EQ(history[0].verb, Verb::kRemove);
  EXPECT_EQ(history[0].outcome, Outcome::kUnknown);
  EXPECT_EQ(history[0].end, TimePoint::max());
}

}  // namespace
}  // namespace kvstore::history
