// A completion is final: what networks and peers do to a connection, seen from both ends of it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/descriptor.h"
#include "transfer/engine.h"
#include "transfer/listener.h"
#include "transfer/relay.h"
#include "transfer/tcp/frame.h"
#include "transfer/test_guard.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr size_t kSize = 900 << 10;  // one frame
constexpr uint64_t kInMidFrame = 300 << 10;

TimePoint In(Duration duration) { return BootClock::now() + duration; }

std::unique_ptr<Engine> Make(const EngineOptions& options, const TransferGuards& guards = {}) {
  Result<std::unique_ptr<Engine>> engine = CreateEngine(options, guards);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

std::string Redirect(const std::string& descriptor, const std::string& endpoint) {
  PeerDescriptor peer = *DecodeDescriptor(descriptor);
  peer.endpoints = {endpoint};
  return EncodeDescriptor(peer);
}

// A client that reaches a holder through a relay.
class TcpFinality : public testing::Test {
 protected:
  void Connect(const TransferGuards& client_guards = {}, EngineOptions options = {}) {
    options.ways = {Way::kTcp};
    holder_ = Make(options);
    client_ = Make(options, client_guards);
    relay_ = std::make_unique<Relay>(DecodeDescriptor(holder_->Descriptor())->endpoints.at(0));
    peer_ = *client_->Open(Redirect(holder_->Descriptor(), relay_->endpoint()));
    region_ =
        *holder_->Register(memory_.data(), memory_.size(), {.remote = true, .guard = &guard_});
  }

  Copy MakeCopy(Access access) {
    return {.access = access,
            .peer = peer_,
            .region = region_,
            .offset = 0,
            .pieces = std::span(&piece_, 1),
            .guard = Guard{.first = 0, .birth = 5}};
  }

  std::unique_ptr<Batch> Start(Access access, Duration timeout = std::chrono::seconds(20)) {
    const Copy copy = MakeCopy(access);
    return client_->Submit(std::span(&copy, 1), In(timeout));
  }

  // The relay has passed on the beginning of a frame, and the holder has begun to take it.
  bool WritesInMidFrame() {
    const TimePoint until = In(std::chrono::seconds(20));
    bool hangs = relay_->WaitUntilHanging();
    while (hangs && guard_.inside == 0 && BootClock::now() < until) usleep(1000);
    return guard_.inside > 0;
  }

  static Completion End(Batch& batch) {
    EXPECT_TRUE(batch.Wait(In(std::chrono::seconds(20))));
    return batch.completions().at(0);
  }

  bool MemoryIs(unsigned char value) const {
    return std::all_of(memory_.begin(), memory_.end(),
                       [value](unsigned char byte) { return byte == value; });
  }
  // The memory has a new owner, who writes to all of it.
  void NewOwnerFills(unsigned char value) { std::fill(memory_.begin(), memory_.end(), value); }

  TestGuard guard_;
  Bytes memory_ = Bytes(kSize, 1);
  Bytes buffer_ = Bytes(kSize, 2);
  Piece piece_ = {buffer_.data(), buffer_.size()};
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Engine> client_;
  PeerId peer_ = 0;
  RegionId region_ = 0;
};

TEST_F(TcpFinality, AWriteWhosePathBrokeGoesAnotherWayAndNothingOfTheOldLandsLater) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  relay_->BreakClientEnd();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
  EXPECT_TRUE(MemoryIs(2));
  EXPECT_EQ(guard_.inside, 0) << "the old path still counts as touching the memory";
  NewOwnerFills(9);
  relay_->DeliverLate();
  EXPECT_TRUE(holder_->Unregister(region_).ok());
  EXPECT_TRUE(MemoryIs(9)) << "late bytes landed";
}

TEST_F(TcpFinality, WithoutTheConfirmationOldBytesWouldLandLater) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "two paths write the same memory here: that race is what the guard prevents";
#endif
  Connect({.confirm_cut = false});
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  relay_->BreakClientEnd();
  EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
  NewOwnerFills(9);
  relay_->DeliverLate();
  const TimePoint until = In(std::chrono::seconds(20));
  while (guard_.inside > 0 && BootClock::now() < until) usleep(1000);
  EXPECT_TRUE(holder_->Unregister(region_).ok());
  EXPECT_FALSE(MemoryIs(9)) << "this guard is not what keeps old bytes away";
}

TEST_F(TcpFinality, AWriteIsInDoubtWhenTheHolderDoesNotConfirmThatItsPathIsClosed) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  relay_->SwallowNewConnections();
  relay_->BreakClientEnd();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kInDoubt);
  EXPECT_EQ(end.status.code(), StatusCode::kUnavailable) << end.status;
  EXPECT_EQ(client_->counters(Way::kTcp).copies_in_doubt, 1u);
  EXPECT_EQ(guard_.inside, 1) << "there was no doubt";
}

TEST_F(TcpFinality, AReadWhosePathBrokeIsDoneOverAnother) {
  Connect();
  relay_->HangAfter(50);  // hello and half of the request
  const std::unique_ptr<Batch> batch = Start(Access::kRead);
  ASSERT_TRUE(relay_->WaitUntilHanging());
  relay_->BreakClientEnd();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
  EXPECT_EQ(buffer_, memory_);
}

// What the tap has heard is not read again: it would then have heard of other bytes than are in
// place.
TEST_F(TcpFinality, ATapOfAReadWhosePathBrokeHasHeardWhatIsInPlace) {
  Connect();
  relay_->HangAnswersAfter(kInMidFrame);
  Listener listener;
  Copy copy = MakeCopy(Access::kRead);
  copy.tap = &listener;
  const std::unique_ptr<Batch> batch =
      client_->Submit(std::span(&copy, 1), In(std::chrono::seconds(20)));
  ASSERT_TRUE(relay_->WaitUntilHanging());
  const TimePoint until = In(std::chrono::seconds(10));
  while (guard_.inside > 0 && BootClock::now() < until) usleep(1000);
  ASSERT_EQ(guard_.inside, 0) << "the relay did not take what the holder sent";
  NewOwnerFills(9);  // against all rules, so that it shows what is read now
  relay_->BreakClientEnd();
  const Completion end = End(*batch);
  ASSERT_EQ(end.outcome, Outcome::kDone) << end.status;
  EXPECT_TRUE(listener.heard() == buffer_);
  EXPECT_EQ(buffer_.back(), 9) << "nothing was read again; the path was not broken";
}

TEST_F(TcpFinality, ATapOfAWriteWhosePathBrokeHasHeardEachByteOnce) {
  Connect();
  for (size_t i = 0; i < buffer_.size(); ++i) buffer_[i] = static_cast<unsigned char>(i * 31 >> 3);
  relay_->HangAfter(kInMidFrame);
  Listener listener;
  Copy copy = MakeCopy(Access::kWrite);
  copy.tap = &listener;
  const std::unique_ptr<Batch> batch =
      client_->Submit(std::span(&copy, 1), In(std::chrono::seconds(20)));
  ASSERT_TRUE(WritesInMidFrame());
  relay_->BreakClientEnd();
  const Completion end = End(*batch);
  ASSERT_EQ(end.outcome, Outcome::kDone) << end.status;
  EXPECT_TRUE(listener.heard() == buffer_);
  EXPECT_TRUE(memory_ == buffer_);
}

TEST_F(TcpFinality, AReadFromAHolderThatIsGoneFailsAndIsNeverInDoubt) {
  Connect();
  relay_->HangAfter(50);
  const std::unique_ptr<Batch> batch = Start(Access::kRead, std::chrono::seconds(2));
  ASSERT_TRUE(relay_->WaitUntilHanging());
  relay_->SwallowNewConnections();
  relay_->BreakClientEnd();
  EXPECT_EQ(End(*batch).outcome, Outcome::kFailed);
}

TEST_F(TcpFinality, ADeadlineInMidWriteClosesThePathAtBothEnds) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite, std::chrono::seconds(3));
  ASSERT_TRUE(WritesInMidFrame());
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kDeadlineExceeded) << end.status;
  EXPECT_EQ(guard_.inside, 0);
  NewOwnerFills(9);
  relay_->DeliverLate();
  EXPECT_TRUE(holder_->Unregister(region_).ok());
  EXPECT_TRUE(MemoryIs(9));
}

TEST_F(TcpFinality, CancellingInMidWriteClosesThePathAtBothEnds) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  batch->Cancel();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kCancelled) << end.status;
  EXPECT_EQ(guard_.inside, 0);
}

TEST_F(TcpFinality, ABatchDestroyedInMidWriteTouchesTheMemoryNoMore) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  batch.reset();
  EXPECT_EQ(guard_.inside, 0);
}

TEST_F(TcpFinality, ABatchThatWaitsBehindAHangingOneEndsAtItsDeadline) {
  // Nothing but its deadline ends anything here.
  Connect({}, {.tcp_stall_timeout = std::chrono::minutes(1),
               .tcp_hello_timeout = std::chrono::minutes(1)});
  relay_->HangAfter(kInMidFrame);
  std::vector<std::unique_ptr<Batch>> hanging;
  hanging.push_back(Start(Access::kWrite));
  ASSERT_TRUE(WritesInMidFrame());
  relay_->SwallowNewConnections();
  for (int i = 0; i < 8; ++i) hanging.push_back(Start(Access::kRead));
  const TimePoint begin = BootClock::now();
  const std::unique_ptr<Batch> late = Start(Access::kRead, std::chrono::milliseconds(100));
  EXPECT_EQ(End(*late).status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_LT(BootClock::now() - begin, std::chrono::seconds(10));  // the others' is 20 s
}

TEST_F(TcpFinality, RetiredMemoryIsLetGoThoughItsWriterHangsInMidFrame) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  guard_.word = 100;
  const TimePoint until = In(std::chrono::seconds(4));  // less than the stall timeout
  while (guard_.inside > 0 && BootClock::now() < until) usleep(1000);
  EXPECT_EQ(guard_.inside, 0);
  NewOwnerFills(9);
  relay_->DeliverLate();
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kAborted) << end.status;
  EXPECT_TRUE(MemoryIs(9));
}

TEST_F(TcpFinality, RetiredMemoryIsLetGoThoughItsWriterHangsBeforeTheFirstByte) {
  Connect();
  relay_->HangAfter(kHelloBytes + kRequestBytes);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(relay_->WaitUntilHanging());
  const TimePoint until = In(std::chrono::seconds(4));  // less than the stall timeout
  while (guard_.entered == 0 && BootClock::now() < until) usleep(1000);
  ASSERT_EQ(guard_.inside, 1);
  guard_.word = 100;
  while (guard_.inside > 0 && BootClock::now() < until) usleep(1000);
  EXPECT_EQ(guard_.inside, 0);
  NewOwnerFills(9);
  relay_->DeliverLate();
  EXPECT_EQ(End(*batch).status.code(), StatusCode::kAborted);
  EXPECT_TRUE(MemoryIs(9));
}

TEST_F(TcpFinality, RenamingCutsPathsOfTheOldNameAndRefusesItsHellos) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  holder_->Rename({.high = 7, .low = 7});
  EXPECT_EQ(guard_.inside, 0);
  EXPECT_EQ(holder_->incarnation(), (Incarnation{.high = 7, .low = 7}));
  const Completion end = End(*batch);
  EXPECT_NE(end.outcome, Outcome::kDone);
  EXPECT_EQ(End(*Start(Access::kRead)).status.code(), StatusCode::kUnavailable);
  peer_ = *client_->Open(Redirect(holder_->Descriptor(), relay_->endpoint()));
  EXPECT_EQ(End(*Start(Access::kRead)).outcome, Outcome::kDone);
}

TEST_F(TcpFinality, ClosingAPeerInMidWriteEndsItsCopies) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  client_->Close(peer_);
  const Completion end = End(*batch);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(guard_.inside, 0);
}

TEST_F(TcpFinality, AnEngineThatEndsInMidWriteLeavesNothingBehind) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  client_.reset();
  EXPECT_EQ(End(*batch).outcome, Outcome::kFailed);
  EXPECT_EQ(guard_.inside, 0);
}

TEST_F(TcpFinality, AHolderThatEndsInMidWriteHasLetGoOfItsMemory) {
  Connect();
  relay_->HangAfter(kInMidFrame);
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(WritesInMidFrame());
  holder_.reset();
  EXPECT_EQ(guard_.inside, 0);
  relay_.reset();
  EXPECT_NE(End(*batch).outcome, Outcome::kDone);
}

TEST_F(TcpFinality, AnotherProcessOnTheSamePortIsAnotherPeer) {
  Connect();
  ASSERT_EQ(End(*Start(Access::kRead)).outcome, Outcome::kDone);
  const std::string endpoint = DecodeDescriptor(holder_->Descriptor())->endpoints.at(0);
  PeerDescriptor old = *DecodeDescriptor(holder_->Descriptor());
  holder_.reset();
  relay_.reset();
  EngineOptions options;
  options.tcp_listen = endpoint;
  holder_ = Make(options);
  region_ = *holder_->Register(memory_.data(), memory_.size(), {.remote = true});
  const std::unique_ptr<Engine> reader = Make({});
  peer_ = *reader->Open(EncodeDescriptor(old));
  std::fill(buffer_.begin(), buffer_.end(), 0);
  const Copy copy = MakeCopy(Access::kRead);
  const Completion end = reader->Run(std::span(&copy, 1), In(std::chrono::seconds(5))).at(0);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kUnavailable) << end.status;
  EXPECT_NE(end.status.message().find("is gone"), std::string::npos) << end.status;
  EXPECT_EQ(buffer_, Bytes(kSize, 0));
}

TEST_F(TcpFinality, AForkedChildMayDestroyWhatItInheritedAndTheParentGoesOn) {
  Connect();
  std::unique_ptr<Batch> batch = Start(Access::kRead);
  const pid_t child = fork();
  if (child == 0) {
    batch.reset();
    client_.reset();
    holder_.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
  EXPECT_EQ(End(*Start(Access::kWrite)).outcome, Outcome::kDone);
}

}  // namespace
}  // namespace kvstore::transfer
