// The demo, all of whose bytes go over RDMA.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tools/program.h"

namespace kvstore::rdma_tests {
namespace {

using cluster::Finished;
using testing::ContainsRegex;
using testing::HasSubstr;

TEST(DemoTest, ATraceIsReplayedOverRdma) {
  std::ostringstream trace;
  for (int i = 0; i < 8; ++i) {
    trace << "{\"timestamp\": " << i << ", \"input_length\": 1024, \"output_length\": 1, "
          << "\"hash_ids\": [0, " << i + 1 << "]}\n";
  }
  const std::string path = cluster::TempPath("trace");
  cluster::WriteFile(path, trace.str());
  const Finished demo = cluster::RunProgram(
      {KVSTORE_KVDEMO_PATH, "--trace", path, "--block", "64KiB", "--lend", "16MiB", "--ways",
       "rdma", "--restart-after", "0", "--kill-master-after", "0"},
      "", std::chrono::seconds(120));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.out, ContainsRegex("requests +8 +of 8"));
  EXPECT_THAT(demo.out, ContainsRegex("put, rdma .* 100.0 %"));
  EXPECT_THAT(demo.out, ContainsRegex("got, rdma .* 100.0 %"));
  EXPECT_THAT(demo.out, HasSubstr("\nerrors: 0\nwrong bytes: 0\n"));
}

}  // namespace
}  // namespace kvstore::rdma_tests
