// What happens without each check of the transfer layer: a test that passes with the check and
// fails without it would be no test of the check otherwise.

#include "transfer/guards.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/descriptor.h"
#include "transfer/engine.h"
#include "transfer/test_guard.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

// One copy from or to a holder that leaves out a check.
class WithoutTheCheck : public testing::Test {
 protected:
  void Hold(const TransferGuards& guards) {
    holder_ = *CreateEngine({}, guards);
    client_ = *CreateEngine({}, {});
    region_ =
        *holder_->Register(memory_.data(), memory_.size(), {.remote = true, .guard = &guard_});
    descriptor_ = holder_->Descriptor();
  }

  Outcome Run(Access access, size_t size) {
    buffer_.assign(size, 2);
    const Piece piece{buffer_.data(), size};
    const Copy copy{.access = access,
                    .peer = *client_->Open(descriptor_),
                    .region = region_,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = Guard{.first = 0, .birth = 5}};
    const TimePoint deadline = BootClock::now() + std::chrono::seconds(10);
    return client_->Run(std::span(&copy, 1), deadline).at(0).outcome;
  }

  TestGuard guard_;
  Bytes memory_ = Bytes(4 << 20, 1);
  Bytes buffer_;
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Engine> client_;
  std::string descriptor_;
  RegionId region_ = 0;
};

TEST_F(WithoutTheCheck, BeforeAnAccessALateWriterOverwritesTheNewOwner) {
  guard_.word = 6;
  Hold({.check_before = false});
  EXPECT_EQ(Run(Access::kWrite, 1000), Outcome::kDone);
  EXPECT_EQ(memory_[0], 2);
}

TEST_F(WithoutTheCheck, AfterAReadTheNewOwnersBytesAreTakenForTheOldOnes) {
  guard_.retire_at_question = 1;
  Hold({.check_after_read = false});
  EXPECT_EQ(Run(Access::kRead, 1000), Outcome::kDone);
}

TEST_F(WithoutTheCheck, DuringAnAccessALongWriteGoesOnToItsEnd) {
  guard_.retire_at_question = 1;
  Hold({.check_during = false});
  EXPECT_EQ(Run(Access::kWrite, 1 << 20), Outcome::kDone);
  EXPECT_EQ(guard_.stands_asked, 0u);
}

TEST_F(WithoutTheCheck, OfTheIncarnationAHelloForAnotherIsTaken) {
  Hold({.check_incarnation = false});
  holder_->Rename({.high = 1, .low = 1});
  EXPECT_EQ(Run(Access::kRead, 1000), Outcome::kDone);
}

}  // namespace
}  // namespace kvstore::transfer
