#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "transfer/shm/ledger.h"

namespace kvstore::transfer {
namespace {

// The pages that two ends share, here in one process.
class ShmLedger : public testing::Test {
 protected:
  std::vector<Stretch> Announced(SlotKind kind, RegionId region) const {
    std::vector<Stretch> announced;
    reader_.Append(kind, region, &announced);
    return announced;
  }

  const std::unique_ptr<LedgerPages> pages_ = std::make_unique<LedgerPages>();
  int told_ = 0;
  LedgerWriter writer_{*pages_, [this] { ++told_; }};
  LedgerReader reader_{*pages_};
};

TEST_F(ShmLedger, WhatIsAnnouncedIsSeenUntilItIsWithdrawn) {
  {
    const auto copy = writer_.Announce(SlotKind::kCopy, {.region = 3, .offset = 10, .length = 20});
    ASSERT_TRUE(copy.has_value());
    EXPECT_EQ(Announced(SlotKind::kCopy, 3), (std::vector<Stretch>{{10, 20}}));
    EXPECT_TRUE(Announced(SlotKind::kCopy, 4).empty());
    EXPECT_TRUE(Announced(SlotKind::kMapping, 3).empty());
    EXPECT_EQ(reader_.CountActive(), 1u);
  }
  EXPECT_TRUE(Announced(SlotKind::kCopy, 3).empty());
  EXPECT_EQ(reader_.CountActive(), 0u);
}

TEST_F(ShmLedger, AMovedAnnouncementIsWithdrawnOnce) {
  auto first = writer_.Announce(SlotKind::kMapping, {.region = 1, .offset = 0, .length = 1});
  auto second = std::make_unique<Announcement>(*std::move(first));
  first.reset();
  EXPECT_EQ(Announced(SlotKind::kMapping, 1).size(), 1u);
  second.reset();
  EXPECT_TRUE(Announced(SlotKind::kMapping, 1).empty());
}

TEST_F(ShmLedger, TheHolderIsToldOnceForEachTimeItAsks) {
  const LedgerEntry entry{.region = 1, .offset = 0, .length = 1};
  (void)writer_.Announce(SlotKind::kCopy, entry);
  EXPECT_EQ(told_, 0);
  reader_.AskToBeTold();
  (void)writer_.Announce(SlotKind::kCopy, entry);
  (void)writer_.Announce(SlotKind::kMapping, entry);
  EXPECT_EQ(told_, 1);
  reader_.AskToBeTold();
  (void)writer_.Announce(SlotKind::kMapping, entry);
  EXPECT_EQ(told_, 2);
}

TEST_F(ShmLedger, KindsDoNotTakeEachOthersRoom) {
  const LedgerEntry entry{.region = 1, .offset = 0, .length = 1};
  std::vector<Announcement> held;
  for (size_t i = 0; i < kMappingSlots; ++i) {
    held.push_back(*writer_.Announce(SlotKind::kMapping, entry));
  }
  EXPECT_FALSE(writer_.Announce(SlotKind::kMapping, entry).has_value());
  EXPECT_TRUE(writer_.Announce(SlotKind::kCopy, entry).has_value());
  EXPECT_EQ(Announced(SlotKind::kMapping, 1).size(), kMappingSlots);
  held.pop_back();
  EXPECT_TRUE(writer_.Announce(SlotKind::kMapping, entry).has_value());
}

TEST_F(ShmLedger, ACopyWaitsForASlotThatAnotherLeaves) {
  const LedgerEntry entry{.region = 1, .offset = 0, .length = 1};
  std::vector<Announcement> held;
  for (size_t i = 0; i < kCopySlots; ++i) held.push_back(*writer_.Announce(SlotKind::kCopy, entry));
  EXPECT_FALSE(writer_.Announce(SlotKind::kCopy, entry).has_value());
  EXPECT_FALSE(writer_.WaitForCopySlot(BootClock::now()));
  std::thread leaver([&] { held.clear(); });
  EXPECT_TRUE(writer_.WaitForCopySlot(BootClock::now() + std::chrono::seconds(20)));
  leaver.join();
}

TEST_F(ShmLedger, LowSlotsAreUsedAgainSoThatTheHolderReadsFew) {
  for (int i = 0; i < 100; ++i) {
    (void)writer_.Announce(SlotKind::kMapping, {.region = 1, .offset = 0, .length = 1});
  }
  EXPECT_EQ(pages_->mappings_used, 1u);
  EXPECT_EQ(pages_->copies_used, 0u);
}

TEST_F(ShmLedger, WhenItHasEndedTheWriterFindsOut) {
  EXPECT_FALSE(writer_.ended());
  reader_.End();
  EXPECT_TRUE(writer_.ended());
}

TEST_F(ShmLedger, NumbersThatNobodyMayWriteThereAreReadSafely) {
  pages_->copies_used = UINT32_MAX;
  pages_->mappings_used = UINT32_MAX;
  for (LedgerSlot& slot : pages_->mappings) {
    slot.region = UINT64_MAX;
    slot.offset = UINT64_MAX;
    slot.length = UINT64_MAX;
    slot.use = UINT64_MAX;
  }
  EXPECT_EQ(reader_.CountActive(), kMappingSlots);
  EXPECT_TRUE(Announced(SlotKind::kMapping, 1).empty());
}

// The two ends of Dekker's protocol, run against each other: never do both believe that they may.
TEST_F(ShmLedger, EitherTheWriterSeesTheWordOrTheHolderSeesTheSlot) {
  constexpr uint64_t kRounds = 5000;
  std::atomic<uint64_t> word = 0;
  std::atomic<uint64_t> begun = 0;     // the round that the writer may enter
  std::atomic<uint64_t> finished = 0;  // the round in which it has decided
  std::atomic<bool> wrote = false;
  std::thread writer([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      while (begun.load() < round) std::this_thread::yield();
      const auto slot = writer_.Announce(SlotKind::kCopy, {.region = 1, .offset = 0, .length = 1});
      wrote = word.load(std::memory_order_seq_cst) < round;
      finished = round;
      while (finished.load() == round) std::this_thread::yield();  // the holder has looked
    }
  });
  uint64_t writer_went = 0;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    begun = round;
    // Now and then the writer comes first, surely.
    while (round % 3 == 0 && finished.load() < round) std::this_thread::yield();
    word.store(round, std::memory_order_seq_cst);
    const bool nobody = Announced(SlotKind::kCopy, 1).empty();
    while (finished.load() < round) std::this_thread::yield();
    ASSERT_FALSE(wrote && nobody) << "round " << round;
    if (wrote) ++writer_went;
    finished = UINT64_MAX;  // ends the round
    while (!Announced(SlotKind::kCopy, 1).empty()) std::this_thread::yield();
    if (round < kRounds) finished = 0;
  }
  writer.join();
  EXPECT_GE(writer_went, kRounds / 3);
}

}  // namespace
}  // namespace kvstore::transfer
