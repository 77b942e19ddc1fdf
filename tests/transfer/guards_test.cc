// What happens without each check of the transfer layer: a test that passes with the check and
// fails without it would be no test of the check otherwise.

#include "transfer/guards.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/descriptor.h"
#include "transfer/engine.h"
#include "transfer/shm_peers.h"
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

TEST(WithoutTheShmCheck, AnnouncedAfterTheWordALateWriteLandsWhereTheHolderSawNobody) {
  for (const bool announce_before_word : {true, false}) {
    SharingHolder holder;
    SharingClient client(holder, {}, {.announce_before_word = announce_before_word});
    bool first = true;
    bool seen_free = false;
    client.at_step = [&](ShmStep) {
      if (!std::exchange(first, false)) return;
      holder.Stamp(6);
      seen_free = holder.Touched().empty();
      if (seen_free) holder.Fill(0, 1000, 9);  // the next owner's bytes
    };
    Bytes bytes(1000, 2);
    (void)client.Run(Access::kWrite, 0, &bytes);
    EXPECT_EQ(seen_free, !announce_before_word);
    EXPECT_EQ(holder.IsFilled(0, 1000, 2), !announce_before_word);
  }
}

TEST(WithoutTheShmCheck, AfterAReadTheNewOwnersBytesAreTakenForTheOldOnes) {
  for (const bool check : {true, false}) {
    SharingHolder holder;
    SharingClient client(holder, {}, {.check_word_after_read = check});
    client.at_step = [&](ShmStep step) {
      if (step != ShmStep::kWordRead) return;
      holder.Stamp(6);
      holder.Fill(0, 1000, 9);
    };
    Bytes bytes(1000, 2);
    const Completion end = client.Run(Access::kRead, 0, &bytes);
    EXPECT_EQ(end.outcome, check ? Outcome::kFailed : Outcome::kDone) << end.status;
    EXPECT_EQ(bytes, Bytes(1000, 9));
  }
}

TEST(WithoutTheShmCheck, OfTheLedgerBehindAClosedSocketAWriteIsForgottenWhileItRuns) {
  for (const bool outlives : {true, false}) {
    SharingHolder holder({}, true, {.ledger_outlives_socket = outlives});
    SharingClient client(holder);
    bool named = true;
    client.at_step = [&](ShmStep step) {
      if (step != ShmStep::kFirstSlice) return;
      client.engine->Close(client.peer);
      // The holder has seen that, too, when it has let go of the ledger, or has greeted another
      // that came later.
      SharingClient later(holder);
      Bytes bytes(100);
      EXPECT_EQ(later.Run(Access::kRead, 0, &bytes).way, Way::kShm);
      named = !holder.Touched().empty();
    };
    Bytes bytes(3 << 20, 2);
    (void)client.Run(Access::kWrite, 0, &bytes);
    EXPECT_EQ(named, outlives);
  }
}

}  // namespace
}  // namespace kvstore::transfer
