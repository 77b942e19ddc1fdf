// Devices that refuse to let go of what they were given, and devices that are taken out of the
// machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

using testing::HasSubstr;

class RdmaClosingTest : public RdmaTransportTest {
 protected:
  ~RdmaClosingTest() override { std::filesystem::remove_all(folder_); }

  // Two devices, of which the first has a folder, as under /sys.
  void SetUpFolder() {
    ASSERT_TRUE(std::filesystem::create_directory(folder_));
    std::ofstream(folder_ + "/node_guid") << "0000:0000:0000:0001\n";
    FakeFabric::SetUp({{.name = "a", .path = folder_}, {.name = "b"}});
  }
  static void BreakAllRequests() {
    FakeFabric::SetFate(
        [](const std::string&, const ibv_send_wr&) { return IBV_WC_RETRY_EXC_ERR; });
  }

  const std::string folder_ = testing::TempDir() + "rdma_closing_test." + std::to_string(getpid());
};

TEST_F(RdmaClosingTest, AWriterThatCannotBeCutOffKeepsTheMemory) {
  Start();
  Lend(1 << 20, &guard_);
  std::atomic<bool> wake = false;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    while (request.opcode == IBV_WR_RDMA_WRITE && !wake) std::this_thread::yield();
    return IBV_WC_SUCCESS;
  });
  Bytes bytes(1 << 20, 2);
  Completion completion;
  std::thread writer([&] { completion = Run(Access::kWrite, &bytes); });
  EXPECT_TRUE(Comes([&] { return guard_.inside == 1; }, std::chrono::seconds(60)));
  FakeFabric::RefuseToClose(true);
  guard_.word = 1;
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  EXPECT_EQ(guard_.inside, 1) << "memory was called free that a writer may still write";
  EXPECT_THAT(holder_->rdma_devices().at(0).trouble.message(), HasSubstr("can't close"));
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([&] { return guard_.inside == 0; }, std::chrono::seconds(60)));
  EXPECT_TRUE(holder_->rdma_devices().at(0).trouble.ok());
  wake = true;
  writer.join();
  EXPECT_EQ(completion.status.code(), StatusCode::kAborted) << completion.status;
}

TEST_F(RdmaClosingTest, AReadIsNotOverBeforeItsQueuePairIsClosed) {
  Start({.ways = {Way::kRdma}, .tcp_connections_per_peer = 1});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ASSERT_TRUE(client_->Register(bytes.data(), bytes.size(), {}).ok());
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::RefuseToClose(true);
  FakeFabric::SetFate([](const std::string&, const ibv_send_wr&) { return IBV_WC_RETRY_EXC_ERR; });
  std::atomic<bool> over = false;
  std::thread reader([&] {
    EXPECT_EQ(Run(Access::kRead, &bytes).outcome, Outcome::kFailed);
    over = true;
  });
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  EXPECT_FALSE(over) << "what is read may still come";
  FakeFabric::RefuseToClose(false);
  reader.join();
}

// What comes late comes to a buffer that is given to nobody else.
TEST_F(RdmaClosingTest, AReadThroughABufferNeedNotWaitForItsQueuePair) {
  Start({.ways = {Way::kRdma, Way::kTcp},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::RefuseToClose(true);
  BreakAllRequests();
  ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([] { return FakeFabric::queue_pairs() == 0; }, std::chrono::seconds(60)));
}

TEST_F(RdmaClosingTest, AReadWhoseQueuePairIsNeverClosedIsInDoubtAndItsMemoryIsKept) {
  Start({.ways = {Way::kRdma, Way::kTcp},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::seconds(2)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  const RegionId mine = client_->Register(bytes.data(), bytes.size(), {}).value();
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::RefuseToClose(true);
  BreakAllRequests();
  const Completion completion = Run(Access::kRead, &bytes);
  EXPECT_EQ(completion.outcome, Outcome::kInDoubt);
  EXPECT_THAT(completion.status.message(), HasSubstr("must not be used again"));
  EXPECT_EQ(client_->Unregister(mine).code(), StatusCode::kUnavailable);
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([&] { return client_->Unregister(mine).ok(); }, std::chrono::seconds(60)));
}

TEST_F(RdmaClosingTest, MemoryThatADeviceDoesNotLetGoIsKept) {
  Start();
  Lend(1 << 20);
  FakeFabric::RefuseToUnregister(true);
  const Status kept = holder_->Unregister(region_);
  EXPECT_EQ(kept.code(), StatusCode::kUnavailable);
  EXPECT_THAT(kept.message(), HasSubstr("can't unregister memory"));
  EXPECT_THAT(holder_->rdma_devices().at(0).trouble.message(), HasSubstr("can't unregister"));
  Bytes bytes(4096);
  EXPECT_EQ(Run(Access::kRead, &bytes).status.code(), StatusCode::kNotFound);
  FakeFabric::RefuseToUnregister(false);
  EXPECT_TRUE(holder_->Unregister(region_).ok());
  EXPECT_TRUE(holder_->rdma_devices().at(0).trouble.ok());
  EXPECT_EQ(holder_->Unregister(region_).code(), StatusCode::kNotFound);
}

TEST_F(RdmaClosingTest, AHolderThatCannotCutAWriterOffKeepsTheRegion) {
  Start({.ways = {Way::kRdma},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::seconds(2)});
  Lend(1 << 20, &guard_);
  std::atomic<bool> wake = false;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    while (request.opcode == IBV_WR_RDMA_WRITE && !wake) std::this_thread::yield();
    return IBV_WC_SUCCESS;
  });
  Bytes bytes(1 << 20, 2);
  std::thread writer([&] { (void)Run(Access::kWrite, &bytes); });
  EXPECT_TRUE(Comes([&] { return guard_.inside > 0; }, std::chrono::seconds(60)));
  FakeFabric::RefuseToClose(true);
  guard_.word = 1;
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  EXPECT_EQ(holder_->Unregister(region_).code(), StatusCode::kUnavailable);
  holder_->Rename({7, 7});  // waits no longer either
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([&] { return holder_->Unregister(region_).ok(); }, std::chrono::seconds(60)));
  wake = true;
  writer.join();
}

// Idle lanes over it, and one that a copy is waiting for.
TEST_F(RdmaClosingTest, ADeviceThatRefusesToCloseHoldsUpNobodyElse) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start({.ways = {Way::kRdma, Way::kTcp},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20), straight(1 << 20);
  ASSERT_TRUE(client_->Register(straight.data(), straight.size(), {}).ok());
  ExpectDone(Run(Access::kWrite, &bytes));
  FakeFabric::RefuseToClose(true);
  FakeFabric::Swallow("a", true);
  FakeFabric::Swallow("b", true);
  std::thread reader([&] { (void)Run(Access::kRead, &straight); });
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() > 0; }, std::chrono::seconds(60)));
  FakeFabric::SetPort("a", IBV_PORT_DOWN);
  FakeFabric::SetPort("b", IBV_PORT_DOWN);
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  for (const Access access : {Access::kWrite, Access::kRead}) {
    EXPECT_EQ(Run(access, &bytes).outcome, Outcome::kDone);
  }
  FakeFabric::RefuseToClose(false);
  reader.join();
}

std::atomic<bool> destroying_blocks = false;
std::atomic<int> blocked = 0;

TEST_F(RdmaClosingTest, AnEngineEndsThoughItsDeviceDoesNotComeBack) {
  static const Verbs verbs = [] {
    Verbs blocking = FakeFabric::verbs();
    blocking.destroy_qp = [](ibv_qp* pair) {
      ++blocked;
      destroying_blocks.wait(true);
      const int error = FakeFabric::verbs().destroy_qp(pair);
      --blocked;
      return error;
    };
    return blocking;
  }();
  holder_ = CreateEngine({.ways = {Way::kRdma}}, {}, &FakeFabric::verbs()).value();
  client_ = CreateEngine({.ways = {Way::kRdma}}, {}, &verbs).value();
  Lend(1 << 20);
  Bytes bytes(4096);
  ExpectDone(Run(Access::kRead, &bytes));
  destroying_blocks = true;
  std::atomic<bool> over = false;
  std::thread end([&] {
    client_.reset();
    over = true;
  });
  EXPECT_TRUE(Comes([&] { return over.load(); }, std::chrono::seconds(30)));
  EXPECT_GT(blocked, 0);
  destroying_blocks = false;
  destroying_blocks.notify_all();
  end.join();
  EXPECT_TRUE(Comes([] { return blocked == 0; }, std::chrono::seconds(60)));
}

TEST_F(RdmaClosingTest, CopiesInTheQueueEndInTimeThoughAReadBeforeThemWaitsForItsQueuePair) {
  Start({.ways = {Way::kRdma},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes straight(1 << 20), bytes(1 << 20);
  ASSERT_TRUE(client_->Register(straight.data(), straight.size(), {}).ok());
  ExpectDone(Run(Access::kRead, &straight));
  FakeFabric::RefuseToClose(true);
  FakeFabric::Swallow("fake0", true);
  std::deque<Piece> pieces;  // batches refer to them
  const auto submit = [&](Bytes* to, Duration timeout) {
    const Piece& piece = pieces.emplace_back(Piece{to->data(), to->size()});
    const Copy copy{.access = Access::kRead,
                    .peer = peer_,
                    .region = region_,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = {}};
    return client_->Submit(std::span(&copy, 1), CopyLimits(BootClock::now() + timeout));
  };
  const auto first = submit(&straight, std::chrono::seconds(3));
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() > 0; }, std::chrono::seconds(60)));
  const auto second = submit(&bytes, std::chrono::seconds(4));
  EXPECT_TRUE(second->Wait(BootClock::now() + std::chrono::seconds(40)));
  EXPECT_FALSE(first->Wait(BootClock::now())) << "what is read may still come";
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(first->Wait(BootClock::now() + std::chrono::seconds(60)));
}

// At most as many as there may be connections.
TEST_F(RdmaClosingTest, LanesThatAHoldersDeviceDoesNotCloseTakeNoConnectionsPlace) {
  static std::atomic<bool> refuses = true;
  static const Verbs verbs = [] {
    Verbs refusing = FakeFabric::verbs();
    refusing.destroy_qp = [](ibv_qp* pair) {
      return refuses ? EBUSY : FakeFabric::verbs().destroy_qp(pair);
    };
    refusing.modify_qp = [](ibv_qp* pair, ibv_qp_attr* attributes, int mask) {
      const bool resets = attributes->qp_state == IBV_QPS_RESET;
      return refuses && resets ? EIO : FakeFabric::verbs().modify_qp(pair, attributes, mask);
    };
    return refusing;
  }();
  EngineOptions options{.ways = {Way::kRdma, Way::kTcp}, .tcp_connections_per_peer = 1};
  options.tcp_max_incoming = 8;
  holder_ = CreateEngine(options, {}, &verbs).value();
  client_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
  Lend(1 << 20);
  Bytes bytes(4096);
  int by_rdma = 0;
  for (int i = 0; i < 20; ++i) {
    client_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
    peer_ = client_->Open(holder_->Descriptor()).value();
    const Completion each = Run(Access::kRead, &bytes);
    EXPECT_EQ(each.outcome, Outcome::kDone) << each.status;
    by_rdma += each.way == Way::kRdma ? 1 : 0;
    client_.reset();
  }
  EXPECT_GE(by_rdma, 4);
  EXPECT_LT(by_rdma, 20) << "lanes that are never closed have no end";
  refuses = false;
}

TEST_F(RdmaClosingTest, ADeviceThatIsTakenOutOfTheClientIsDoneWith) {
  SetUpFolder();
  StartOn("a", "b",
          {.ways = {Way::kRdma, Way::kTcp},
           .tcp_connections_per_peer = 1,
           .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  const RegionId mine = client_->Register(bytes.data(), bytes.size(), {}).value();
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::Swallow("a", true);
  std::atomic<bool> over = false;
  std::thread reader([&] {
    ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
    over = true;
  });
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() > 0; }, std::chrono::seconds(60)));
  FakeFabric::TakeOut("a");
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  EXPECT_FALSE(over) << "the kernel has not taken it away yet, so its word is no proof";
  std::filesystem::remove_all(folder_);
  reader.join();
  EXPECT_THAT(client_->rdma_devices().at(0).trouble.message(), HasSubstr("a has failed"));
  EXPECT_TRUE(client_->Unregister(mine).ok());
  ExpectDone(Run(Access::kWrite, &bytes), Way::kTcp);
}

TEST_F(RdmaClosingTest, ADeviceThatWasRenamedIsNotGone) {
  SetUpFolder();
  StartOn("a", "b",
          {.ways = {Way::kRdma},
           .tcp_connections_per_peer = 1,
           .tcp_stall_timeout = std::chrono::seconds(1)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ASSERT_TRUE(client_->Register(bytes.data(), bytes.size(), {}).ok());
  ExpectDone(Run(Access::kRead, &bytes));
  const std::string renamed = folder_ + ".new";
  std::filesystem::rename(folder_, renamed);
  FakeFabric::Swallow("a", true);
  Completion completion;
  std::thread reader([&] { completion = Run(Access::kRead, &bytes); });
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() > 0; }, std::chrono::seconds(60)));
  FakeFabric::TakeOut("a");  // its queue pairs live on for the moment
  reader.join();
  EXPECT_EQ(completion.outcome, Outcome::kInDoubt) << completion.status;
  std::filesystem::remove_all(renamed);
}

TEST_F(RdmaClosingTest, ADeviceThatIsTakenOutOfTheHolderKeepsNoMemory) {
  SetUpFolder();
  StartOn("b", "a",
          {.ways = {Way::kRdma, Way::kTcp},
           .tcp_connections_per_peer = 1,
           .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20, &guard_);
  std::atomic<bool> wake = false;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    while (request.opcode == IBV_WR_RDMA_WRITE && !wake) std::this_thread::yield();
    return IBV_WC_SUCCESS;
  });
  Bytes bytes(1 << 20, 2);
  Completion completion;
  std::thread writer([&] { completion = Run(Access::kWrite, &bytes); });
  EXPECT_TRUE(Comes([&] { return guard_.inside > 0; }, std::chrono::seconds(60)));
  FakeFabric::TakeOut("a");
  EXPECT_TRUE(Comes([] { return FakeFabric::refusals_to_close() > 2; }, std::chrono::seconds(60)));
  EXPECT_GT(guard_.inside, 0) << "memory was called free that a writer may still write";
  std::filesystem::remove_all(folder_);
  EXPECT_TRUE(Comes([&] { return guard_.inside == 0; }, std::chrono::seconds(60)));
  wake = true;
  writer.join();
  ExpectDone(completion, Way::kTcp);
  EXPECT_TRUE(holder_->Unregister(region_).ok());
}

TEST_F(RdmaClosingTest, WhenOneOfTwoDevicesIsTakenOutCopiesGoOnOverTheOther) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}, {.name = "c"}});
  EngineOptions options{.ways = {Way::kRdma}};
  options.rdma_devices = {"c"};
  holder_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
  options.rdma_devices = {"a", "b"};
  client_ = CreateEngine(options, {}, &FakeFabric::verbs()).value();
  Lend(1 << 20);
  FakeFabric::TakeOut("a");
  Bytes bytes(1 << 20), straight(1 << 20);
  ASSERT_TRUE(client_->Register(straight.data(), straight.size(), {}).ok());
  ExpectDone(Run(Access::kRead, &bytes));
  ExpectDone(Run(Access::kWrite, &straight));
  EXPECT_GE(FakeFabric::bytes_moved("b"), 2u << 20);
}

TEST_F(RdmaClosingTest, WhenOneOfTwoDevicesIsTakenOutRegionsAreLentOverTheOther) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start();
  FakeFabric::TakeOut("a");
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_TRUE(holder_->Unregister(region_).ok());
  FakeFabric::TakeOut("b");
  EXPECT_EQ(holder_->Register(bytes.data(), bytes.size(), {.remote = true}).status().code(),
            StatusCode::kUnavailable);
}

// With these the library says of queue pairs that they are destroyed when they may not be.
TEST_F(RdmaClosingTest, WhereTheLibraryWouldCallErrorsASuccessThereIsNoRdma) {
  for (const char* const name :
       {"RDMAV_ALLOW_DISASSOC_DESTROY", "MLX4_DEVICE_FATAL_CLEANUP", "MLX5_DEVICE_FATAL_CLEANUP"}) {
    ASSERT_EQ(setenv(name, "1", 1), 0);
    const auto engine =
        CreateEngine({.ways = {Way::kRdma, Way::kTcp}}, {}, &FakeFabric::verbs()).value();
    ASSERT_EQ(unsetenv(name), 0);
    EXPECT_TRUE(engine->rdma_devices().empty());
    EXPECT_THAT(engine->reach().rdma.message(), HasSubstr(name));
  }
}

}  // namespace
}  // namespace kvstore::transfer
