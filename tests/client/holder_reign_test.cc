// What a holder keeps for the next master, and how it meets one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "client/holder.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using transfer::Access;

constexpr uint64_t kGranule = 4096;
constexpr uint64_t kGranules = 16;
constexpr uint64_t kSize = kGranule * kGranules;
constexpr uint32_t kSegment = 3;
constexpr Incarnation kSelf{5, 5};
constexpr TimePoint kNow{seconds(1000)};

Range Granules(uint64_t first, uint64_t count) { return {first * kGranule, count * kGranule}; }

class FakeOutsiders final : public Outsiders {
 public:
  std::vector<Range> Touched(uint32_t segment) override {
    return segment == kSegment ? touched : std::vector<Range>();
  }
  std::vector<Range> touched;
};

// A node that lends one segment to a master of term 1, which is followed by others.
class HolderReignTest : public ::testing::Test {
 protected:
  HolderReignTest() { Switch({}); }

  void Switch(const HolderGuards& guards) {
    holder_.emplace(guards, &others_);
    holder_->AddSegment(kSegment, kSize, kGranule, words_);
    holder_->EnterTerm(1);
  }

  NoteOrder NoteOf(uint64_t put, std::vector<Range> ranges) {
    NoteOrder note;
    note.put = {{1, 1}, put};
    note.segment = kSegment;
    note.birth = holder_->counter();
    note.ranges = std::move(ranges);
    note.key = "key-" + std::to_string(put);
    note.size = 100 + put;
    note.checksum = 7 * put;
    return note;
  }
  // 'k' kept or 'r' refused, with the put's sequence; "" where nothing is said.
  std::string Note(const NoteOrder& note, uint64_t term = 1, TimePoint now = kNow) {
    std::vector<NoteAck> acks;
    holder_->Note({term, {note}}, now, &acks);
    std::string said;
    for (const NoteAck& ack : acks) {
      EXPECT_EQ(ack.segment, note.segment);
      EXPECT_EQ(ack.birth, note.birth);
      EXPECT_EQ(ack.version, note.version);
      said += (ack.kept ? "k" : "r") + std::to_string(ack.put.sequence);
    }
    return said;
  }
  std::string Retire(const PutId& put, uint64_t birth, std::vector<Range> ranges,
                     uint64_t term = 1) {
    std::vector<RetireAck> acks;
    holder_->Retire({term, {RetireOrder{put, kSegment, birth, std::move(ranges)}}}, &acks);
    return Said(acks);
  }
  std::string Retire(const NoteOrder& note, uint64_t term = 1) {
    return Retire(note.put, note.birth, note.ranges, term);
  }
  static std::string Said(const std::vector<RetireAck>& acks) {
    std::string said;
    for (const RetireAck& ack : acks) {
      const bool held = ack.put.writer == kSelf;
      EXPECT_EQ(ack.put.sequence >= kFirstHeldSequence, held);
      said += (ack.stage == RetireStage::kWithdrawn ? "w" : "f");
      said +=
          (held ? "held" : "") + std::to_string(ack.put.sequence - (held ? kFirstHeldSequence : 0));
    }
    return said;
  }

  Report EnterReign(uint64_t term, TimePoint now = kNow) {
    std::optional<ReignReport> report = holder_->EnterReign(kSelf, term, now, told_);
    EXPECT_TRUE(report);
    return report ? std::move(*report).Whole() : Report();
  }

  bool Enter(Range range, uint64_t birth, Access access = Access::kWrite) {
    return holder_->Enter(kSegment, access, range.offset, range.offset, range.length, birth);
  }
  std::string Leave(Range range, uint64_t birth, Access access = Access::kWrite) {
    std::vector<RetireAck> acks;
    holder_->Leave(kSegment, access, range.offset, range.offset, range.length, birth, &acks);
    return Said(acks);
  }
  std::string OutsidersTouchOnly(std::vector<Range> ranges) {
    others_.touched = std::move(ranges);
    std::vector<RetireAck> acks;
    holder_->OthersLeft(kSegment, &acks);
    return Said(acks);
  }

  std::vector<LentSegment> told_{{kSegment, kSize, kGranule, kSize}};
  std::array<Word, kGranules> words_{};
  FakeOutsiders others_;
  std::optional<Holder> holder_;
};

// ---- notes --------------------------------------------------------------------------------------

TEST_F(HolderReignTest, WhatWasNotedIsReportedAsItWas) {
  NoteOrder one = NoteOf(1, {Granules(0, 1), Granules(5, 2)});
  one.replicas = 2;
  one.retention.hard_pin = true;
  one.retention.group = "layer";
  one.retention.position = 9;
  const NoteOrder two = NoteOf(2, {Granules(1, 1)});
  EXPECT_EQ(Note(one), "k1");
  EXPECT_EQ(Note(two), "k2");
  EXPECT_THAT(EnterReign(2).notes, UnorderedElementsAre(one, two));
  EXPECT_EQ(holder_->counters().notes_kept, 2u);
}

TEST_F(HolderReignTest, TheNewerNoteOfAPutCounts) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.retention.hard_pin = true;
  EXPECT_EQ(Note(note), "k1");
  note.retention.hard_pin = false;
  EXPECT_EQ(Note(note), "k1");
  EXPECT_THAT(EnterReign(2).notes, ElementsAre(note));
}

TEST_F(HolderReignTest, AnOlderVersionThatComesLateChangesNothing) {
  NoteOrder older = NoteOf(1, {Granules(0, 1)});
  older.version = 4;
  NoteOrder newer = older;
  newer.version = 5;
  newer.retention.hard_pin = true;
  EXPECT_EQ(Note(newer), "k1");
  EXPECT_EQ(Note(older), "k1");
  newer.version = 0;
  EXPECT_THAT(EnterReign(2).notes, ElementsAre(newer));
}

TEST_F(HolderReignTest, AVersionOfTheLastReignIsOlderThanAnyOfThis) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.version = 1000;
  EXPECT_EQ(Note(note), "k1");
  EnterReign(2);
  note.version = 1;
  note.retention.hard_pin = true;
  EXPECT_EQ(Note(note, /*term=*/2), "k1");
  note.version = 0;
  EXPECT_THAT(EnterReign(3).notes, ElementsAre(note));
}

TEST_F(HolderReignTest, ALaterGrantIsNotedWhateverItsVersion) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.version = 7;
  EXPECT_EQ(Note(note), "k1");
  Retire(NoteOf(2, {Granules(1, 1)}));
  note.birth = holder_->counter();
  note.ranges = {Granules(2, 1)};
  note.version = 0;
  EXPECT_EQ(Note(note), "k1");
  EXPECT_THAT(EnterReign(2).notes, ElementsAre(note));
}

TEST_F(HolderReignTest, DurationsAreToldAsWhatIsLeft) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.retention.soft_pin = seconds(10);
  note.retention.ttl = seconds(100);
  EXPECT_EQ(Note(note), "k1");
  const Retention left = EnterReign(2, kNow + seconds(4)).notes.at(0).retention;
  EXPECT_EQ(left.soft_pin, seconds(6));
  EXPECT_EQ(left.ttl, seconds(96));
}

TEST_F(HolderReignTest, APinThatIsOverIsNone) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.retention.soft_pin = seconds(10);
  EXPECT_EQ(Note(note), "k1");
  const Retention left = EnterReign(2, kNow + seconds(200)).notes.at(0).retention;
  EXPECT_EQ(left.soft_pin, Duration::zero());
  EXPECT_EQ(left.ttl, Duration::zero());
}

// Readers wait for what is reported, and would be answered before it is seen to have expired.
TEST_F(HolderReignTest, WhatHasOutlivedItsTtlIsNotReportedAndItsMemoryIsStamped) {
  NoteOrder note = NoteOf(1, {Granules(0, 1)});
  note.retention.ttl = seconds(100);
  EXPECT_EQ(Note(note), "k1");
  EXPECT_EQ(EnterReign(2, kNow + seconds(99)).notes.at(0).retention.ttl, seconds(1));
  EXPECT_THAT(EnterReign(3, kNow + seconds(100)).notes, IsEmpty());
  EXPECT_FALSE(holder_->Stands(kSegment, note.ranges.front().offset, note.birth));
}

TEST_F(HolderReignTest, NotesGoWithTheirMemory) {
  const NoteOrder note = NoteOf(1, {Granules(0, 2)});
  EXPECT_EQ(Note(note), "k1");
  EXPECT_EQ(Retire(note), "w1f1");
  EXPECT_EQ(holder_->notes(), 0u);
  EXPECT_THAT(EnterReign(2).notes, IsEmpty());
}

TEST_F(HolderReignTest, NotesGoThoughTheirMemoryWasFoundRetired) {
  const NoteOrder note = NoteOf(1, {Granules(0, 2)});
  EXPECT_EQ(Note(note), "k1");
  for (uint64_t i = 0; i < 2; ++i) words_[i].store(note.birth + 1);
  EXPECT_EQ(Retire(note), "w1f1");
  EXPECT_EQ(holder_->notes(), 0u);
}

TEST_F(HolderReignTest, ALateNoteOfRetiredMemoryIsRefused) {
  const NoteOrder note = NoteOf(1, {Granules(0, 2)});
  EXPECT_EQ(Retire(note), "w1f1");
  EXPECT_EQ(Note(note), "r1");
  EXPECT_THAT(EnterReign(2).notes, IsEmpty());
  EXPECT_EQ(holder_->counters().notes_refused, 1u);
}

TEST_F(HolderReignTest, WhereLateNotesAreKeptARemovedObjectComesBack) {
  Switch({.note_refused_when_retired = false});
  const NoteOrder note = NoteOf(1, {Granules(0, 2)});
  EXPECT_EQ(Retire(note), "w1f1");
  EXPECT_EQ(Note(note), "k1");
  EXPECT_THAT(EnterReign(2).notes, ElementsAre(note));
}

TEST_F(HolderReignTest, NotesOutOfBoundsAreRefused) {
  NoteOrder note = NoteOf(1, {});
  EXPECT_EQ(Note(note), "r1");
  note.ranges = {Granules(kGranules, 1)};
  EXPECT_EQ(Note(note), "r1");
  note.ranges = {{1, kGranule}};
  EXPECT_EQ(Note(note), "r1");
  note = NoteOf(1, {Granules(0, 1)});
  ++note.birth;  // that it never told
  EXPECT_EQ(Note(note), "r1");
  note = NoteOf(1, {Granules(0, 1)});
  note.segment = kSegment + 1;
  EXPECT_EQ(Note(note), "r1");
  EXPECT_EQ(holder_->notes(), 0u);
}

TEST_F(HolderReignTest, ADeposedMastersNotesAreNotKeptAndNothingIsSaidOfThem) {
  const NoteOrder note = NoteOf(1, {Granules(0, 1)});
  holder_->EnterTerm(2);
  EXPECT_EQ(Note(note, 1), "");
  EXPECT_EQ(holder_->notes(), 0u);
}

TEST_F(HolderReignTest, AnOlderGrantToTheSamePutTakesNothingFromTheNewer) {
  const NoteOrder moved_away = NoteOf(1, {Granules(0, 1)});
  ASSERT_EQ(Retire({{8, 8}, 1}, holder_->counter(), {Granules(9, 1)}), "w1f1");
  const NoteOrder came_back = NoteOf(1, {Granules(2, 1)});
  ASSERT_GT(came_back.birth, moved_away.birth);
  EXPECT_EQ(Note(came_back), "k1");
  EXPECT_EQ(Note(moved_away), "r1");
  EXPECT_EQ(Retire(moved_away), "w1f1");
  EXPECT_THAT(EnterReign(2).notes, ElementsAre(came_back));
}

TEST_F(HolderReignTest, AnEmptiedNodeHasNothingNoted) {
  EXPECT_EQ(Note(NoteOf(1, {Granules(0, 1)})), "k1");
  holder_->Empty();
  EXPECT_EQ(holder_->notes(), 0u);
  EXPECT_THAT(EnterReign(1).notes, IsEmpty());
}

// ---- a new reign --------------------------------------------------------------------------------

TEST_F(HolderReignTest, WhatIsNotNotedIsStampedInOneStepAndWhatIsStaysAsItWas) {
  const NoteOrder note = NoteOf(1, {Granules(1, 1), Granules(4, 3)});
  ASSERT_EQ(Note(note), "k1");
  const Report report = EnterReign(2);
  EXPECT_EQ(report.term, 2u);
  EXPECT_EQ(report.counter, note.birth + 1);
  EXPECT_EQ(holder_->counter(), report.counter);
  for (uint64_t i = 0; i < kGranules; ++i) {
    const bool noted = i == 1 || (4 <= i && i < 7);
    EXPECT_EQ(words_[i].load(), noted ? 0 : report.counter) << i;
  }
  EXPECT_TRUE(holder_->Stands(kSegment, note.ranges[0].offset, note.birth));
}

TEST_F(HolderReignTest, AWriterOfTheTermBeforeIsCutOff) {
  const uint64_t birth = holder_->counter();
  EnterReign(2);
  EXPECT_FALSE(Enter(Granules(2, 1), birth));
  EXPECT_TRUE(Enter(Granules(2, 1), holder_->counter()));
}

TEST_F(HolderReignTest, WhereNothingIsStampedAWriterOfTheTermBeforeMeetsTheNextOwner) {
  Switch({.stamp_unnamed_on_reign = false});
  const uint64_t birth = holder_->counter();
  EnterReign(2);
  EXPECT_TRUE(Enter(Granules(2, 1), birth));
}

TEST_F(HolderReignTest, MemoryThatWasNeverGrantedIsNotStamped) {
  Holder lender;
  lender.AddSegment(kSegment, kSize, kGranule, words_, 2 * kGranule);
  EXPECT_TRUE(lender.EnterReign(kSelf, 2, kNow, told_));
  EXPECT_GT(words_[1].load(), 0u);
  EXPECT_EQ(words_[2].load(), 0u);
}

TEST_F(HolderReignTest, LowerTermsAreRefusedAndChangeNothing) {
  EnterReign(3);
  const uint64_t counter = holder_->counter();
  EXPECT_FALSE(holder_->EnterReign(kSelf, 2, kNow, told_));
  EXPECT_EQ(holder_->counter(), counter);
  EXPECT_EQ(holder_->term(), 3u);
  EXPECT_EQ(Retire({{1, 1}, 1}, counter, {Granules(0, 1)}, 2), "");
}

TEST_F(HolderReignTest, WhatIsTouchedInsideIsHeldUntilItIsLeft) {
  const uint64_t birth = holder_->counter();
  ASSERT_TRUE(Enter(Granules(2, 2), birth));
  const Report report = EnterReign(2);
  EXPECT_THAT(
      report.held,
      ElementsAre(HeldMemory{kFirstHeldSequence, kSegment, report.counter - 1, {Granules(2, 2)}}));
  EXPECT_EQ(Leave(Granules(2, 2), birth), "fheld0");
}

TEST_F(HolderReignTest, WhatIsTouchedOutsideIsHeldInWholeGranules) {
  others_.touched = {{2 * kGranule + 5, 1}, {7 * kGranule - 1, 2}};
  const Report report = EnterReign(2);
  ASSERT_EQ(report.held.size(), 2u);
  EXPECT_THAT(report.held[0].ranges, ElementsAre(Granules(2, 1)));
  EXPECT_THAT(report.held[1].ranges, ElementsAre(Granules(6, 2)));
  EXPECT_EQ(OutsidersTouchOnly({{7 * kGranule, 1}}), "fheld0");
  EXPECT_EQ(OutsidersTouchOnly({}), "fheld1");
}

TEST_F(HolderReignTest, WhereNothingIsHeldMemoryIsLentUnderAWriterThatWasPaused) {
  Switch({.hold_touched_on_reign = false});
  others_.touched = {Granules(2, 1)};
  EXPECT_THAT(EnterReign(2).held, IsEmpty());
}

TEST_F(HolderReignTest, WhatIsReadOfANotedObjectIsNotHeld) {
  const NoteOrder note = NoteOf(1, {Granules(2, 2)});
  ASSERT_EQ(Note(note), "k1");
  ASSERT_TRUE(Enter(Granules(2, 2), note.birth, Access::kRead));
  others_.touched = {Granules(2, 1), Granules(3, 2)};
  const Report report = EnterReign(2);
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_THAT(report.held[0].ranges, ElementsAre(Granules(4, 1)));
  // Retired by the new master it is waited for as ever.
  EXPECT_EQ(Retire(note, 2), "w1");
  EXPECT_EQ(OutsidersTouchOnly({}), "fheld0");
  EXPECT_EQ(Leave(Granules(2, 2), note.birth, Access::kRead), "f1");
}

TEST_F(HolderReignTest, NothingIsHeldBeyondWhatIsToldAsReady) {
  others_.touched = {Granules(1, 4)};
  told_[0].ready = 3 * kGranule;
  const Report report = EnterReign(2);
  ASSERT_EQ(report.segments.size(), 1u);
  EXPECT_EQ(report.segments[0].ready, 3 * kGranule);
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_THAT(report.held[0].ranges, ElementsAre(Granules(1, 2)));
  EXPECT_GT(words_[4].load(), 0u) << "stamped all the same";
  told_.clear();
  EXPECT_THAT(EnterReign(3).held, IsEmpty());
}

TEST_F(HolderReignTest, ARepeatedOrderForHeldMemoryIsConfirmedAgain) {
  others_.touched = {Granules(2, 1)};
  const HeldMemory held = EnterReign(2).held.at(0);
  const PutId put{kSelf, held.sequence};
  EXPECT_EQ(Retire(put, held.birth, held.ranges, 2), "wheld0");
  EXPECT_EQ(OutsidersTouchOnly({}), "fheld0");
  EXPECT_EQ(Retire(put, held.birth, held.ranges, 2), "wheld0fheld0");
  EXPECT_GT(holder_->counters().retired_again, 0u);
}

TEST_F(HolderReignTest, WhatAnEarlierTermWaitedForIsHeldAndNoLongerThatTerms) {
  const uint64_t birth = holder_->counter();
  ASSERT_TRUE(Enter(Granules(2, 1), birth));
  ASSERT_EQ(Retire({{1, 1}, 7}, birth, {Granules(2, 2)}), "w7");
  const Report report = EnterReign(2);
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_THAT(report.held[0].ranges, ElementsAre(Granules(2, 1)));  // the rest is free
  EXPECT_EQ(Leave(Granules(2, 1), birth), "fheld0");                // not f7, which nobody awaits
}

TEST_F(HolderReignTest, ASecondReportOfOneTermStandsForTheFirst) {
  const NoteOrder note = NoteOf(1, {Granules(0, 1)});
  ASSERT_EQ(Note(note), "k1");
  others_.touched = {Granules(2, 1)};
  const Report first = EnterReign(2);
  const Report second = EnterReign(2);
  EXPECT_EQ(second.notes, first.notes);
  EXPECT_GT(second.counter, first.counter);
  ASSERT_EQ(second.held.size(), 1u);
  EXPECT_NE(second.held[0].sequence, first.held[0].sequence);
  EXPECT_EQ(second.held[0].ranges, first.held[0].ranges);
  EXPECT_EQ(OutsidersTouchOnly({}), "fheld1");  // once, under the name told last
}

TEST_F(HolderReignTest, AnEmptiedNodeReportsWhatIsStillTouched) {
  const NoteOrder note = NoteOf(1, {Granules(0, 2)});
  ASSERT_EQ(Note(note), "k1");
  ASSERT_TRUE(Enter(Granules(0, 2), note.birth, Access::kRead));
  holder_->Empty();
  const Report report = EnterReign(1);
  EXPECT_THAT(report.notes, IsEmpty());
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_THAT(report.held[0].ranges, ElementsAre(Granules(0, 2)));
  EXPECT_EQ(Leave(Granules(0, 2), note.birth, Access::kRead), "fheld0");
}

TEST_F(HolderReignTest, HeldMemoryIsOfEachSegment) {
  std::array<Word, kGranules> more_words{};
  holder_->AddSegment(4, kSize, kGranule, more_words);
  told_.push_back({4, kSize, kGranule, kSize});
  const uint64_t birth = holder_->counter();
  ASSERT_TRUE(holder_->Enter(4, Access::kWrite, 0, 0, 1, birth));
  others_.touched = {Granules(1, 1)};
  const Report report = EnterReign(2);
  ASSERT_EQ(report.held.size(), 2u);
  EXPECT_EQ(report.held[0].segment, kSegment);
  EXPECT_EQ(report.held[1].segment, 4u);
  EXPECT_EQ(more_words[kGranules - 1].load(), report.counter);
}

// ---- sets of ranges -----------------------------------------------------------------------------

TEST(RangeSet, RangesThatMeetOrTouchBecomeOne) {
  const RangeSet set({{10, 5}, {0, 3}, {15, 1}, {12, 10}, {40, 0}});
  EXPECT_THAT(set.ranges(), ElementsAre(Range{0, 3}, Range{10, 12}));
  EXPECT_EQ(set.bytes(), 15u);
}

TEST(RangeSet, GapsAreWhatIsNotThere) {
  EXPECT_THAT(RangeSet().GapsBelow(9).ranges(), ElementsAre(Range{0, 9}));
  const RangeSet set({{0, 2}, {5, 2}, {9, 3}});
  EXPECT_THAT(set.GapsBelow(20).ranges(), ElementsAre(Range{2, 3}, Range{7, 2}, Range{12, 8}));
  EXPECT_THAT(set.GapsBelow(10).ranges(), ElementsAre(Range{2, 3}, Range{7, 2}));
  EXPECT_THAT(set.GapsBelow(6).ranges(), ElementsAre(Range{2, 3}));
  EXPECT_THAT(set.GapsBelow(0).ranges(), IsEmpty());
}

TEST(RangeSet, WhatTwoSetsHaveInCommon) {
  const RangeSet one({{0, 10}, {20, 10}, {40, 1}});
  const RangeSet other({{5, 20}, {28, 1}, {41, 5}});
  EXPECT_THAT(one.CommonWith(other).ranges(), ElementsAre(Range{5, 5}, Range{20, 5}, Range{28, 1}));
  EXPECT_THAT(one.CommonWith(RangeSet()).ranges(), IsEmpty());
}

TEST(RangeSet, GranulesAreWholeAndOnce) {
  const RangeSet set({{1, 1}, {3, 1}, {9, 4}});
  EXPECT_THAT(set.InWholeGranules(4).ranges(), ElementsAre(Range{0, 4}, Range{8, 8}));
}

}  // namespace
}  // namespace kvstore::client
