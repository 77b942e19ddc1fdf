// A process that is stopped between its leave to write and its write, until the memory has another
// owner.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "cluster/child_process.h"
#include "kvstore/transfer.h"
#include "rdma/devices.h"
#include "transfer/engine.h"
#include "transfer/lent_memory.h"
#include "transfer/test_guard.h"

namespace kvstore::rdma_tests {
namespace {

using namespace transfer;

constexpr uint64_t kBytes = 1 << 20;

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const unsigned char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += {kDigits[byte / 16], kDigits[byte % 16]};
  }
  return hex;
}

class LateWriterTest : public testing::Test {
 protected:
  void Lend(const TransferGuards& guards) {
    EngineOptions options;
    options.ways = {Way::kRdma};
    options.rdma_devices = {"rxe1"};
    holder_ = CreateEngine(options, guards).value();
    const RegionOptions lent{.remote = true, .guard = &guard_, .shared = memory_.shared()};
    region_ = holder_->Register(memory_.data(), memory_.size(), lent).value();
  }

  // Until it has stopped, with leave to write.
  void StartWriter() {
    writer_ = std::make_unique<cluster::ChildProcess>(
        std::vector<std::string>{KVSTORE_TEST_RDMA_WRITER_PATH, "rxe0", Hex(holder_->Descriptor()),
                                 std::to_string(region_), std::to_string(kBytes)},
        cluster::ChildProcess::Input::kTold);
    ASSERT_TRUE(writer_->WaitForLine("stopping", kLong)) << writer_->output();
    writer_->Signal(SIGSTOP);
    ASSERT_GT(guard_.inside, 0) << "it has no leave to write";
    ASSERT_EQ(memory_.bytes(), Bytes(kBytes, 1)) << "it has written already";
  }

  // As the holder's node does when the grant's time is over.
  void Withdraw() {
    guard_.word = 1;
    memory_.Stamp(1);
  }

  bool ComesFree() {
    const TimePoint until = In(std::chrono::seconds(20));
    while (guard_.inside != 0 && BootClock::now() < until) std::this_thread::yield();
    return guard_.inside == 0;
  }

  // Another put, under the birth that the memory has now.
  void PutByAnother() {
    const std::unique_ptr<Engine> other = EngineWith({"rxe2"}, {Way::kRdma});
    ASSERT_NE(other, nullptr);
    Bytes bytes(kBytes, 3);
    const Piece piece{bytes.data(), bytes.size()};
    const Copy copy{.access = Access::kWrite,
                    .peer = other->Open(holder_->Descriptor()).value(),
                    .region = region_,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = Guard{.first = 0, .birth = 1}};
    const Completion completion = other->Run(std::span(&copy, 1), In(kLong)).at(0);
    ASSERT_EQ(completion.outcome, Outcome::kDone) << completion.status;
    ASSERT_EQ(memory_.bytes(), bytes);
  }

  std::string WakeWriter() {
    writer_->Signal(SIGCONT);
    EXPECT_TRUE(writer_->Tell("\n"));
    const auto ended = writer_->WaitForLine("ended: ", kLong);
    EXPECT_TRUE(ended) << writer_->output();
    return ended.value_or("");
  }

  LentMemory memory_{Way::kRdma, Bytes(kBytes, 1)};
  TestGuard guard_;
  std::unique_ptr<Engine> holder_;
  RegionId region_ = 0;
  std::unique_ptr<cluster::ChildProcess> writer_;
};

TEST_F(LateWriterTest, APausedWriterIsCutOffAndWritesNothingWhenItWakes) {
  Lend({});
  StartWriter();
  Withdraw();
  ASSERT_TRUE(ComesFree()) << "a paused writer holds the memory";
  PutByAnother();
  EXPECT_EQ(WakeWriter().find("ended: aborted"), 0u) << writer_->output();
  EXPECT_TRUE(memory_.bytes() == Bytes(kBytes, 3)) << "it wrote over the next owner";
}

// That it would, if its queue pair were still there.
TEST_F(LateWriterTest, WithoutTheCutItWritesOverTheNextOwner) {
  TransferGuards guards;
  guards.rdma_cut_withdrawn_writes = false;
  Lend(guards);
  StartWriter();
  Withdraw();
  PutByAnother();
  WakeWriter();
  EXPECT_TRUE(memory_.bytes() == Bytes(kBytes, 2));
}

}  // namespace
}  // namespace kvstore::rdma_tests
