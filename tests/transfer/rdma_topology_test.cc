// Where devices and memory are, by a /sys of the test.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "transfer/fake_verbs.h"
#include "transfer/lent_memory.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/topology.h"

namespace kvstore::transfer {
namespace {

class RdmaTopologyTest : public testing::Test {
 protected:
  void SetUp() override {
    // Nodes 0 and 1 are halves of one socket.
    Write("devices/system/node/node0/distance", "10 12 21\n");
    Write("devices/system/node/node1/distance", "12 10 21\n");
    Write("devices/system/node/node4/distance", "21 21 10\n");
    Write("devices/system/node/has_cpu", "0-4\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + "/" + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  // The folder of a device on that node.
  std::string Device(const std::string& name, int node) {
    Write(name + "/device/numa_node", std::to_string(node) + "\n");
    return root_ + "/" + name;
  }

  const std::string root_ = testing::TempDir() + "rdma_topology." + std::to_string(getpid());
};

TEST_F(RdmaTopologyTest, DistancesAreTheKernels) {
  const Topology topology(root_);
  EXPECT_EQ(topology.Distance(0, 0), 10);
  EXPECT_EQ(topology.Distance(0, 1), 12);
  EXPECT_EQ(topology.Distance(4, 1), 21);
  EXPECT_EQ(topology.Distance(4, 4), 10);
  EXPECT_EQ(topology.Distance(2, 4), 0) << "there is no such node";
  EXPECT_EQ(topology.Distance(-1, 4), 0);
  EXPECT_EQ(Topology(root_ + "/nothing").Distance(0, 0), 0);
}

TEST_F(RdmaTopologyTest, TheNearestAreThoseThatNoneIsNearerThan) {
  const Topology topology(root_);
  EXPECT_EQ(Nearest(topology, {0, 1, 4}, 0), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(Nearest(topology, {1, 4}, 0), (std::vector<bool>{true, false}));
  EXPECT_EQ(Nearest(topology, {4, 4}, 0), (std::vector<bool>{true, true}));
  EXPECT_EQ(Nearest(topology, {4, -1}, 0), (std::vector<bool>{true, true}));
  EXPECT_EQ(Nearest(topology, {0, 4}, -1), (std::vector<bool>{true, true}));
}

TEST_F(RdmaTopologyTest, DevicesNearTheRegionsArePreferredWhileTheseAreTogether) {
  FakeFabric::SetUp({{.path = Device("a", 0)}, {.path = Device("b", 4)}});
  Bytes low(4096), high(4096);
  const auto find = [&](const std::byte* base, uint64_t) {
    return base == reinterpret_cast<std::byte*>(low.data()) ? 0 : 4;
  };
  RdmaRegions regions(OpenDevices(FakeFabric::verbs(), {}, -1).value().usable, 0, Topology(root_),
                      find);
  const auto near = [&] { return std::vector<bool>{regions.IsNear(0), regions.IsNear(1)}; };
  EXPECT_EQ(near(), (std::vector<bool>{true, true}));
  ASSERT_TRUE(regions.Add(1, high.data(), high.size(), {}).ok());
  EXPECT_EQ(near(), (std::vector<bool>{false, true}));
  ASSERT_TRUE(regions.Add(2, low.data(), low.size(), {}).ok());
  EXPECT_EQ(near(), (std::vector<bool>{true, true}));
  EXPECT_TRUE(regions.Remove(1, BootClock::now() + std::chrono::seconds(10)).ok());
  EXPECT_EQ(near(), (std::vector<bool>{true, false}));
}

TEST_F(RdmaTopologyTest, OfMemoryTheKernelIsAsked) {
  Bytes bytes(1 << 20, 1);
  const int node = NodeOfMemory(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  // Containers may forbid to ask; a machine of one node has nothing else to answer.
  const bool one_node = !std::filesystem::exists("/sys/devices/system/node/node1");
  EXPECT_TRUE(node == -1 || node == 0 || !one_node) << node;
}

}  // namespace
}  // namespace kvstore::transfer
