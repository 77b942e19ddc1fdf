#include "client/ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/get.h"
#include "client/put.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::Failed;
using testing::FakePool;
using testing::InDoubt;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using transfer::Completion;
using transfer::Copy;

constexpr Incarnation kSelf{7, 7};

// ---- which pieces there are ---------------------------------------------------------------------

class AheadTest : public ::testing::Test {
 protected:
  AheadTest() { pool_.master.ahead_bytes = 4 * kDefaultGranule; }

  std::vector<Ahead::Piece> Take(std::vector<uint64_t> sizes, const Incarnation& self = kSelf) {
    return ahead_.Take(sizes, self, pool_.clock, pool_.clock.Now() + seconds(1));
  }
  // The first of a writer's puts in a while.
  void Begin() { EXPECT_THAT(Take({1}), IsEmpty()); }

  FakePool pool_;
  Ahead ahead_{pool_.master};
};

TEST_F(AheadTest, WhoPutsSeldomHoldsNoMemory) {
  Begin();
  pool_.clock.Advance(seconds(2));
  EXPECT_THAT(Take({1}), IsEmpty());
  EXPECT_THAT(pool_.master.aheads, IsEmpty());
  EXPECT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(1));
}

TEST_F(AheadTest, EachPieceIsWholeGranulesAndTakenOnce) {
  Begin();
  const std::vector<Ahead::Piece> two = Take({0, 4097});
  ASSERT_THAT(two, SizeIs(2));
  const uint64_t begin = two[0].name.offset;
  EXPECT_EQ(two[0].name, (GrantPiece{1, 1, begin, 4096}));
  EXPECT_EQ(two[1].name, (GrantPiece{1, 1, begin + 4096, 8192}));
  EXPECT_THAT(two[1].replica.ranges, ElementsAre(Range{begin + 4096, 8192}));
  ahead_.Left(two, Ahead::End::kUsed);
  const std::vector<Ahead::Piece> last = Take({1});
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_EQ(last[0].name.offset, begin + 3 * 4096);
  EXPECT_THAT(pool_.master.aheads, SizeIs(1));
}

TEST_F(AheadTest, WhatIsTooShortIsGivenBackWithTheNextOnceNothingIsWrittenThere) {
  Begin();
  const std::vector<Ahead::Piece> first = Take({1});
  const std::vector<Ahead::Piece> second = Take({4 * kDefaultGranule});
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_THAT(pool_.master.aheads[1].done, IsEmpty());
  ahead_.Left(first, Ahead::End::kUsed);
  ahead_.Left(second, Ahead::End::kUsed);
  ASSERT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads[2].done, ElementsAre(1));  // the second is used up
}

TEST_F(AheadTest, WhatIsInDoubtIsNotGivenBackAndNotTakenFrom) {
  Begin();
  const std::vector<Ahead::Piece> first = Take({1});
  ahead_.Left(first, Ahead::End::kInDoubt);
  const std::vector<Ahead::Piece> second = Take({1});
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_NE(second[0].name.grant, first[0].name.grant);
  EXPECT_THAT(pool_.master.aheads[1].done, IsEmpty());
  const std::vector<Ahead::Piece> other = Take({1});
  ahead_.Left(second, Ahead::End::kInDoubt);
  ahead_.Left(other, Ahead::End::kUsed);
  ASSERT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads[2].done, IsEmpty());
}

TEST_F(AheadTest, AGrantThatHasEndedIsNotTakenFrom) {
  Begin();
  ahead_.Left(Take({1}), Ahead::End::kRefused);
  ASSERT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));
}

TEST_F(AheadTest, NorIsOneThatIsAboutToEndOrThatAnotherIncarnationWasGiven) {
  pool_.master.ahead_grant = seconds(4);
  Begin();
  ahead_.Left(Take({1}), Ahead::End::kUsed);
  for (int i = 0; i < 4; ++i) {
    pool_.clock.Advance(milliseconds(800));
    ahead_.Left(Take({1}), Ahead::End::kUsed);
  }
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));
  ASSERT_THAT(Take({1}, {8, 8}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(3));
}

TEST_F(AheadTest, AMasterThatRefusesIsLeftInPeaceForAWhile) {
  pool_.master.ahead_bytes = 0;
  Begin();
  EXPECT_THAT(Take({1}), IsEmpty());
  EXPECT_THAT(Take({1}), IsEmpty());
  EXPECT_THAT(pool_.master.aheads, SizeIs(1));
  pool_.clock.Advance(milliseconds(600));
  pool_.master.ahead_bytes = 4 * kDefaultGranule;
  EXPECT_THAT(Take({1}), SizeIs(1));
}

TEST_F(AheadTest, AMasterThatGoesOnRefusingIsAskedLessAndLess) {
  pool_.master.ahead_bytes = 0;
  const auto take_for = [this](int half_seconds) {
    for (int i = 0; i < half_seconds; ++i) {
      pool_.clock.Advance(milliseconds(500));
      EXPECT_THAT(Take({1}), IsEmpty());
    }
  };
  Begin();
  take_for(120);
  EXPECT_THAT(pool_.master.aheads, SizeIs(7));  // after 0.5, 1, 1.5, 2.5, 4.5, ... s
  take_for(128);
  EXPECT_THAT(pool_.master.aheads, SizeIs(9));  // every 32 s from then on
  // Once it gives some again, it is asked as before.
  pool_.clock.Advance(seconds(32));
  pool_.master.ahead_bytes = 4 * kDefaultGranule;
  Begin();
  ASSERT_THAT(Take({1}), SizeIs(1));
  pool_.master.ahead_bytes = 0;
  EXPECT_THAT(Take({4 * kDefaultGranule}), IsEmpty());
  pool_.clock.Advance(milliseconds(600));
  EXPECT_THAT(Take({4 * kDefaultGranule}), IsEmpty());
  EXPECT_THAT(pool_.master.aheads, SizeIs(12));
  EXPECT_THAT(Take({1}), SizeIs(1));  // of what is left of the one that was too short
}

TEST_F(AheadTest, TheNextIsAskedForWhileTheLastPiecesOfOneAreWritten) {
  Begin();
  const auto look_ahead = [this] { ahead_.LookAhead(kSelf, pool_.clock); };
  look_ahead();  // there is none yet
  EXPECT_THAT(pool_.master.aheads, IsEmpty());
  const std::vector<Ahead::Piece> first = Take({2 * kDefaultGranule});
  look_ahead();  // there is room for as much
  EXPECT_THAT(pool_.master.aheads, SizeIs(1));
  const std::vector<Ahead::Piece> second = Take({2 * kDefaultGranule});
  look_ahead();
  look_ahead();
  ASSERT_THAT(pool_.master.aheads, SizeIs(2));
  const std::vector<Ahead::Piece> third = Take({2 * kDefaultGranule});
  ASSERT_THAT(third, SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));
  EXPECT_NE(third[0].name.grant, second[0].name.grant);
}

TEST_F(AheadTest, WhoHasLessTimeThanAQuestionMayTakeDoesNotWaitForOne) {
  Begin();
  ASSERT_THAT(Take({4 * kDefaultGranule}), SizeIs(1));
  ahead_.LookAhead(kSelf, pool_.clock);
  const std::vector<uint64_t> sizes = {1};
  const TimePoint soon = pool_.clock.Now() + milliseconds(200);
  EXPECT_THAT(ahead_.Take(sizes, kSelf, pool_.clock, soon), IsEmpty());
  EXPECT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));
}

TEST_F(AheadTest, NorAsksOneSoThatNoMasterIsTakenToRefuseThatHadNoTime) {
  Begin();
  const std::vector<uint64_t> sizes = {1};
  EXPECT_THAT(ahead_.Take(sizes, kSelf, pool_.clock, pool_.clock.Now() + milliseconds(5)),
              IsEmpty());
  EXPECT_THAT(pool_.master.aheads, IsEmpty());
  EXPECT_THAT(Take({1}), SizeIs(1));
}

TEST_F(AheadTest, WhatWasAskedForAndNeverTakenIsLeftAloneWhenItIsAboutToEnd) {
  pool_.master.ahead_grant = seconds(4);
  Begin();
  ahead_.Left(Take({4 * kDefaultGranule}), Ahead::End::kUsed);
  ahead_.LookAhead(kSelf, pool_.clock);
  pool_.clock.Advance(seconds(5));
  Begin();
  ASSERT_THAT(Take({1}), IsEmpty());
  ASSERT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(pool_.master.aheads, SizeIs(3));
}

TEST_F(AheadTest, WhoUsesThemUpWithinASecondIsGivenLongerOnes) {
  Begin();
  const std::vector<uint64_t> all = {4 * kDefaultGranule};
  for (int i = 0; i < 3; ++i) ahead_.Left(Take(all), Ahead::End::kUsed);
  for (int i = 0; i < 2; ++i) {
    pool_.clock.Advance(milliseconds(600));
    ahead_.Left(Take({1}), Ahead::End::kUsed);
  }
  pool_.clock.Advance(milliseconds(600));
  ahead_.Left(Take(all), Ahead::End::kUsed);
  std::vector<uint64_t> asked;
  for (const GrantAhead& ahead : pool_.master.aheads) asked.push_back(ahead.bytes >> 10);
  EXPECT_THAT(asked, ElementsAre(64, 128, 256, 512, 512));
}

TEST_F(AheadTest, WhoIsRefusedMuchIsGivenLittleAllTheSame) {
  Begin();
  EXPECT_THAT(Take({2u << 20}), IsEmpty());
  EXPECT_THAT(Take({1}), SizeIs(1));
  EXPECT_THAT(Take({2u << 20}), IsEmpty());
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));
}

// ---- puts in pieces -----------------------------------------------------------------------------

class PutAheadTest : public AheadTest {
 protected:
  PutAheadTest() {
    pool_.parts.ahead = &ahead_;
    EXPECT_EQ(Put("the first of a while"), Status::Ok());
    pool_.master.started = {};
    pool_.master.commits.clear();
  }

  Status Put(const std::string& key, const PutOptions& options = {}) {
    const ConstPiece piece{key.data(), key.size()};
    const PutItem item{key, {&piece, 1}};
    return PutObjects(pool_.parts, {&item, 1}, options)[0];
  }
  std::string Read(const std::string& key) {
    std::string value(100, '\0');
    const Piece piece{value.data(), value.size()};
    const GetItem item{key, {&piece, 1}};
    GetCounters counters;
    const auto results = GetObjects(pool_.parts, {&item, 1}, seconds(1), {}, &counters);
    value.resize(results[0].status.ok() ? results[0].size : 0);
    return value;
  }
  // Puts as many small objects with one call.
  std::vector<Status> PutMany(size_t count, const PutOptions& options = {}) {
    std::vector<std::string> values;
    for (size_t i = 0; i < count; ++i) values.push_back("value-" + std::to_string(i));
    std::vector<ConstPiece> pieces;
    for (const std::string& value : values) pieces.push_back({value.data(), value.size()});
    std::vector<PutItem> items;
    for (size_t i = 0; i < count; ++i) items.push_back({values[i], {&pieces[i], 1}, 0});
    return PutObjects(pool_.parts, items, options);
  }
  size_t started() const { return pool_.master.started.keys.size(); }
};

TEST_F(PutAheadTest, ASmallPutIsOneMessage) {
  PutOptions options;
  options.durable = true;
  EXPECT_EQ(Put("a", options), Status::Ok());
  EXPECT_EQ(Put("b"), Status::Ok());
  EXPECT_EQ(Read("a") + Read("b"), "ab");
  EXPECT_EQ(started(), 0u);
  EXPECT_THAT(pool_.master.aheads, SizeIs(1));
  ASSERT_THAT(pool_.master.commits, SizeIs(2));
  EXPECT_TRUE(pool_.master.commits[0].put.durable);
  EXPECT_EQ(pool_.master.commits[0].put.keys[0], "a");
  EXPECT_EQ(pool_.master.commits[0].put.sequences, pool_.master.commits[0].sequences);
}

TEST_F(PutAheadTest, ABatchOfSmallOnesIsToo) {
  const std::vector<PutItem> items = {{"a", {}, 0}, {"b", {}, 3}};
  EXPECT_THAT(PutObjects(pool_.parts, items, {}), ElementsAre(Status::Ok(), Status::Ok()));
  EXPECT_EQ(started(), 0u);
  EXPECT_THAT(pool_.master.commits[0].put.positions, ElementsAre(0, 3));
  EXPECT_THAT(pool_.master.commits[0].pieces, SizeIs(2));
}

TEST_F(PutAheadTest, ALargeBatchIsCommittedInPartsWhileItIsCopied) {
  pool_.master.ahead_bytes = 1u << 20;
  EXPECT_THAT(PutMany(200), Each(Status::Ok()));
  EXPECT_EQ(started(), 0u);
  ASSERT_THAT(pool_.master.commits, SizeIs(2));
  EXPECT_THAT(pool_.master.commits[0].sequences, SizeIs(128));
  EXPECT_THAT(pool_.master.commits[1].sequences, SizeIs(72));
  EXPECT_EQ(pool_.master.commits[1].put.keys[0], "value-128");
  EXPECT_EQ(Read("value-127") + Read("value-128"), "value-127value-128");
}

TEST_F(PutAheadTest, AHolderThatIsSilentIsGivenUpOnceHoweverLongTheBatch) {
  pool_.master.ahead_bytes = 2u << 20;
  size_t runs = 0;
  pool_.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
    if (copy.peer != 0) return std::nullopt;
    if (std::exchange(runs, pool_.engine.stalls.size()) != pool_.engine.stalls.size()) {
      pool_.clock.Advance(pool_.engine.stalls.back());
    }
    return InDoubt(UnavailableError("no sign of life"));
  };
  pool_.master.complain = [this](const ReportFailures&) { pool_.master.first_node = 1; };
  const TimePoint began = pool_.clock.Now();
  PutOptions options;
  options.timeout = seconds(3);
  EXPECT_THAT(PutMany(300, options), Each(Status::Ok()));
  EXPECT_LT(pool_.clock.Now() - began, seconds(2));
  EXPECT_EQ(pool_.engine.copies, 1 + 128 + 300u);
}

TEST_F(PutAheadTest, WhatWasCalledBackIsNotCopiedToTheEnd) {
  pool_.master.ahead_bytes = 2u << 20;
  size_t commits = 0;
  pool_.master.commit = [&commits](uint64_t) {
    return commits++ < 128 ? NotFoundError("of no grant ahead") : Status::Ok();
  };
  EXPECT_THAT(PutMany(300), Each(Status::Ok()));
  ASSERT_THAT(pool_.master.commits, SizeIs(2));
  EXPECT_THAT(pool_.master.commits[0].pieces, SizeIs(128));
  EXPECT_EQ(started(), 300u);
}

TEST_F(PutAheadTest, WhoseKeysAreTakenIsToldSoBeforeMuchIsCopiedTheNextTime) {
  pool_.master.ahead_bytes = 4u << 20;
  pool_.master.commit = [](uint64_t) { return AlreadyExistsError("taken"); };
  const std::string much((1u << 20) + 1, 'x');
  EXPECT_EQ(Put(much), AlreadyExistsError("taken"));
  EXPECT_EQ(started(), 0u);
  EXPECT_EQ(Put("little"), AlreadyExistsError("taken"));
  EXPECT_EQ(started(), 0u);
  EXPECT_EQ(Put(much), AlreadyExistsError("taken"));
  EXPECT_EQ(started(), 1u);
  pool_.clock.Advance(seconds(1));
  EXPECT_EQ(Put(much), AlreadyExistsError("taken"));
  EXPECT_THAT(pool_.master.commits.back().pieces, SizeIs(1));
}

TEST_F(PutAheadTest, WhatLiesElsewhereOrTwiceOrIsLargeIsStarted) {
  PutOptions replicas;
  replicas.replicas = 2;
  EXPECT_EQ(Put("a", replicas), Status::Ok());
  PutOptions spread;
  spread.placement = Placement::kSpread;
  EXPECT_EQ(Put("b", spread), Status::Ok());
  PutOptions preferred;
  preferred.preferred_nodes = {"node-1"};
  EXPECT_EQ(Put("c", preferred), Status::Ok());
  const std::string large((32u << 20) + 1, 'x');
  pool_.master.refused[large] = ResourceExhaustedError("full");
  EXPECT_EQ(Put(large), ResourceExhaustedError("full"));
  EXPECT_THAT(pool_.master.aheads, IsEmpty());
}

TEST_F(PutAheadTest, WhereThereIsNoPieceAPutIsStarted) {
  pool_.master.ahead_bytes = 0;
  EXPECT_EQ(Put("a"), Status::Ok());
  EXPECT_EQ(started(), 1u);
  EXPECT_EQ(Read("a"), "a");
}

TEST_F(PutAheadTest, OneThatCouldNotBeWrittenIsStartedAndTheMasterNeverHearsOfTheFirst) {
  int copies = 0;
  pool_.engine.instead = [&copies](const Copy&) -> std::optional<Completion> {
    if (copies++ > 0) return std::nullopt;
    return Failed(AbortedError("the memory has a new owner"));
  };
  EXPECT_EQ(Put("a"), Status::Ok());
  EXPECT_EQ(started(), 1u);
  EXPECT_THAT(pool_.master.commits, SizeIs(1));
  EXPECT_THAT(pool_.master.commits[0].pieces, IsEmpty());
  EXPECT_THAT(pool_.master.aborts, IsEmpty());
  EXPECT_EQ(Put("b"), Status::Ok());
  EXPECT_THAT(pool_.master.aheads, SizeIs(2));  // the first has ended
}

TEST_F(PutAheadTest, OneThatIsCopiedForLongerThanItsGrantHadLeftIsStarted) {
  pool_.master.ahead_bytes = 3u << 20;
  pool_.master.ahead_grant = seconds(10);
  const std::string much(1u << 20, 'x');
  const ConstPiece piece{much.data(), much.size()};
  const auto put = [&](const std::string& key) {
    const PutItem item{key, {&piece, 1}};
    return PutObjects(pool_.parts, {&item, 1}, {})[0];
  };
  EXPECT_EQ(put("a"), Status::Ok());
  for (int i = 0; i < 8; ++i) {
    pool_.clock.Advance(milliseconds(900));
    EXPECT_EQ(Put("small" + std::to_string(i)), Status::Ok());
  }
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    const TimePoint end = pool_.clock.Now() + seconds(3);
    const TimePoint until = pool_.engine.deadlines.back();
    pool_.clock.AdvanceTo(std::min(end, until));
    if (end <= until) return std::nullopt;
    return Failed(DeadlineExceededError("too slow"));
  };
  EXPECT_EQ(started(), 0u);
  EXPECT_EQ(put("b"), Status::Ok());
  EXPECT_EQ(started(), 1u);
}

TEST_F(PutAheadTest, NothingIsCommittedOrSaidOfOneInDoubt) {
  pool_.engine.instead = [](const Copy&) { return InDoubt(DeadlineExceededError("no answer")); };
  EXPECT_EQ(Put("a").code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(pool_.master.commits, IsEmpty());
  EXPECT_THAT(pool_.master.aborts, IsEmpty());
}

TEST_F(PutAheadTest, OneWhoseGrantWasCalledBackIsStartedAndWhatComesOfThatIsTheAnswer) {
  pool_.master.commit = [](uint64_t) { return NotFoundError("of no grant ahead"); };
  pool_.master.refused["a"] = ResourceExhaustedError("full");
  EXPECT_EQ(Put("a"), ResourceExhaustedError("full"));
  ASSERT_THAT(pool_.master.aborts, SizeIs(1));  // of the second, which may yet be granted
  EXPECT_EQ(pool_.master.aborts[0].sequences, pool_.master.started.sequences);
}

TEST_F(PutAheadTest, OneWhoseGrantWasCalledBackWithNoTimeLeftIsAborted) {
  pool_.master.commit = [this](uint64_t) {
    pool_.clock.Advance(seconds(30));
    return NotFoundError("of no grant ahead");
  };
  EXPECT_EQ(Put("a"), AbortedError("of no grant ahead"));
  EXPECT_EQ(started(), 0u);
}

TEST_F(PutAheadTest, OneThatAnotherMasterKnowsNothingOfMayHaveBeenSeen) {
  pool_.master.commit = [](uint64_t) { return AbortedError("begin again"); };
  pool_.master.refused["a"] = ResourceExhaustedError("full");
  EXPECT_EQ(Put("a").code(), StatusCode::kDeadlineExceeded);
}

TEST_F(PutAheadTest, AKeyThatIsTakenIsTheAnswer) {
  pool_.master.commit = [](uint64_t) { return AlreadyExistsError("taken"); };
  EXPECT_EQ(Put("a"), AlreadyExistsError("taken"));
  EXPECT_EQ(started(), 0u);
  EXPECT_THAT(pool_.master.aborts, IsEmpty());
}

TEST_F(PutAheadTest, AGrantThatEndedBeforeItsTurnIsNotUsed) {
  pool_.master.ahead_grant = Duration(0);
  EXPECT_EQ(Put("a"), Status::Ok());
  EXPECT_EQ(started(), 1u);
}

}  // namespace
}  // namespace kvstore::client
