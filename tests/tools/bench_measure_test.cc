#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>

#include "tools/json_value.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/report.h"

namespace kvstore::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Says these, one a round; the first does not count.
Round Saying(std::deque<double> values) {
  return [values](Duration) mutable -> Result<double> {
    const double next = values.front();
    values.pop_front();
    return next;
  };
}

TEST(MeasureTest, ASpreadHasTheMedianAndBothEnds) {
  const Spread spread = SpreadOf({5, 1, 9, 3, 4});
  EXPECT_EQ(spread.median, 4);
  EXPECT_EQ(spread.least, 1);
  EXPECT_EQ(spread.most, 9);
}

TEST(MeasureTest, TheRatioIsThatOfEachPairOfRoundsNotThatOfTheMedians) {
  // The machine gets slower all the time, and the store is always at four fifths of it.
  const Result<Outcome> outcome =
      Alternate(Better::kMore, milliseconds(1), Saying({1, 80, 40, 20, 10, 5}),
                Saying({1000, 100, 50, 25, 12.5, 6.25}));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->value, 20);
  EXPECT_EQ(outcome->limit, 25);
  EXPECT_DOUBLE_EQ(outcome->ratio.least, 0.8);
  EXPECT_DOUBLE_EQ(outcome->ratio.most, 0.8);
}

TEST(MeasureTest, OfTimesTheRatioIsInvertedSoThatLargerIsBetter) {
  const Result<Outcome> outcome = Alternate(Better::kLess, milliseconds(1),
                                            Saying({9, 4, 4, 4, 4, 4}), Saying({9, 1, 1, 2, 1, 1}));
  ASSERT_TRUE(outcome.ok());
  EXPECT_DOUBLE_EQ(outcome->ratio.median, 0.25);
  EXPECT_DOUBLE_EQ(outcome->ratio.most, 0.5);
  EXPECT_DOUBLE_EQ(Demand(Better::kLess, 600, 300).ratio.median, 0.5);
}

TEST(MeasureTest, AnErrorInARoundIsTheRows) {
  const Round failing = [](Duration) -> Result<double> { return DataLossError("wrong"); };
  const Result<Outcome> outcome =
      Alternate(Better::kMore, milliseconds(1), failing, Saying({1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(outcome.status().code(), StatusCode::kDataLoss);
}

TEST(MeasureTest, StepsCountWhatTheySayAndGoOnUntilItAddsUp) {
  int steps = 0;
  const Result<Times> times = Repeat(seconds(10), [&]() -> Result<Duration> {
    ++steps;
    return Duration(seconds(steps));
  });
  ASSERT_TRUE(times.ok());
  EXPECT_EQ(times->steps(), 4u);  // 1 + 2 + 3 + 4
  EXPECT_EQ(times->sum(), seconds(10));
  EXPECT_DOUBLE_EQ(times->PerSecond(5), 4 * 5 / 10.0);
}

TEST(MeasureTest, PercentilesAreOfSingleSteps) {
  Times times;
  for (int i = 100; i >= 0; --i) times.Add(microseconds(i));
  EXPECT_DOUBLE_EQ(times.PercentileUs(0.5), 50);
  EXPECT_DOUBLE_EQ(times.PercentileUs(0.99), 99);
  EXPECT_DOUBLE_EQ(times.PercentileUs(1), 100);
}

TEST(ReportTest, ALineSaysWhetherATargetWasMetAndJsonHasExactlySixMembers) {
  Row row;
  row.name = "shm-get";
  row.unit = "GB/s";
  row.against = "memcpy";
  row.target = 0.85;
  const Outcome outcome{.value = 8, .limit = 10, .ratio = {0.8, 0.7, 0.9}};
  EXPECT_THAT(TableLine(row, outcome), HasSubstr("0.80 (0.70-0.90)"));
  EXPECT_THAT(TableLine(row, outcome), HasSubstr("0.85 missed"));
  Row free = row;
  free.target = std::nullopt;
  const std::optional<text::JsonValue> json =
      text::JsonValue::Parse(ToJson({{row, outcome}, {free, outcome}}));
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)[0].size(), 6u);
  EXPECT_EQ((*json)[0]["row"].text(), "shm-get");
  EXPECT_EQ((*json)[0]["value"].number(), 8);
  EXPECT_EQ((*json)[0]["limit"].number(), 10);
  EXPECT_EQ((*json)[0]["ratio"].number(), 0.8);
  EXPECT_EQ((*json)[0]["target"].number(), 0.85);
  EXPECT_TRUE(std::holds_alternative<std::nullptr_t>((*json)[1]["target"].value));
}

}  // namespace
}  // namespace kvstore::bench
