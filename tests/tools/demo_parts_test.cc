#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <sstream>

#include "tools/demo/block_content.h"
#include "tools/demo/report.h"
#include "tools/demo/results.h"
#include "tools/demo/trace.h"

namespace kvstore::demo {
namespace {

using ::testing::ContainsRegex;
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

TEST(ReportTest, NumbersOfTheSameNameAreAdded) {
  Report sum{.what = "totals", .numbers = {{"a", 1}, {"b", 2}}, .problem = ""};
  sum.Add({.what = "totals", .numbers = {{"b", 40}, {"c", 3}}, .problem = ""});
  EXPECT_EQ(sum.Number("a"), 1u);
  EXPECT_EQ(sum.Number("b"), 42u);
  EXPECT_EQ(sum.Number("c"), 3u);
}

// A replay of 100 bytes put and as many read, `shm` per cent of each by shared memory.
Results Replayed(uint64_t shm) {
  Results results;
  results.shm_expected = true;
  results.block_bytes = 5;
  results.prefill_totals.numbers = {{"shm_put", shm}, {"tcp_put", 100 - shm}, {"shm_us", 10}};
  results.decode_totals.numbers = {{"shm_got", shm}, {"tcp_got", 100 - shm}};
  return results;
}

TEST(ResultsTest, NearlyAllBytesGoBySharedMemoryWhereTheyCan) {
  EXPECT_TRUE(Replayed(100).good());
  EXPECT_TRUE(Replayed(95).good());
  EXPECT_FALSE(Replayed(94).good());
  EXPECT_FALSE(Replayed(0).good());
  Results elsewhere = Replayed(0);
  elsewhere.shm_expected = false;
  EXPECT_TRUE(elsewhere.good());
}

TEST(ResultsTest, AnErrorOrAWrongByteIsNotGood) {
  Results results = Replayed(100);
  results.AddProblem("unavailable: gone");
  EXPECT_FALSE(results.good());
  results = Replayed(100);
  results.AddDecode({.what = "request", .numbers = {{"got", 10}, {"wrong", 1}}, .problem = ""});
  EXPECT_FALSE(results.good());
}

TEST(ResultsTest, ARestartThatKeptNothingIsNotGood) {
  Results results = Replayed(100);
  results.restart = {.after = 7, .killed = 1, .started = 2};
  EXPECT_TRUE(results.good()) << "no old block was asked for";
  results.old_blocks = 12;
  EXPECT_FALSE(results.good());
  std::ostringstream out;
  results.Print(out);
  EXPECT_THAT(out.str(), HasSubstr("it lost them all"));
  results.old_blocks_read = 1;  // the others may have been evicted
  EXPECT_TRUE(results.good());
}

TEST(ResultsTest, TheTableSaysByWhichWayTheBytesWentAndWhatTheRestartKept) {
  Results results = Replayed(80);
  results.restart = {.after = 7, .killed = 1, .started = 2};
  results.old_blocks = 12;
  results.old_blocks_read = 11;
  results.decode_totals.numbers["gets"] = 20;
  results.decode_totals.numbers["gets_remembered"] = 4;
  results.decode_totals.numbers["master_requests"] = 30;
  results.prefill_totals.numbers["master_requests"] = 3;
  std::ostringstream out;
  results.Print(out);
  EXPECT_THAT(out.str(), ContainsRegex("restart after +7 +requests"));
  EXPECT_THAT(out.str(), ContainsRegex("kept +11 +of 12 blocks"));
  EXPECT_THAT(out.str(), ContainsRegex("remembered +4 +of them asked the master nothing"));
  EXPECT_THAT(out.str(), ContainsRegex("master +33 +requests"));
  // Bytes in GB, objects, share, seconds, GB/s.
  EXPECT_THAT(out.str(), ContainsRegex("put, shm +0.00 +16 +80.0 % +0.00 +0.01\n"));
  EXPECT_THAT(out.str(), ContainsRegex("got, tcp +0.00 +4 +20.0 % +0.00 +-\n"));
  EXPECT_THAT(out.str(), HasSubstr("by shared memory: 80.0 % of all bytes, too few"));
}

TEST(ReportTest, WhatIsNoReportIsNone) {
  for (const char* bad : {"", "request id", "request id=", "request id=x", "request id=1x"}) {
    EXPECT_FALSE(Report::FromLine(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace kvstore::demo
