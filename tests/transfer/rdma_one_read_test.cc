// A small read alone, of a holder to which a lane is idle: it is carried without a job, and ends as
// any other would.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>

#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

using testing::HasSubstr;

class RdmaOneReadTest : public RdmaTransportTest {
 protected:
  static constexpr size_t kSize = 4096;

  // A guarded region, and a lane to its holder.
  void Meet(EngineOptions options = {.ways = {Way::kRdma}}) {
    Start(std::move(options));
    Lend(1 << 20, &guard_);
    Bytes bytes(kSize, 0);
    ExpectDone(Run(Access::kRead, &bytes));
  }
  // From now on so many requests fail.
  void FailRequests(int count) {
    to_fail_ = count;
    FakeFabric::SetFate([this](const std::string&, const ibv_send_wr&) {
      return to_fail_-- > 0 ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
    });
  }

  std::atomic<int> to_fail_ = 0;
};

TEST_F(RdmaOneReadTest, BringsItsBytesAndIsCounted) {
  Meet();
  const WayCounters before = client_->counters(Way::kRdma);
  const size_t pairs = FakeFabric::queue_pairs();
  Bytes bytes(kSize, 0);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_EQ(bytes, Bytes(kSize, 1));
  const WayCounters after = client_->counters(Way::kRdma);
  EXPECT_EQ(after.copies_done, before.copies_done + 1);
  EXPECT_EQ(after.bytes_read, before.bytes_read + kSize);
  EXPECT_GT(after.time, before.time);
  EXPECT_EQ(FakeFabric::queue_pairs(), pairs);
}

TEST_F(RdmaOneReadTest, OfMemoryThatHasANewOwnerFails) {
  Meet();
  Bytes bytes(kSize, 0);
  memory_->Stamp(1);
  const Completion refused = Run(Access::kRead, &bytes);
  EXPECT_EQ(refused.outcome, Outcome::kFailed);
  EXPECT_EQ(refused.status.code(), StatusCode::kAborted);
  EXPECT_EQ(refused.way, Way::kRdma);
  EXPECT_EQ(client_->counters(Way::kRdma).copies_failed, 1u);
  ExpectDone(Run(Access::kRead, &bytes, 1));
}

TEST_F(RdmaOneReadTest, BeyondTheRegionOrWithoutItsGuardIsRefused) {
  Meet();
  Bytes bytes(kSize, 0);
  const Piece piece{bytes.data(), bytes.size()};
  Copy copy = CopyOf(Access::kRead, {&piece, 1});
  copy.offset = (1 << 20) - 1;
  EXPECT_EQ(client_->Run({&copy, 1}, Soon()).at(0).status.code(), StatusCode::kInvalidArgument);
  copy = CopyOf(Access::kRead, {&piece, 1});
  copy.guard.reset();
  EXPECT_EQ(client_->Run({&copy, 1}, Soon()).at(0).status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(bytes, Bytes(kSize, 0));
}

TEST_F(RdmaOneReadTest, WhoseLaneBreaksIsReadOverAnother) {
  Meet({.ways = {Way::kRdma, Way::kTcp}});
  FailRequests(1);
  Bytes bytes(kSize, 0);
  EXPECT_EQ(Run(Access::kRead, &bytes).outcome, Outcome::kDone);
  EXPECT_EQ(bytes, Bytes(kSize, 1));
  EXPECT_EQ(client_->counters(Way::kRdma).copies_failed, 0u);
}

TEST_F(RdmaOneReadTest, WhoseQueuePairIsNeverClosedIsInDoubt) {
  Meet({.ways = {Way::kRdma}, .tcp_stall_timeout = std::chrono::milliseconds(300)});
  Bytes bytes(kSize, 0);
  const RegionId own = client_->Register(bytes.data(), bytes.size(), {.remote = false}).value();
  FakeFabric::RefuseToClose(true);
  FailRequests(1);
  const Completion completion = Run(Access::kRead, &bytes);
  EXPECT_EQ(completion.outcome, Outcome::kInDoubt) << completion.status;
  EXPECT_THAT(completion.status.message(), HasSubstr("must not be used again"));
  EXPECT_EQ(client_->counters(Way::kRdma).copies_in_doubt, 1u);
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([&] { return client_->Unregister(own).ok(); }, std::chrono::seconds(60)));
}

TEST_F(RdmaOneReadTest, ThatComesTooLateCostsNoLane) {
  Meet();
  const size_t pairs = FakeFabric::queue_pairs();
  Bytes bytes(kSize, 0);
  const Completion late = Run(Access::kRead, &bytes, CopyLimits(BootClock::now()));
  EXPECT_EQ(late.status.code(), StatusCode::kDeadlineExceeded) << late.status;
  EXPECT_EQ(FakeFabric::queue_pairs(), pairs);
  EXPECT_EQ(bytes, Bytes(kSize, 0));
}

TEST_F(RdmaOneReadTest, OfAHolderThatIsSilentEndsInTime) {
  Meet();
  const std::string device = client_->rdma_devices().at(0).name;
  FakeFabric::Swallow(device, true);
  Bytes bytes(kSize, 0);
  CopyLimits limits(Soon());
  limits.stall = std::chrono::seconds(2);
  const TimePoint begun = BootClock::now();
  const Completion silent = Run(Access::kRead, &bytes, limits);
  // A lane is given half of it, and whoever reads the memory next no more than the rest.
  EXPECT_LT(BootClock::now() - begun, limits.stall * 5 / 4);
  EXPECT_EQ(silent.outcome, Outcome::kFailed);
  EXPECT_EQ(silent.status.code(), StatusCode::kUnavailable) << silent.status;
  FakeFabric::Swallow(device, false);
  EXPECT_EQ(bytes, Bytes(kSize, 0));
}

// Who only reads little has what failed looked after, too: well before the holder is asked for
// something again anyway.
TEST_F(RdmaOneReadTest, BringsADeviceBack) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Meet({.ways = {Way::kRdma}, .tcp_connections_per_peer = 2});
  FakeFabric::SetFate([](const std::string& device, const ibv_send_wr&) {
    return device == "a" ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
  });
  Bytes bytes(kSize, 0);
  for (int i = 0; i < 3; ++i) ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::SetFate(nullptr);
  const uint64_t before = FakeFabric::bytes_moved("a");
  EXPECT_TRUE(Comes(
      [&] {
        ExpectDone(Run(Access::kRead, &bytes));
        return FakeFabric::bytes_moved("a") > before;
      },
      std::chrono::seconds(8)));
}

TEST_F(RdmaOneReadTest, OfARegionThatIsLentNoMoreIsNotFound) {
  Meet();
  ASSERT_TRUE(holder_->Unregister(region_).ok());
  Bytes bytes(kSize, 0);
  const Completion gone = Run(Access::kRead, &bytes);
  EXPECT_EQ(gone.outcome, Outcome::kFailed);
  EXPECT_EQ(gone.status.code(), StatusCode::kNotFound) << gone.status;
}

}  // namespace
}  // namespace kvstore::transfer
