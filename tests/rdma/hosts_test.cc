// A pool over two hosts, each with a device of its own: bytes go from one to the other over RDMA.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/child_process.h"
#include "cluster/cluster.h"
#include "rdma/devices.h"
#include "tools/program.h"

namespace kvstore::rdma_tests {
namespace {

using cluster::ChildProcess;
using cluster::Finished;

TEST(HostsTest, ObjectsGoFromHostToHostOverRdma) {
  const cluster::MasterProcess master({"--listen=" + AddressOf(0), "--insecure_allow_remote"},
                                      OnHost(0, {}));
  ASSERT_TRUE(master.running());
  ChildProcess node(
      OnHost(0, {KVSTORE_NODE_PATH, "--master=" + master.address(), "--lend=16MiB",
                 "--ways=rdma,tcp", "--listen=" + AddressOf(0) + ":0", "--insecure_allow_remote"}));
  ASSERT_TRUE(node.WaitForLine(" ready", kLong)) << node.output();
  constexpr uint64_t kCount = 12;
  constexpr uint64_t kBytes = 256 << 10;
  const Packets before = PacketsOf("rxe0");
  const Finished client = cluster::RunProgram(
      OnHost(1, {KVSTORE_TEST_FAR_CLIENT_PATH, master.address(), AddressOf(1) + ":0",
                 std::to_string(kCount), std::to_string(kBytes)}),
      "", 2 * kLong);
  EXPECT_EQ(client.code, 0) << client.out << client.err;
  EXPECT_EQ(client.out, std::to_string(kCount) + " right, " + std::to_string(2 * kCount * kBytes) +
                            " bytes by RDMA, 0 bytes by other ways\n");
  // The other host's device has seen them.
  const Packets after = PacketsOf("rxe0");
  EXPECT_GE(after.received - before.received, kCount * kBytes / 4096);
  EXPECT_GE(after.sent - before.sent, kCount * kBytes / 4096);
}

}  // namespace
}  // namespace kvstore::rdma_tests
