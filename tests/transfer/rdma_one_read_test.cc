// A small read alone, of a holder to which a lane is idle: it is carried without a job, and ends as
// any other would, whether it goes straight to its piece or not, and whether its bytes prove
// themselves or the word behind them has to.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

using testing::HasSubstr;

class RdmaOneReadTest : public RdmaTransportTest,
                        public testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static constexpr size_t kSize = 4096;

  ~RdmaOneReadTest() override { client_.reset(); }  // before the bytes

  bool IsStraight() const { return std::get<0>(GetParam()); }
  bool IsProven() const { return std::get<1>(GetParam()); }

  // A guarded region, and a lane to its holder.
  void Meet(EngineOptions options = {.ways = {Way::kRdma}}) {
    Start(std::move(options));
    Lend(1 << 20, &guard_);
    if (IsStraight()) {
      own_ = client_->Register(bytes_.data(), bytes_.size(), {.remote = false}).value();
    }
    ExpectDone(Read());
    bytes_.assign(kSize, 0);
  }
  Copy TheCopy(uint64_t birth = 0) {
    Copy copy = CopyOf(Access::kRead, {&piece_, 1}, birth);
    copy.proven = IsProven();
    return copy;
  }
  Completion Read(uint64_t birth = 0) { return Read(CopyLimits(Soon()), birth); }
  Completion Read(const CopyLimits& limits, uint64_t birth = 0) {
    const Copy copy = TheCopy(birth);
    return client_->Run({&copy, 1}, limits).at(0);
  }
  // From now on so many requests fail.
  void FailRequests(int count) {
    to_fail_ = count;
    FakeFabric::SetFate([this](const std::string&, const ibv_send_wr&) {
      return to_fail_-- > 0 ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
    });
  }

  Bytes bytes_ = Bytes(kSize, 0);
  Piece piece_{bytes_.data(), bytes_.size()};
  RegionId own_ = 0;
  std::atomic<int> to_fail_ = 0;
};

INSTANTIATE_TEST_SUITE_P(All, RdmaOneReadTest, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& of) {
                           return std::string(std::get<0>(of.param) ? "straight" : "staged") +
                                  (std::get<1>(of.param) ? "_proven" : "_by_the_word");
                         });

TEST_P(RdmaOneReadTest, BringsItsBytesAndIsCounted) {
  Meet();
  const WayCounters before = client_->counters(Way::kRdma);
  const size_t pairs = FakeFabric::queue_pairs();
  ExpectDone(Read());
  EXPECT_EQ(bytes_, Bytes(kSize, 1));
  const WayCounters after = client_->counters(Way::kRdma);
  EXPECT_EQ(after.copies_done, before.copies_done + 1);
  EXPECT_EQ(after.bytes_read, before.bytes_read + kSize);
  EXPECT_GT(after.time, before.time);
  EXPECT_EQ(FakeFabric::queue_pairs(), pairs);
}

// The word behind the bytes, which waits for them, or before them where they prove themselves.
TEST_P(RdmaOneReadTest, IsTwoRequestsOfWhichTheLastSignals) {
  Meet();
  std::vector<std::pair<uint32_t, unsigned>> posted;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    posted.emplace_back(request.sg_list[0].length, request.send_flags);
    return IBV_WC_SUCCESS;
  });
  ExpectDone(Read());
  FakeFabric::SetFate(nullptr);
  constexpr auto kSignaled = static_cast<unsigned>(IBV_SEND_SIGNALED);
  constexpr auto kFenced = static_cast<unsigned>(IBV_SEND_FENCE);
  constexpr uint32_t kWord = sizeof(uint64_t);
  const std::vector<std::pair<uint32_t, unsigned>> proven = {{kWord, 0u}, {kSize, kSignaled}};
  const std::vector<std::pair<uint32_t, unsigned>> by_word = {{kSize, 0u},
                                                              {kWord, kSignaled | kFenced}};
  EXPECT_EQ(posted, IsProven() ? proven : by_word);
}

TEST_P(RdmaOneReadTest, OfMemoryThatHasANewOwnerFails) {
  Meet();
  memory_->Stamp(1);
  const Completion refused = Read();
  EXPECT_EQ(refused.outcome, Outcome::kFailed);
  EXPECT_EQ(refused.status.code(), StatusCode::kAborted);
  EXPECT_EQ(refused.way, Way::kRdma);
  EXPECT_EQ(client_->counters(Way::kRdma).copies_failed, 1u);
  ExpectDone(Read(1));
}

TEST_P(RdmaOneReadTest, BeyondTheRegionOrWithoutItsGuardIsRefused) {
  Meet();
  Copy copy = TheCopy();
  copy.offset = (1 << 20) - 1;
  EXPECT_EQ(client_->Run({&copy, 1}, Soon()).at(0).status.code(), StatusCode::kInvalidArgument);
  copy = TheCopy();
  copy.guard.reset();
  EXPECT_EQ(client_->Run({&copy, 1}, Soon()).at(0).status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(bytes_, Bytes(kSize, 0));
}

TEST_P(RdmaOneReadTest, WhoseLaneBreaksIsReadOverAnother) {
  Meet({.ways = {Way::kRdma, Way::kTcp}});
  FailRequests(1);
  EXPECT_EQ(Read().outcome, Outcome::kDone);
  EXPECT_EQ(bytes_, Bytes(kSize, 1));
  EXPECT_EQ(client_->counters(Way::kRdma).copies_failed, 0u);
}

// A staging buffer may be written to for as long as it takes: it is nobody else's.
TEST_P(RdmaOneReadTest, WhoseQueuePairIsNeverClosedIsInDoubtIfItsPieceMayBeWritten) {
  Meet({.ways = {Way::kRdma}, .tcp_stall_timeout = std::chrono::milliseconds(300)});
  FakeFabric::RefuseToClose(true);
  FailRequests(1);
  const Completion completion = Read();
  if (!IsStraight()) {
    EXPECT_EQ(completion.outcome, Outcome::kFailed) << completion.status;
    return FakeFabric::RefuseToClose(false);
  }
  EXPECT_EQ(completion.outcome, Outcome::kInDoubt) << completion.status;
  EXPECT_THAT(completion.status.message(), HasSubstr("must not be used again"));
  EXPECT_EQ(client_->counters(Way::kRdma).copies_in_doubt, 1u);
  EXPECT_EQ(client_->Unregister(own_).code(), StatusCode::kUnavailable);
  FakeFabric::RefuseToClose(false);
  EXPECT_TRUE(Comes([&] { return client_->Unregister(own_).ok(); }, std::chrono::seconds(60)));
}

TEST_P(RdmaOneReadTest, ThatComesTooLateCostsNoLane) {
  Meet();
  const size_t pairs = FakeFabric::queue_pairs();
  const Completion late = Read(CopyLimits(BootClock::now()));
  EXPECT_EQ(late.status.code(), StatusCode::kDeadlineExceeded) << late.status;
  EXPECT_EQ(FakeFabric::queue_pairs(), pairs);
  EXPECT_EQ(bytes_, Bytes(kSize, 0));
}

TEST_P(RdmaOneReadTest, OfAHolderThatIsSilentEndsInTime) {
  Meet();
  const std::string device = client_->rdma_devices().at(0).name;
  FakeFabric::Swallow(device, true);
  CopyLimits limits(Soon());
  limits.stall = std::chrono::milliseconds(300);
  const Completion silent = Read(limits);
  EXPECT_EQ(silent.outcome, Outcome::kFailed);
  EXPECT_EQ(silent.status.code(), StatusCode::kUnavailable) << silent.status;
  FakeFabric::Swallow(device, false);
  EXPECT_EQ(bytes_, Bytes(kSize, 0));
}

// Who only reads little has what failed looked after, too: well before the holder is asked for
// something again anyway.
TEST_P(RdmaOneReadTest, BringsADeviceBack) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Meet({.ways = {Way::kRdma}, .tcp_connections_per_peer = 2});
  FakeFabric::SetFate([](const std::string& device, const ibv_send_wr&) {
    return device == "a" ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
  });
  for (int i = 0; i < 3; ++i) ExpectDone(Read());
  FakeFabric::SetFate(nullptr);
  const uint64_t before = FakeFabric::bytes_moved("a");
  EXPECT_TRUE(Comes(
      [&] {
        ExpectDone(Read());
        return FakeFabric::bytes_moved("a") > before;
      },
      std::chrono::seconds(8)));
}

TEST_P(RdmaOneReadTest, OfARegionThatIsLentNoMoreIsNotFound) {
  Meet();
  ASSERT_TRUE(holder_->Unregister(region_).ok());
  const Completion gone = Read();
  EXPECT_EQ(gone.outcome, Outcome::kFailed);
  EXPECT_EQ(gone.status.code(), StatusCode::kNotFound) << gone.status;
}

}  // namespace
}  // namespace kvstore::transfer
