// That a row of kvbench over RDMA works.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rdma/devices.h"
#include "tools/program.h"

namespace kvstore::rdma_tests {
namespace {

using testing::ContainsRegex;

TEST(BenchTest, ARowIsMeasuredAgainstPerftest) {
  const cluster::Finished bench =
      cluster::RunProgram({KVSTORE_KVBENCH_PATH, "run", "rdma-get-4KiB", "--seconds", "0.1"}, "",
                          std::chrono::seconds(240));
  EXPECT_EQ(bench.code, 0) << bench.out << bench.err;
  EXPECT_THAT(bench.out, ContainsRegex("rdma-get-4KiB +[0-9.]+ us +[0-9.]+ us +ib_read_lat"));
}

}  // namespace
}  // namespace kvstore::rdma_tests
