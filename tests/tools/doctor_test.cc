#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tools/kvctl/doctor/checks.h"
#include "tools/kvctl/doctor/machine.h"
#include "tools/program.h"

namespace kvstore::kvctl::doctor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kGiB = uint64_t{1} << 30;

MachineView HealthyMachine() {
  MachineView machine;
  machine.kernel = "6.1.0";
  machine.boot_id = "boot-1";
  machine.memory_total = 64 * kGiB;
  machine.memory_available = 48 * kGiB;
  machine.huge_page_size = 2 << 20;
  machine.huge_pages = 1024;
  machine.huge_pages_free = 512;
  machine.open_files = 65'536;
  machine.locked_memory = UINT64_MAX;
  return machine;
}

NodeRow Lender(const std::string& name, const std::string& host = "boot-1 uid:0") {
  NodeRow node;
  node.name = name;
  node.host = host;
  node.state = "live";
  node.software = "0.1.0";
  node.segments = 1;
  node.space = {.size = 8 * kGiB, .unprepared = 4 * kGiB, .free = 2 * kGiB, .committed = 2 * kGiB};
  return node;
}

NodeRow Client(const std::string& name, const std::string& host = "boot-1 uid:0") {
  NodeRow node = Lender(name, host);
  node.segments = 0;
  node.space = {};
  return node;
}

PoolView HealthyPool() {
  PoolView pool;
  pool.master = "10.0.0.5:50051";
  pool.reached = Reached::kMaster;
  pool.answer_time = milliseconds(2);
  pool.own_software = pool.status.software = "0.1.0";
  pool.own_protocol = pool.status.protocol_version = 1;
  pool.nodes = {Lender("shelf"), Client("worker")};
  pool.status.nodes_live = 2;
  pool.status.space = pool.nodes[0].space;
  pool.reaches = {{"shelf", Status::Ok()}};
  return pool;
}

// The one finding, which is of that level and names cause and remedy.
void Expect(const Findings& findings, Level level, const std::string& cause,
            const std::string& remedy) {
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].level, level) << findings[0].what;
  EXPECT_THAT(findings[0].what, HasSubstr(cause));
  EXPECT_THAT(findings[0].remedy, HasSubstr(remedy));
}

TEST(DoctorTest, NothingIsWrongWhereAllIsWell) {
  for (const Finding& finding : CheckAll(HealthyMachine(), HealthyPool())) {
    EXPECT_EQ(finding.level, Level::kWell) << finding.check << ": " << finding.what;
    EXPECT_THAT(finding.what, Not(IsEmpty()));
    EXPECT_THAT(finding.remedy, IsEmpty());
  }
}

TEST(DoctorTest, WithoutAMasterOnlyTheMachineAndTheWayAreJudged) {
  PoolView pool;
  pool.reached = Reached::kRefused;
  const Findings findings = CheckAll(HealthyMachine(), pool);
  EXPECT_EQ(findings.back().check, "master");
  EXPECT_EQ(findings.back().level, Level::kWrong);
}

// ---- the machine ----

TEST(DoctorMachineTest, AKernelThatSealsNoMemory) {
  MachineView machine = HealthyMachine();
  machine.sealed_memory = UnavailableError("memfd_create: Function not implemented");
  Expect(CheckKernel(machine), Level::kWrong, "Function not implemented", "seccomp");
}

TEST(DoctorMachineTest, AKernelWithoutProcessHandles) {
  MachineView machine = HealthyMachine();
  machine.process_handles = UnavailableError("pidfd_open: Operation not permitted");
  Expect(CheckKernel(machine), Level::kWrong, "Operation not permitted", "pidfd_open");
}

TEST(DoctorMachineTest, HardlyAnyMemoryIsAvailable) {
  MachineView machine = HealthyMachine();
  machine.memory_available = kGiB;
  Expect(CheckMemory(machine), Level::kWrong, "1.0 GiB available of 64.0 GiB", "lend less");
}

TEST(DoctorMachineTest, TheControlGroupIsNearlyFull) {
  MachineView machine = HealthyMachine();
  machine.memory_limit = 16 * kGiB;
  machine.memory_in_limit = 8 * kGiB;
  EXPECT_EQ(CheckMemory(machine)[0].level, Level::kWell);
  machine.memory_in_limit = 16 * kGiB - 1;
  Expect(CheckMemory(machine), Level::kWrong, "control group", "memory.max");
}

TEST(DoctorMachineTest, NoHugePagesAreReservedOrThereAreNone) {
  MachineView machine = HealthyMachine();
  machine.huge_pages = 0;
  Expect(CheckHugePages(machine), Level::kNote, "none is reserved", "vm.nr_hugepages");
  machine.huge_page_size = 0;
  Expect(CheckHugePages(machine), Level::kNote, "the kernel has none", "ordinary pages");
}

TEST(DoctorMachineTest, FewFilesMayBeOpen) {
  MachineView machine = HealthyMachine();
  machine.open_files = 1024;
  Expect(CheckOpenFiles(machine), Level::kNote, "1024", "ulimit -n");
  machine.open_files = 64;
  Expect(CheckOpenFiles(machine), Level::kWrong, "64", "LimitNOFILE");
}

// With a device at each of two NUMA nodes, all well.
MachineView RdmaMachine() {
  MachineView machine = HealthyMachine();
  for (int i = 0; i < 2; ++i) {
    machine.rdma_devices.push_back(
        {.name = "mlx5_" + std::to_string(i),
         .state = "ACTIVE",
         .ethernet = true,
         .gids = {{0, "fe80:0000:0000:0000:1234:5678:9abc:def0", "IB/RoCE v1"},
                  {1, "fe80:0000:0000:0000:1234:5678:9abc:def0", "RoCE v2"},
                  {2, "0000:0000:0000:0000:0000:ffff:cb00:7101", "IB/RoCE v1"},
                  {3, "0000:0000:0000:0000:0000:ffff:cb00:7101", "RoCE v2"}},
         .interface_mtu = 4200,
         .numa_node = i,
         .pci = "0000:3b:00." + std::to_string(i)});
  }
  return machine;
}

// The findings that are not well, of which there is one.
void ExpectRdma(const MachineView& machine, Level level, const std::string& cause,
                const std::string& remedy) {
  Findings findings = CheckRdma(machine);
  std::erase_if(findings, [](const Finding& finding) { return finding.level == Level::kWell; });
  Expect(findings, level, cause, remedy);
}

TEST(DoctorRdmaTest, DevicesAreShownWithTheirPlaces) {
  EXPECT_THAT(CheckRdma(HealthyMachine())[0].what, HasSubstr("no devices"));
  const Findings findings = CheckRdma(RdmaMachine());
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[1].level, Level::kWell);
  EXPECT_THAT(findings[1].what,
              HasSubstr("mlx5_1 (address 0000:0000:0000:0000:0000:ffff:cb00:7101 of index 3, MTU "
                        "4096, NUMA node 1, 0000:3b:00.1)"));
}

TEST(DoctorRdmaTest, APortThatIsDownMattersMostWhereThereIsNoOther) {
  MachineView machine = RdmaMachine();
  machine.rdma_devices[1].state = "DOWN";
  ExpectRdma(machine, Level::kNote, "the port of mlx5_1 is DOWN", "cable");
  machine.rdma_devices.erase(machine.rdma_devices.begin());
  ExpectRdma(machine, Level::kWrong, "the port of mlx5_1 is DOWN", "network interface");
  machine.rdma_devices[0].ethernet = false;
  machine.rdma_devices[0].state = "INIT";
  ExpectRdma(machine, Level::kWrong, "mlx5_1 is INIT", "subnet manager");
}

TEST(DoctorRdmaTest, AddressesThatAreWrong) {
  MachineView machine = RdmaMachine();
  machine.rdma_devices.pop_back();
  machine.rdma_gid_index = 7;
  ExpectRdma(machine, Level::kWrong, "no address of index 7", "show_gids");
  machine.rdma_gid_index = 2;
  ExpectRdma(machine, Level::kWrong, "(index 2) is of IB/RoCE v1", "RoCE v2");
  machine.rdma_gid_index.reset();
  machine.rdma_devices[0].gids.resize(2);
  ExpectRdma(machine, Level::kNote, "its own network only", "IPv4");
  machine.rdma_devices[0].gids.resize(1);
  ExpectRdma(machine, Level::kWrong, "not of RoCE v2", "give its network interface an address");
  machine.rdma_devices[0].gids.clear();
  ExpectRdma(machine, Level::kWrong, "mlx5_0 has no address", "network interface");
}

TEST(DoctorRdmaTest, MtusThatDifferOrAreSmall) {
  MachineView machine = RdmaMachine();
  machine.rdma_devices[1].interface_mtu = 1500;
  ExpectRdma(machine, Level::kWrong, "different MTUs: mlx5_0 4096, mlx5_1 1024", "4200");
  machine.rdma_devices[0].interface_mtu = 1500;
  ExpectRdma(machine, Level::kNote, "packets are small: mlx5_0 1024, mlx5_1 1024", "4200");
}

TEST(DoctorRdmaTest, LittleMemoryThatMayBeLocked) {
  MachineView machine = RdmaMachine();
  machine.locked_memory = 8 << 20;
  ExpectRdma(machine, Level::kWrong, "8.0 MiB", "ulimit -l");
}

TEST(DoctorRdmaTest, GpusWhoseMemoryDevicesCannotReach) {
  MachineView machine = RdmaMachine();
  machine.gpu_driver = true;
  ExpectRdma(machine, Level::kNote, "nvidia_peermem isn't loaded", "modprobe nvidia_peermem");
  machine.peer_memory = true;
  EXPECT_EQ(CheckRdma(machine).size(), 2u);
}

TEST(DoctorRdmaTest, DevicesThatCannotBeOpened) {
  MachineView machine = RdmaMachine();
  machine.rdma_access = UnavailableError("/dev/infiniband/uverbs0: Permission denied");
  ExpectRdma(machine, Level::kWrong, "Permission denied", "--device=/dev/infiniband");
  machine.rdma_access = Status::Ok();
  machine.rdma_library = UnavailableError("there is no libibverbs.so.1");
  ExpectRdma(machine, Level::kWrong, "libibverbs.so.1", "ibverbs-providers");
}

TEST(DoctorRdmaTest, NodesThatNoPathLeadsTo) {
  PoolView pool = HealthyPool();
  EXPECT_THAT(CheckRdmaReaches(pool), IsEmpty());
  pool.rdma_reaches = {{"shelf", Status::Ok()}};
  EXPECT_EQ(CheckRdmaReaches(pool)[0].level, Level::kWell);
  pool.rdma_reaches.push_back({"far", UnavailableError("rdma: transport retry counter exceeded")});
  Expect(CheckRdmaReaches(pool), Level::kWrong, "no path to node 'far'", "MTU");
}

// ---- the way to the master ----

TEST(DoctorMasterTest, EachWayToFailHasItsCauseAndRemedy) {
  const std::tuple<Reached, const char*, const char*> ways[] = {
      {Reached::kNoName, "has no address", "/etc/hosts"},
      {Reached::kNoPath, "nothing answers", "firewall"},
      {Reached::kRefused, "nobody listens", "start kvstore_master"},
      {Reached::kNoMaster, "gives no answer", "metrics port"},
  };
  for (const auto& [reached, cause, remedy] : ways) {
    PoolView pool = HealthyPool();
    pool.reached = reached;
    pool.problem = "as the system has it";
    Expect(CheckMaster(pool), Level::kWrong, cause, remedy);
    EXPECT_THAT(CheckMaster(pool)[0].what, HasSubstr("10.0.0.5:50051"));
    EXPECT_THAT(CheckMaster(pool)[0].what, HasSubstr("as the system has it"));
  }
}

TEST(DoctorMasterTest, ALateAnswer) {
  PoolView pool = HealthyPool();
  pool.answer_time = milliseconds(300);
  Expect(CheckMaster(pool), Level::kNote, "300.0 ms", "overloaded");
  pool.answer_time = seconds(3);
  Expect(CheckMaster(pool), Level::kWrong, "3.0 s", "overloaded");
}

TEST(DoctorMasterTest, AnotherProtocolIsWrongAndAnotherVersionIsNoted) {
  PoolView pool = HealthyPool();
  pool.status.protocol_version = 2;
  Expect(CheckVersions(pool), Level::kWrong, "protocol 2", "same version");
  pool = HealthyPool();
  pool.nodes[0].software = "0.0.9";
  Expect(CheckVersions(pool), Level::kNote, "0.0.9", "upgrade");
  pool = HealthyPool();
  pool.own_software = "0.2.0";
  Expect(CheckVersions(pool), Level::kNote, "kvctl 0.2.0", "upgrade");
}

// ---- the pool ----

TEST(DoctorPoolTest, NodesThatAreNotAsTheyShouldBe) {
  PoolView pool = HealthyPool();
  pool.nodes[0].state = "suspected";
  Expect(CheckNodes(pool), Level::kWrong, "suspected, since nothing is heard of them: 'shelf'",
         "network");
  pool = HealthyPool();
  pool.nodes[0].sick = true;
  Expect(CheckNodes(pool), Level::kWrong, "sick", "firewall");
  pool = HealthyPool();
  pool.nodes[0].draining = true;
  Expect(CheckNodes(pool), Level::kNote, "being drained: 'shelf'", "--undo");
  pool = HealthyPool();
  pool.status.nodes_missing = 1;
  Expect(CheckNodes(pool), Level::kWrong, "1 members of the last reign have not reported",
         "start them");
}

TEST(DoctorPoolTest, NobodyLends) {
  PoolView pool = HealthyPool();
  pool.nodes = {Client("worker")};
  Expect(CheckNodes(pool), Level::kWrong, "no node lends", "kvstore_node --lend");
}

TEST(DoctorPoolTest, TwoLiveLendersWithOneName) {
  PoolView pool = HealthyPool();
  pool.nodes.push_back(Lender("shelf"));
  Expect(CheckNames(pool), Level::kWrong, "'shelf'", "--name");
  pool.nodes.back().state = "suspected";  // the one before, which has not been given up yet
  EXPECT_EQ(CheckNames(pool)[0].level, Level::kWell);
}

TEST(DoctorPoolTest, AClientOnAHostWhereNobodyLends) {
  PoolView pool = HealthyPool();
  pool.nodes.push_back(Client("far", "boot-2 uid:0"));
  Expect(CheckHosts(pool), Level::kNote, "'far'", "this_host");
}

TEST(DoctorPoolTest, ThePoolIsFullOfWhatMayNotBeEvicted) {
  PoolView pool = HealthyPool();
  pool.status.space.pinned = 7 * kGiB;
  Expect(CheckSpace(pool), Level::kWrong, "7.0 GiB (87%)", "unpin");
  pool.status.space.pinned = 4 * kGiB;
  EXPECT_EQ(CheckSpace(pool)[0].level, Level::kWell);
  pool.status.space.leased = 4 * kGiB;
  Expect(CheckSpace(pool), Level::kWrong, "leased", "lease_ms");
}

TEST(DoctorPoolTest, PutsWaitForRoom) {
  PoolView pool = HealthyPool();
  pool.status.puts_parked = 3;
  Expect(CheckSpace(pool), Level::kNote, "3 puts wait", "lend more");
}

TEST(DoctorPoolTest, NotesAreOld) {
  PoolView pool = HealthyPool();
  pool.status.notes_unconfirmed = 2;
  pool.status.oldest_note = milliseconds(500);
  pool.nodes[0].oldest_note = milliseconds(500);
  Expect(CheckNotes(pool), Level::kNote, "'shelf'", "puts to such a node wait");
  pool.status.oldest_note = seconds(5);
  Expect(CheckNotes(pool), Level::kWrong, "5.0 s", "network");
}

TEST(DoctorPoolTest, ObjectsLackReplicas) {
  PoolView pool = HealthyPool();
  pool.status.objects_lacking = 12;
  Expect(CheckReplicas(pool), Level::kWrong, "12 objects", "add nodes");
  pool.status.copies_running = 2;
  Expect(CheckReplicas(pool), Level::kNote, "2 are being made", "wait");
}

TEST(DoctorPoolTest, ADataPortIsNotReached) {
  PoolView pool = HealthyPool();
  pool.reaches[0].status = UnavailableError("10.0.0.6:4000: Connection refused");
  Expect(CheckReaches(pool), Level::kWrong, "'shelf': 10.0.0.6:4000: Connection refused",
         "--advertise");
  pool.reaches[0].status = FailedPreconditionError("no permitted way");
  Expect(CheckReaches(pool), Level::kNote, "no permitted way", "--ways");
}

TEST(DoctorPoolTest, NodesHereLendMoreThanTheMachineHasLeft) {
  MachineView machine = HealthyMachine();
  machine.memory_available = 3 * kGiB;
  Expect(CheckLentMemory(machine, HealthyPool()), Level::kWrong, "4.0 GiB are not taken yet",
         "lend less");
  PoolView pool = HealthyPool();
  pool.nodes = {Lender("elsewhere", "boot-2 uid:0")};
  EXPECT_EQ(CheckLentMemory(machine, pool)[0].level, Level::kWell);
}

TEST(DoctorPoolTest, ManyNamesAreShortened) {
  PoolView pool = HealthyPool();
  for (int i = 0; i < 20; ++i) pool.nodes.push_back(Client("c" + std::to_string(i), "boot-2"));
  EXPECT_THAT(CheckHosts(pool)[0].what, HasSubstr("and 15 more"));
}

// ---- looking at a machine ----

class DoctorLookTest : public testing::Test {
 protected:
  DoctorLookTest() : root_(cluster::TempPath("root") + "/") {}
  ~DoctorLookTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    cluster::WriteFile(root_ + path, text);
  }

  const std::string root_;
};

TEST_F(DoctorLookTest, ReadsWhatTheKernelTells) {
  Write("proc/meminfo",
        "MemTotal:       16384 kB\nMemAvailable:    8192 kB\nHugePages_Total:      7\n"
        "HugePages_Free:       3\nHugepagesize:       2048 kB\n");
  Write("proc/sys/kernel/random/boot_id", "c0ffee\n");
  Write("sys/fs/cgroup/memory.max", "1048576\n");
  Write("sys/fs/cgroup/memory.current", "4096\n");
  const std::string device = "sys/class/infiniband/mlx5_0/";
  Write(device + "ports/1/state", "4: ACTIVE\n");
  Write(device + "ports/1/link_layer", "Ethernet\n");
  Write(device + "ports/1/gids/0", "0000:0000:0000:0000:0000:0000:0000:0000\n");
  Write(device + "ports/1/gids/3", "0000:0000:0000:0000:0000:ffff:cb00:7101\n");
  Write(device + "ports/1/gid_attrs/types/3", "RoCE v2\n");
  Write(device + "ports/1/gid_attrs/ndevs/3", "eth7\n");
  Write("sys/class/net/eth7/mtu", "9000\n");
  Write("sys/devices/0000:3b:00.0/numa_node", "1\n");
  std::filesystem::create_directory_symlink(root_ + "sys/devices/0000:3b:00.0",
                                            root_ + device + "device");
  Write("sys/class/infiniband/mlx5_1/ports/1/state", "1: DOWN\n");
  Write("sys/module/nvidia/version", "550\n");
  Write("dev/infiniband/uverbs0", "");
  const MachineView machine = LookAtMachine(root_);
  EXPECT_EQ(machine.memory_total, 16u << 20);
  EXPECT_EQ(machine.memory_available, 8u << 20);
  EXPECT_EQ(machine.huge_pages, 7u);
  EXPECT_EQ(machine.huge_pages_free, 3u);
  EXPECT_EQ(machine.huge_page_size, 2u << 20);
  EXPECT_EQ(machine.boot_id, "c0ffee");
  EXPECT_EQ(machine.memory_limit, 1u << 20);
  EXPECT_EQ(machine.memory_in_limit, 4096u);
  ASSERT_EQ(machine.rdma_devices.size(), 2u);
  const RdmaDeviceView& rdma = machine.rdma_devices[0];
  EXPECT_EQ(rdma.name, "mlx5_0");
  EXPECT_EQ(rdma.state, "ACTIVE");
  EXPECT_TRUE(rdma.ethernet);
  ASSERT_EQ(rdma.gids.size(), 1u);
  EXPECT_EQ(rdma.gids[0].index, 3);
  EXPECT_EQ(rdma.gids[0].gid, "0000:0000:0000:0000:0000:ffff:cb00:7101");
  EXPECT_EQ(rdma.gids[0].type, "RoCE v2");
  EXPECT_EQ(rdma.interface_mtu, 9000u);
  EXPECT_EQ(rdma.numa_node, 1);
  EXPECT_EQ(rdma.pci, "0000:3b:00.0");
  EXPECT_EQ(machine.rdma_devices[1].state, "DOWN");
  EXPECT_TRUE(machine.rdma_access.ok()) << machine.rdma_access;
  EXPECT_TRUE(machine.gpu_driver);
  EXPECT_FALSE(machine.peer_memory);
}

TEST_F(DoctorLookTest, NoLimitAndNoDevicesAreNone) {
  Write("sys/fs/cgroup/memory.max", "max\n");
  const MachineView machine = LookAtMachine(root_);
  EXPECT_FALSE(machine.memory_limit.has_value());
  EXPECT_THAT(machine.rdma_devices, IsEmpty());
}

TEST_F(DoctorLookTest, ThisMachineRunsKvstore) {
  const MachineView machine = LookAtMachine();
  EXPECT_THAT(machine.kernel, Not(IsEmpty()));
  EXPECT_TRUE(machine.process_handles.ok()) << machine.process_handles;
  EXPECT_TRUE(machine.sealed_memory.ok()) << machine.sealed_memory;
  EXPECT_GT(machine.memory_total, 0u);
  EXPECT_GT(machine.open_files, 0u);
}

}  // namespace
}  // namespace kvstore::kvctl::doctor
