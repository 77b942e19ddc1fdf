// CopyLimits::stall: which peers are given up, and which are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/descriptor.h"
#include "transfer/relay.h"

namespace kvstore::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Bytes = std::vector<unsigned char>;

constexpr size_t kSize = 10 << 20;  // ten frames

TimePoint In(Duration duration) { return BootClock::now() + duration; }

// A holder that takes its time over every frame.
class SlowGuard final : public RegionGuard {
 public:
  explicit SlowGuard(Duration time) : time_(time) {}
  bool Enter(Access, uint64_t, uint64_t, uint64_t, uint64_t) override {
    std::this_thread::sleep_for(time_);
    return true;
  }
  bool Stands(uint64_t, uint64_t) override { return true; }
  void Leave(Access, uint64_t, uint64_t, uint64_t, uint64_t) override {}

 private:
  const Duration time_;
};

// A client with one connection to a holder, through a relay.
class TcpSilence : public testing::Test {
 protected:
  void Connect(Duration per_frame = Duration::zero()) {
    guard_ = std::make_unique<SlowGuard>(per_frame);
    EngineOptions options;
    options.ways = {Way::kTcp};
    options.tcp_connections_per_peer = 1;
    options.tcp_stall_timeout = seconds(60);
    holder_ = *Engine::Create(options);
    client_ = *Engine::Create(options);
    PeerDescriptor holder = *DecodeDescriptor(holder_->Descriptor());
    relay_ = std::make_unique<Relay>(holder.endpoints.at(0));
    holder.endpoints = {relay_->endpoint()};
    peer_ = *client_->Open(EncodeDescriptor(holder));
    region_ =
        *holder_->Register(memory_.data(), memory_.size(), {.remote = true, .guard = guard_.get()});
  }

  std::unique_ptr<Batch> Start(Access access, const Piece& piece, const CopyLimits& limits) {
    const Copy copy = {.access = access,
                       .peer = peer_,
                       .region = region_,
                       .pieces = std::span(&piece, 1),
                       .guard = Guard{}};
    return client_->Submit(std::span(&copy, 1), limits);
  }

  static Completion End(Batch& batch) {
    EXPECT_TRUE(batch.Wait(In(seconds(60))));
    return batch.completions().at(0);
  }

  Bytes memory_ = Bytes(kSize, 1);
  Bytes buffer_ = Bytes(kSize, 2);
  Bytes other_ = Bytes(100, 3);
  const Piece all_ = {buffer_.data(), buffer_.size()};
  const Piece some_ = {other_.data(), other_.size()};
  std::unique_ptr<SlowGuard> guard_;
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Engine> client_;
  PeerId peer_ = 0;
  RegionId region_ = 0;
};

TEST_F(TcpSilence, APeerThatGivesNoSignOfLifeIsGivenUp) {
  Connect();
  relay_->SwallowNewConnections();
  for (const Access access : {Access::kRead, Access::kWrite}) {
    const Completion end = End(*Start(access, all_, {In(seconds(120)), milliseconds(300)}));
    EXPECT_EQ(end.outcome, Outcome::kFailed);
    EXPECT_EQ(end.status.code(), StatusCode::kUnavailable);
    EXPECT_THAT(end.status.message(), HasSubstr("no sign of life for 300 ms"));
  }
}

TEST_F(TcpSilence, AWriteThatWasAcceptedButIsNeverAnsweredIsInDoubt) {
  Connect();
  relay_->HangAfter(kSize / 2);
  const std::unique_ptr<Batch> batch =
      Start(Access::kWrite, all_, {In(seconds(120)), milliseconds(300)});
  ASSERT_TRUE(relay_->WaitUntilHanging());
  relay_->SwallowNewConnections();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kInDoubt);
  EXPECT_EQ(end.status.code(), StatusCode::kUnavailable);
}

TEST_F(TcpSilence, SoAreCopiesThatWaitForTheirTurnBehindMorePatientOnes) {
  Connect();
  relay_->SwallowNewConnections();
  const std::unique_ptr<Batch> patient = Start(Access::kRead, all_, In(seconds(120)));
  const Completion end = End(*Start(Access::kRead, some_, {In(seconds(120)), milliseconds(300)}));
  EXPECT_EQ(end.status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(patient->Wait(BootClock::now()));
}

// Ten frames of 300 ms each; the second batch waits for all of them.
TEST_F(TcpSilence, WhereBytesFlowNobodyIsGivenUpHoweverLongItTakes) {
  Connect(milliseconds(300));
  const CopyLimits limits(In(seconds(120)), milliseconds(2500));
  const std::unique_ptr<Batch> all = Start(Access::kRead, all_, limits);
  const std::unique_ptr<Batch> behind = Start(Access::kRead, some_, limits);
  EXPECT_EQ(End(*all).status, Status::Ok());
  EXPECT_EQ(End(*behind).status, Status::Ok());
  EXPECT_EQ(buffer_, memory_);
  EXPECT_GE(all->moved(), kSize);
}

}  // namespace
}  // namespace kvstore::transfer
