#include "client/holder.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace kvstore::client {
namespace {

using transfer::Access;

constexpr uint64_t kGranule = 4096;
constexpr uint64_t kGranules = 16;
constexpr uint64_t kSize = kGranule * kGranules;
constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

Range Granules(uint64_t first, uint64_t count) { return {first * kGranule, count * kGranule}; }

// Other processes, as the test has them.
class FakeOutsiders final : public Outsiders {
 public:
  std::vector<Range> Touched(uint32_t segment) override {
    ++asked;
    if (before_answer) before_answer();
    return segment == 3 ? touched : std::vector<Range>();
  }

  std::vector<Range> touched;  // in segment 3
  std::function<void()> before_answer;
  int asked = 0;
};

// A node that lends one segment (number 3), and a master of term 1 that orders.
class HolderTest : public testing::Test {
 protected:
  HolderTest() { Lend(&holder_); }

  void Lend(Holder* holder) {
    holder->AddSegment(3, kSize, kGranule, words_);
    holder->EnterTerm(1);
  }

  void Switch(const HolderGuards& guards) {
    guarded_.emplace(guards, &others_);
    Lend(&*guarded_);
  }
  Holder& holder() { return guarded_ ? *guarded_ : holder_; }

  static RetireOrder OrderFor(uint64_t put, uint64_t birth, std::vector<Range> ranges) {
    return {.put = {{1, 1}, put}, .segment = 3, .birth = birth, .ranges = std::move(ranges)};
  }

  // Stages that the holder says, in order: 'w' withdrawn, 'f' free, each with the put's sequence.
  std::string Retire(const RetireOrder& order, uint64_t term = 1) {
    std::vector<RetireAck> acks;
    holder().Retire({term, {order}}, &acks);
    return Said(acks);
  }
  std::string Retire(uint64_t put, uint64_t birth, std::vector<Range> ranges) {
    return Retire(OrderFor(put, birth, std::move(ranges)));
  }
  std::string Retire(const Orders& orders) {
    std::vector<RetireAck> acks;
    holder().Retire(orders, &acks);
    return Said(acks);
  }
  static std::string Said(const std::vector<RetireAck>& acks) {
    std::string said;
    for (const RetireAck& ack : acks) {
      said += (ack.stage == RetireStage::kWithdrawn ? "w" : "f") + std::to_string(ack.put.sequence);
    }
    return said;
  }

  bool Enter(Access access, Range range, uint64_t birth) {
    return holder().Enter(3, access, range.offset, range.offset, range.length, birth);
  }
  std::string Leave(Access access, Range range, uint64_t birth) {
    std::vector<RetireAck> acks;
    holder().Leave(3, access, range.offset, range.offset, range.length, birth, &acks);
    return Said(acks);
  }

  // An outsider lets go of what it touched, and the engine says so.
  std::string OutsidersTouchOnly(std::vector<Range> ranges) {
    others_.touched = std::move(ranges);
    std::vector<RetireAck> acks;
    holder().OthersLeft(3, &acks);
    return Said(acks);
  }

  std::array<Word, kGranules> words_{};
  FakeOutsiders others_;
  Holder holder_{{}, &others_};
  std::optional<Holder> guarded_;
};

// ---- words and births ---------------------------------------------------------------------------

TEST_F(HolderTest, UntouchedMemoryIsOpenToTheFirstBirth) {
  EXPECT_TRUE(Enter(Access::kWrite, Granules(0, 2), holder().counter()));
  EXPECT_TRUE(holder().Stands(3, 0, holder().counter()));
}

TEST_F(HolderTest, RetiringStampsEveryWordOfAllRangesInOneStepOfTheCounter) {
  const uint64_t birth = holder().counter();
  EXPECT_EQ(Retire(7, birth, {Granules(1, 2), Granules(8, 1)}), "w7f7");
  EXPECT_EQ(holder().counter(), birth + 1);
  for (uint64_t i = 0; i < kGranules; ++i) {
    const bool retired = i == 1 || i == 2 || i == 8;
    EXPECT_EQ(words_[i].load(), retired ? birth + 1 : 0) << i;
  }
}

TEST_F(HolderTest, ARetiredLocationIsNeverValidAgain) {
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(0, 4)});
  const uint64_t next_birth = holder().counter();
  for (uint64_t granule = 0; granule < 4; ++granule) {  // wherever later ranges begin
    EXPECT_FALSE(Enter(Access::kRead, Granules(granule, 1), birth));
    EXPECT_FALSE(holder().Stands(3, granule * kGranule, birth));
    EXPECT_TRUE(Enter(Access::kRead, Granules(granule, 1), next_birth));
  }
  EXPECT_EQ(holder().counters().refused_on_enter, 4u);
  EXPECT_EQ(holder().counters().refused_after, 4u);
}

TEST_F(HolderTest, RetiringLeavesOtherMemoryAsItIs) {
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(4, 1)});
  EXPECT_TRUE(Enter(Access::kRead, Granules(3, 1), birth));
  EXPECT_TRUE(Enter(Access::kRead, Granules(5, 1), birth));
}

TEST_F(HolderTest, TheCounterIsNotBehindWordsThatAnEarlierIncarnationLeft) {
  words_[5].store(90);
  Holder later;
  later.AddSegment(3, kSize, kGranule, words_);
  EXPECT_GE(later.counter(), 90u);
  EXPECT_TRUE(later.Enter(3, Access::kRead, 5 * kGranule, 5 * kGranule, 1, later.counter()));
}

TEST_F(HolderTest, ABirthThatTheCounterHasNotReachedOpensNothing) {
  EXPECT_FALSE(Enter(Access::kWrite, Granules(0, 1), holder().counter() + 1));
  EXPECT_FALSE(Enter(Access::kWrite, Granules(0, 1), kMost));
  EXPECT_FALSE(holder().Stands(3, 0, kMost));
}

// ---- bounds -------------------------------------------------------------------------------------

TEST_F(HolderTest, AccessesOutOfBoundsAreRefused) {
  struct Case {
    uint64_t segment, first, offset, length;
  };
  const Case cases[] = {
      {4, 0, 0, 1},                           // no such segment
      {3, 0, 0, kSize + 1},                   // longer than the segment
      {3, 0, kSize, 1},                       // behind it
      {3, 0, kSize - 1, 2},                   // reaching over its end
      {3, 0, kMost, 2},                       // offset + length wraps to 1
      {3, 0, 2, kMost},                       //
      {3, kSize, kSize, 0},                   // first granule behind it
      {3, kMost - kGranule + 1, kMost, 0},    //
      {3, 1, 1, 1},                           // first is not where a granule begins
      {3, 2 * kGranule, kGranule, kGranule},  // before the first granule of its own range
  };
  for (const Case& c : cases) {
    EXPECT_FALSE(holder().Enter(static_cast<uint32_t>(c.segment), Access::kWrite, c.first, c.offset,
                                c.length, holder().counter()))
        << c.segment << " " << c.first << " " << c.offset << " " << c.length;
  }
  EXPECT_TRUE(holder().idle());
  EXPECT_FALSE(holder().Stands(4, 0, holder().counter()));
  EXPECT_FALSE(holder().Stands(3, kSize, holder().counter()));
}

TEST_F(HolderTest, AccessesUpToTheLastByteAreAllowed) {
  EXPECT_TRUE(holder().Enter(3, Access::kRead, 0, 0, kSize, holder().counter()));
  EXPECT_TRUE(holder().Enter(3, Access::kRead, kSize - kGranule, kSize - 1, 1, holder().counter()));
  EXPECT_TRUE(holder().Enter(3, Access::kRead, 0, kSize, 0, holder().counter()));
}

TEST_F(HolderTest, OrdersOutOfBoundsAreRefusedAndStampNothing) {
  const uint64_t birth = holder().counter();
  EXPECT_EQ(Retire(1, birth, {}), "");
  EXPECT_EQ(Retire(1, birth, {Granules(0, 1), Granules(kGranules, 1)}), "");
  EXPECT_EQ(Retire(1, birth, {{kGranule, 0}}), "");
  EXPECT_EQ(Retire(1, birth, {{1, kGranule}}), "");
  EXPECT_EQ(Retire(1, birth, {{0, kGranule + 1}}), "");
  EXPECT_EQ(Retire(1, birth, {{kGranule, kMost - kGranule + 1}}), "");
  EXPECT_EQ(Retire(1, birth + 1, {Granules(0, 1)}), "");  // a birth that it never told
  RetireOrder elsewhere = OrderFor(1, birth, {Granules(0, 1)});
  elsewhere.segment = 4;
  EXPECT_EQ(Retire(elsewhere), "");
  EXPECT_EQ(holder().counters().orders_refused, 8u);
  EXPECT_EQ(holder().counter(), birth);
  for (const Word& word : words_) EXPECT_EQ(word.load(), 0u);
}

// ---- rule 2: orders name the birth --------------------------------------------------------------

TEST_F(HolderTest, ARepeatedOrderIsConfirmedAgainAndStampsNothing) {
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(0, 1)});
  const uint64_t next_birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kWrite, Granules(0, 1), next_birth));  // its next owner writes
  Leave(Access::kWrite, Granules(0, 1), next_birth);

  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7f7");
  EXPECT_EQ(holder().counter(), next_birth);
  EXPECT_TRUE(Enter(Access::kRead, Granules(0, 1), next_birth));
  EXPECT_EQ(holder().counters().retired_again, 1u);
}

TEST_F(HolderTest, WhereOrdersDoNotNameTheBirthALateOneTakesTheNextOwnersMemory) {
  Switch({.orders_name_the_birth = false});
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(0, 1)});
  const uint64_t next_birth = holder().counter();
  Retire(7, birth, {Granules(0, 1)});
  EXPECT_FALSE(Enter(Access::kRead, Granules(0, 1), next_birth));
}

TEST_F(HolderTest, AnOrderForAPutItNeverHeardOfIsExecuted) {
  const uint64_t birth = holder().counter();
  EXPECT_EQ(Retire(999, birth, {Granules(3, 1)}), "w999f999");
  EXPECT_FALSE(Enter(Access::kWrite, Granules(3, 1), birth));
}

TEST_F(HolderTest, OrdersOfADeposedMasterAreRefused) {
  holder().EnterTerm(5);
  const uint64_t birth = holder().counter();
  EXPECT_EQ(Retire(OrderFor(1, birth, {Granules(0, 1)}), 4), "");
  EXPECT_TRUE(holder().Stands(3, 0, birth));
  EXPECT_EQ(Retire(OrderFor(1, birth, {Granules(0, 1)}), 5), "w1f1");
}

TEST_F(HolderTest, AnOlderWelcomeDoesNotLowerTheTerm) {
  holder().EnterTerm(5);
  holder().EnterTerm(4);
  EXPECT_EQ(holder().term(), 5u);
}

TEST_F(HolderTest, WhereOlderTermsAreNotRefusedADeposedMasterRetires) {
  Switch({.older_terms_are_refused = false});
  holder().EnterTerm(5);
  const uint64_t birth = holder().counter();
  EXPECT_EQ(Retire(OrderFor(1, birth, {Granules(0, 1)}), 4), "w1f1");
  EXPECT_FALSE(Enter(Access::kRead, Granules(0, 1), birth));
}

// ---- rule 3: the holder confirms twice ----------------------------------------------------------

TEST_F(HolderTest, FreeWaitsForTheLastAccessThatOverlaps) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 2), birth));
  ASSERT_TRUE(Enter(Access::kWrite, Granules(1, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 2)}), "w7");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 2), birth), "");
  EXPECT_EQ(Leave(Access::kWrite, Granules(1, 1), birth), "f7");
  EXPECT_EQ(holder().counters().free_delayed, 1u);
}

TEST_F(HolderTest, FreeWaitsForAccessesToAnyOfSeveralRanges) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(9, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1), Granules(9, 1)}), "w7");
  EXPECT_EQ(Leave(Access::kRead, Granules(9, 1), birth), "f7");
}

TEST_F(HolderTest, AccessesThatOnlyTouchTheBordersDoNotDelayFree) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 2), birth));
  ASSERT_TRUE(Enter(Access::kRead, Granules(3, 2), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(2, 1)}), "w7f7");
}

TEST_F(HolderTest, OneLeaveMayMakeSeveralRetirementsFree) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 4), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Retire(8, birth, {Granules(2, 2)}), "w8");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 4), birth), "f7f8");
}

TEST_F(HolderTest, ARepeatedOrderDoesNotSayFreeBeforeTheFirstMay) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 1), birth), "f7");
}

TEST_F(HolderTest, TwoAccessesToTheSameBytesAreCountedApart) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 1), birth), "");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 1), birth), "f7");
}

TEST_F(HolderTest, ALeaveWithoutEnterChangesNothing) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Leave(Access::kWrite, Granules(0, 1), birth), "");
  EXPECT_EQ(Leave(Access::kRead, Granules(1, 1), birth), "");
  EXPECT_FALSE(holder().idle());
}

TEST_F(HolderTest, WhereFreeDoesNotWaitMemoryIsFreeUnderARunningCopy) {
  Switch({.free_waits_for_accesses = false});
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kWrite, Granules(0, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7f7");
  EXPECT_FALSE(holder().idle());
}

// ---- rule 7: other processes, whom nobody asks before they touch --------------------------------

TEST_F(HolderTest, FreeWaitsForAnOutsiderThatTouchesAPartOfTheMemory) {
  const uint64_t birth = holder().counter();
  others_.touched = {{2 * kGranule + 100, 8}};
  EXPECT_EQ(Retire(7, birth, {Granules(1, 2)}), "w7");
  EXPECT_FALSE(holder().Stands(3, kGranule, birth));
  EXPECT_EQ(OutsidersTouchOnly({}), "f7");
  EXPECT_EQ(holder().counters().free_delayed, 1u);
  EXPECT_EQ(holder().counters().free_delayed_by_outsiders, 1u);
}

TEST_F(HolderTest, OutsidersAreAskedAfterAllWordsAreStored) {
  const uint64_t birth = holder().counter();
  std::vector<uint64_t> words;
  others_.before_answer = [&] {
    for (const uint64_t granule : {0, 1, 5}) words.push_back(words_[granule].load());
  };
  const Orders orders{1,
                      {OrderFor(7, birth, {Granules(0, 2)}), OrderFor(8, birth, {Granules(5, 1)})}};
  EXPECT_EQ(Retire(orders), "w7w8f7f8");
  EXPECT_EQ(words, (std::vector<uint64_t>{birth + 1, birth + 1, birth + 2}));
}

TEST_F(HolderTest, OutsidersAreAskedOncePerSegmentHoweverManyOrdersCome) {
  std::array<Word, kGranules> more_words{};
  holder().AddSegment(4, kSize, kGranule, more_words);
  Orders orders{1, {}};
  for (uint64_t i = 0; i < kGranules; ++i) {
    orders.orders.push_back(OrderFor(i, holder().counter(), {Granules(i, 1)}));
    RetireOrder other = OrderFor(100 + i, holder().counter(), {Granules(i, 1)});
    other.segment = 4;
    orders.orders.push_back(other);
    orders.orders.push_back(PrepareOrder{3, kSize});
  }
  others_.touched = {Granules(0, kGranules)};
  Retire(orders);
  EXPECT_EQ(others_.asked, 2);
  EXPECT_EQ(holder().counters().retired, 2 * kGranules);
  EXPECT_EQ(holder().counters().free_delayed, kGranules);  // those of the other segment are free
}

TEST_F(HolderTest, OutsidersThatTouchOnlyTheBordersDoNotDelayFree) {
  const uint64_t birth = holder().counter();
  others_.touched = {Granules(3, 2), Granules(0, 2), {2 * kGranule, 0}};
  EXPECT_EQ(Retire(7, birth, {Granules(2, 1)}), "w7f7");
}

TEST_F(HolderTest, OnlyWhatOutsidersLeftIsSaidToBeFree) {
  const uint64_t birth = holder().counter();
  others_.touched = {Granules(0, 1), Granules(4, 4), Granules(5, 1)};
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Retire(8, birth, {Granules(5, 1), Granules(9, 1)}), "w8");
  EXPECT_EQ(OutsidersTouchOnly({Granules(4, 4), Granules(5, 1)}), "f7");
  EXPECT_EQ(OutsidersTouchOnly({Granules(4, 4)}), "");
  EXPECT_EQ(OutsidersTouchOnly({Granules(6, 2)}), "f8");
  EXPECT_EQ(OutsidersTouchOnly({}), "");  // once is enough
}

TEST_F(HolderTest, FreeWaitsForAccessesAndOutsidersAlike) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  others_.touched = {Granules(1, 1)};
  EXPECT_EQ(Retire(7, birth, {Granules(0, 2)}), "w7");
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 1), birth), "");
  EXPECT_EQ(OutsidersTouchOnly({}), "f7");
  EXPECT_EQ(holder().counters().free_delayed_by_outsiders, 0u);  // not by them alone

  const uint64_t next = holder().counter();
  ASSERT_TRUE(Enter(Access::kWrite, Granules(0, 1), next));
  others_.touched = {Granules(1, 1)};
  EXPECT_EQ(Retire(8, next, {Granules(0, 2)}), "w8");
  EXPECT_EQ(OutsidersTouchOnly({}), "");
  EXPECT_EQ(Leave(Access::kWrite, Granules(0, 1), next), "f8");
}

TEST_F(HolderTest, OrdersRepeatedUnderAnOutsiderSayFreeOnce) {
  const uint64_t birth = holder().counter();
  others_.touched = {Granules(0, 1)};
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  EXPECT_EQ(OutsidersTouchOnly({}), "f7");
  EXPECT_EQ(OutsidersTouchOnly({}), "");
  EXPECT_EQ(holder().counters().free_delayed, 1u);
}

TEST_F(HolderTest, OutsidersAreNotAskedWhereNothingIsTakenBack) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  EXPECT_EQ(Leave(Access::kRead, Granules(0, 1), birth), "");
  EXPECT_EQ(Retire(OrderFor(1, birth + 1, {Granules(0, 1)})), "");  // refused
  EXPECT_EQ(others_.asked, 0);  // they may be many processes, and a copy must cost little
}

TEST_F(HolderTest, ANodeIsIdleOnlyWhenOutsidersAreGone) {
  EXPECT_TRUE(holder().idle());
  others_.touched = {{100, 8}};
  EXPECT_FALSE(holder().idle());
  holder().Empty();
  EXPECT_FALSE(holder().idle());
  EXPECT_EQ(OutsidersTouchOnly({}), "");
  EXPECT_TRUE(holder().idle());
}

TEST_F(HolderTest, WhatIsTouchedIsCountedOnceInsideAndOutside) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 2), birth));
  ASSERT_TRUE(Enter(Access::kRead, Granules(1, 2), birth));
  others_.touched = {Granules(8, 4), Granules(9, 1), Granules(12, 1), Granules(0, 1)};
  EXPECT_EQ(holder().touched().inside, 3 * kGranule);
  EXPECT_EQ(holder().touched().outside, 6 * kGranule);
}

TEST_F(HolderTest, OthersLeftOfASegmentThatIsNotThereChangesNothing) {
  std::vector<RetireAck> acks;
  holder().OthersLeft(99, &acks);
  EXPECT_TRUE(acks.empty());
}

TEST_F(HolderTest, WhereFreeDoesNotWaitForOutsidersMemoryIsFreeUnderAnotherProcess) {
  Switch({.free_waits_for_outsiders = false});
  const uint64_t birth = holder().counter();
  others_.touched = {Granules(0, 1)};
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7f7");
}

// ---- rules 4 and 7: checked before, and after ---------------------------------------------------

TEST_F(HolderTest, ARunningAccessNoLongerStandsOnceItsMemoryIsRetired) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  ASSERT_TRUE(holder().Stands(3, 0, birth));
  Retire(7, birth, {Granules(0, 1)});
  EXPECT_FALSE(holder().Stands(3, 0, birth));
}

TEST_F(HolderTest, WhereNothingIsCheckedAfterARetiredReadValidates) {
  Switch({.check_birth_after = false});
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kRead, Granules(0, 1), birth));
  Retire(7, birth, {Granules(0, 1)});
  EXPECT_TRUE(holder().Stands(3, 0, birth));
}

TEST_F(HolderTest, ALateWriterIsRefused) {
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(0, 1)});
  EXPECT_FALSE(Enter(Access::kWrite, Granules(0, 1), birth));
}

TEST_F(HolderTest, WhereEnterChecksNoBirthALateWriterTouchesTheNextOwnersMemory) {
  Switch({.check_birth_on_enter = false});
  const uint64_t birth = holder().counter();
  Retire(7, birth, {Granules(0, 1)});
  EXPECT_TRUE(Enter(Access::kWrite, Granules(0, 1), birth));
}

// ---- a change of incarnation --------------------------------------------------------------------

TEST_F(HolderTest, EmptyWithdrawsAllMemoryAndForgetsTheTerm) {
  const uint64_t birth = holder().counter();
  holder().EnterTerm(9);
  holder().Empty();
  for (uint64_t i = 0; i < kGranules; ++i) {
    EXPECT_FALSE(Enter(Access::kRead, Granules(i, 1), birth)) << i;
  }
  EXPECT_GT(holder().counter(), birth);
  EXPECT_EQ(holder().term(), 0u);
  EXPECT_TRUE(Enter(Access::kWrite, Granules(0, kGranules), holder().counter()));
}

TEST_F(HolderTest, EmptyStampsNoMemoryThatWasNeverGranted) {
  Holder lender;
  lender.AddSegment(3, kSize, kGranule, words_, 0);
  lender.RaiseGranted(3, 2 * kGranule);
  const uint64_t birth = lender.counter();
  lender.Empty();
  EXPECT_FALSE(lender.Enter(3, Access::kWrite, kGranule, kGranule, kGranule, birth));
  EXPECT_TRUE(lender.Enter(3, Access::kWrite, 2 * kGranule, 2 * kGranule, kGranule, birth));
  EXPECT_GT(lender.counter(), birth);
}

TEST_F(HolderTest, EmptyingNothingStillMakesBirthsToComeNewer) {
  Holder lender;
  lender.AddSegment(3, kSize, kGranule, words_, 0);
  const uint64_t birth = lender.counter();
  lender.Empty();
  EXPECT_GT(lender.counter(), birth);
}

TEST_F(HolderTest, WhatIsTouchedBeyondAPointIsNamed) {
  const uint64_t birth = holder().counter();
  EXPECT_FALSE(holder().TouchedFrom(3, 0));
  ASSERT_TRUE(Enter(Access::kRead, Granules(1, 1), birth));
  EXPECT_TRUE(holder().TouchedFrom(3, 0));
  EXPECT_TRUE(holder().TouchedFrom(3, 2 * kGranule - 1));
  EXPECT_FALSE(holder().TouchedFrom(3, 2 * kGranule));
  Leave(Access::kRead, Granules(1, 1), birth);
  EXPECT_FALSE(holder().TouchedFrom(3, 0));
}

TEST_F(HolderTest, AfterEmptyRunningAccessesAreWaitedForAndOldOrdersAreClosed) {
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(Enter(Access::kWrite, Granules(0, 1), birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7");
  holder().Empty();
  EXPECT_FALSE(holder().idle());
  EXPECT_FALSE(holder().Stands(3, 0, birth));
  EXPECT_EQ(Leave(Access::kWrite, Granules(0, 1), birth), "");
  EXPECT_TRUE(holder().idle());
}

TEST_F(HolderTest, AnOrderFromBeforeEmptyStampsNothing) {
  const uint64_t birth = holder().counter();
  holder().Empty();
  const uint64_t next_birth = holder().counter();
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7f7");
  EXPECT_TRUE(Enter(Access::kRead, Granules(0, 1), next_birth));
}

TEST_F(HolderTest, SegmentsShareTheCounterAndNothingElse) {
  std::array<Word, kGranules> more_words{};
  holder().AddSegment(4, kSize, kGranule, more_words);
  const uint64_t birth = holder().counter();
  ASSERT_TRUE(holder().Enter(4, Access::kRead, 0, 0, 1, birth));
  EXPECT_EQ(Retire(7, birth, {Granules(0, 1)}), "w7f7");
  EXPECT_TRUE(holder().Stands(4, 0, birth));
}

}  // namespace
}  // namespace kvstore::client
