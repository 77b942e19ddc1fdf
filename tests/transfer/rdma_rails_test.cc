// Which of a holder's devices lanes lead to: by a /sys of the test.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "transfer/rdma/rails.h"
#include "transfer/rdma/topology.h"
#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

constexpr bool kEthernet = true;

std::vector<HolderDevice> DevicesThatAreNear(const std::vector<bool>& near) {
  std::vector<HolderDevice> devices;
  for (const bool each : near) devices.push_back({.name = "d", .ethernet = true, .near = each});
  return devices;
}

TEST(RailsTest, TheDeviceOfTheSameNumberIsTakenWhereNoneIsNearer) {
  for (const auto& near : {std::vector<bool>{false, false}, std::vector<bool>{true, true}}) {
    for (const size_t device : {0, 1, 2}) {
      EXPECT_EQ(NearestToMemory(device, device, kEthernet, DevicesThatAreNear(near)), device % 2);
    }
  }
  EXPECT_EQ(NearestToMemory(1, 1, kEthernet, DevicesThatAreNear({false, true, true})), 1u);
}

TEST(RailsTest, OursAreSpreadOverThoseThatAreNearer) {
  const auto devices = DevicesThatAreNear({false, false, true, true});
  const std::vector<size_t> expected = {2, 3, 2, 3};
  for (size_t device = 0; device < expected.size(); ++device) {
    EXPECT_EQ(NearestToMemory(device, device, kEthernet, devices), expected[device]) << device;
  }
}

// Of our eight devices the even ones are near our memory, of the holder's the odd ones.
TEST(RailsTest, OursThatAreUsedAreSpreadOverThoseThatAreNearer) {
  const auto devices = DevicesThatAreNear({false, true, false, true, false, true, false, true});
  for (size_t rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(NearestToMemory(2 * rank, rank, kEthernet, devices), 2 * rank + 1) << rank;
  }
}

TEST(RailsTest, AnotherKindOfNetworkIsNotNearer) {
  auto devices = DevicesThatAreNear({false, true});
  devices[1].ethernet = false;
  EXPECT_EQ(NearestToMemory(0, 0, kEthernet, devices), 0u);
  EXPECT_EQ(NearestToMemory(0, 0, !kEthernet, devices), 1u);
}

// A client of one device, "mine", and a holder whose memory lies on node 4, and so nearest to its
// device "near", which is not of the same number: that is "far", on node 0.
class RdmaRailsTest : public RdmaTransportTest {
 protected:
  void TearDown() override {
    client_.reset();
    holder_.reset();
    std::filesystem::remove_all(root_);
  }

  // Devices of one network reach each other.
  void StartWith(int mine, int far, int near) {
    Write("devices/system/node/node0/distance", "10 21\n");
    Write("devices/system/node/node4/distance", "21 10\n");
    FakeFabric::SetUp({{.name = "mine", .network = mine},
                       {.name = "far", .path = OnNode("far", 0), .network = far},
                       {.name = "near", .path = OnNode("near", 4), .network = near}});
    const MachineMap map{.sysfs = root_, .node_of = [](const std::byte*, uint64_t) { return 4; }};
    EngineOptions options{.ways = {Way::kRdma}};
    options.rdma_devices = {"far", "near"};
    holder_ = CreateEngine(options, {}, &FakeFabric::verbs(), &map).value();
    options.rdma_devices = {"mine"};
    client_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
    Lend(1 << 20);
  }

  void ExpectCopies() {
    Bytes bytes(1 << 20, 7);
    ExpectDone(Run(Access::kWrite, &bytes));
    EXPECT_TRUE(memory_->bytes() == bytes);
    bytes.assign(bytes.size(), 0);
    ExpectDone(Run(Access::kRead, &bytes));
    EXPECT_TRUE(memory_->bytes() == bytes);
  }

 private:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + "/" + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  std::string OnNode(const std::string& name, int node) {
    Write(name + "/device/numa_node", std::to_string(node) + "\n");
    return root_ + "/" + name;
  }

  const std::string root_ = testing::TempDir() + "rdma_rails." + std::to_string(getpid());
};

TEST_F(RdmaRailsTest, LanesLeadToTheDeviceThatIsNearestToTheHoldersMemory) {
  StartWith(1, 2, 1);
  ExpectCopies();
  EXPECT_EQ(client_->rdma_devices().at(0).failures, 0u);
}

TEST_F(RdmaRailsTest, WhereNoWayLeadsFromRailToRailTheyLeadToTheDeviceOfTheSameNumber) {
  StartWith(1, 1, 2);
  ExpectCopies();
  EXPECT_EQ(client_->rdma_devices().at(0).failures, 0u);
}

TEST_F(RdmaRailsTest, ADeviceWhosePortIsDownIsNotNear) {
  StartWith(1, 1, 1);
  FakeFabric::SetPort("near", IBV_PORT_DOWN);
  EXPECT_TRUE(
      Comes([&] { return !holder_->rdma_devices().at(1).trouble.ok(); }, std::chrono::seconds(60)));
  ExpectCopies();
  EXPECT_EQ(client_->rdma_devices().at(0).failures, 0u);
}

}  // namespace
}  // namespace kvstore::transfer
