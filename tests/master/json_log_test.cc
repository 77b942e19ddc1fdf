#include "master/json_log.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tools/json_value.h"

namespace kvstore::master {
namespace {

using text::JsonValue;

const google::LogMessageTime kTime(1'795'645'877, 0.000123);

TEST(JsonLog, AMessageIsOneObjectInOneLine) {
  const std::string line =
      JsonLog::Compose(google::GLOG_WARNING, kTime, "main.cc:7", "two\nlines \"quoted\" \xff");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto value = JsonValue::Parse(line);
  ASSERT_TRUE(value) << line;
  EXPECT_EQ((*value)["level"].text(), "warning");
  EXPECT_EQ((*value)["source"].text(), "main.cc:7");
  EXPECT_EQ((*value)["msg"].text(), "two\nlines \"quoted\" \xef\xbf\xbd");
  EXPECT_TRUE((*value)["time"].text().ends_with("Z")) << line;
}

TEST(JsonLog, AnEventsMembersStandInTheLineItself) {
  const std::string line =
      JsonLog::ComposeEvent(google::GLOG_INFO, kTime, R"({"event":"node_left","term":3})");
  const auto value = JsonValue::Parse(line);
  ASSERT_TRUE(value) << line;
  EXPECT_EQ((*value)["level"].text(), "info");
  EXPECT_EQ((*value)["event"].text(), "node_left");
  EXPECT_EQ((*value)["term"].number(), 3);
}

}  // namespace
}  // namespace kvstore::master
