#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>

#include "tools/demo/block_content.h"
#include "tools/demo/report.h"
#include "tools/demo/trace.h"

namespace kvstore::demo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string WriteTrace(const std::string& text) {
  const std::string path = testing::TempDir() + "kvstore_trace_" +
                           testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ofstream(path) << text;
  return path;
}

TEST(TraceTest, RequestsAreReadInOrderUpToTheLimit) {
  const std::string path = WriteTrace(
      "{\"timestamp\": 0, \"hash_ids\": [0, 1, 18446744073709551615]}\n"
      "{\"hash_ids\":[7],\"timestamp\":3}\n"
      "{\"hash_ids\" : [ 8 , 9 ]}\n");
  const auto two = ReadTrace(path, 2);
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_EQ(two->size(), 2u);
  EXPECT_THAT((*two)[0].blocks, ElementsAre(0, 1, UINT64_MAX));
  EXPECT_EQ(ReadTrace(path, 0)->size(), 3u);
}

TEST(TraceTest, ALineThatIsNoRequestIsNamed) {
  for (const char* bad :
       {"{}", "hello", "{\"hash_ids\": 3}", "{\"hash_ids\": [1, ]}", "{\"hash_ids\": [1, 2",
        "{\"hash_ids\": [-1]}", "{\"hash_ids\": [18446744073709551616]}"}) {
    const auto trace = ReadTrace(WriteTrace("{\"hash_ids\": [1]}\n" + std::string(bad) + "\n"), 0);
    EXPECT_EQ(trace.status().code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(trace.status().message(), HasSubstr("line 2")) << bad;
  }
}

TEST(TraceTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ReadTrace("/nonexistent/trace", 0).status().code(), StatusCode::kNotFound);
}

TEST(TraceTest, TheSliceInTheRepositoryIsWhole) {
  const auto trace = ReadTrace(KVSTORE_TRACE_SLICE, 0);
  ASSERT_TRUE(trace.ok()) << trace.status();
  size_t blocks = 0;
  for (const TraceRequest& request : *trace) blocks += request.blocks.size();
  EXPECT_EQ(trace->size(), 1000u);
  EXPECT_EQ(blocks, 27'305u);
}

TEST(BlockContentTest, ABlockHoldsItsOwnBytesAndNoOthers) {
  EXPECT_TRUE(rc::check([](uint64_t block, uint64_t other) {
    std::vector<uint64_t> content(64);
    FillBlock(block, content);
    RC_ASSERT(CountWrongBytes(block, content) == 0u);
    if (other != block) RC_ASSERT(CountWrongBytes(other, content) > 0u);
  }));
}

TEST(BlockContentTest, OneWrongByteIsOneWrongByte) {
  std::vector<uint64_t> content(8192);
  FillBlock(17, content);
  content[8191] ^= uint64_t{0xff} << 56;
  EXPECT_EQ(CountWrongBytes(17, content), 1u);
  content[0] ^= 0x0101;
  EXPECT_EQ(CountWrongBytes(17, content), 3u);
}

TEST(BlockContentTest, BytesMovedToAnotherPlaceAreWrong) {
  std::vector<uint64_t> content(1024);
  FillBlock(17, content);
  std::rotate(content.begin(), content.begin() + 512, content.end());
  EXPECT_GT(CountWrongBytes(17, content), 8000u);
}

TEST(ReportTest, ALineSaysWhatTheReportSaid) {
  Report report{
      .what = "request", .numbers = {{"id", 17}, {"got", UINT64_MAX}}, .problem = "a = b"};
  const auto read = Report::FromLine(report.ToLine());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->what, "request");
  EXPECT_EQ(read->numbers, report.numbers);
  EXPECT_EQ(read->problem, "a = b");
  EXPECT_EQ(read->Number("absent"), 0u);
}

TEST(ReportTest, WhatIsNoReportIsNone) {
  for (const char* bad : {"", "request id", "request id=", "request id=x", "request id=1x"}) {
    EXPECT_FALSE(Report::FromLine(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace kvstore::demo
