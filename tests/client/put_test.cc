#include "client/put.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/checksum.h"
#include "client/failures.h"
#include "client/get.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Failed;
using testing::FakePool;
using ::testing::HasSubstr;
using testing::InDoubt;
using transfer::Completion;
using transfer::Copy;

class PutTest : public ::testing::Test {
 protected:
  // A batch of objects, each in one piece.
  std::vector<Status> Put(const std::vector<std::pair<std::string, std::string>>& objects,
                          const PutOptions& options = {}) {
    std::vector<ConstPiece> pieces;
    for (const auto& [key, value] : objects) pieces.push_back({value.data(), value.size()});
    std::vector<PutItem> items;
    for (size_t i = 0; i < objects.size(); ++i) {
      items.push_back({objects[i].first, {&pieces[i], 1}});
    }
    return PutObjects(pool_.parts, items, options);
  }
  Status Put(const std::string& key, const std::string& value, const PutOptions& options = {}) {
    return Put({{key, value}}, options)[0];
  }

  // What a reader gets; "" where it gets nothing.
  std::string Read(const std::string& key, const ReadGuards& guards = {}) {
    std::string value(100'000, '\0');
    const Piece piece{value.data(), value.size()};
    const GetItem item{key, {&piece, 1}};
    GetCounters counters;
    const auto results = GetObjects(pool_.parts, {&item, 1}, seconds(1), guards, &counters);
    value.resize(results[0].status.ok() ? results[0].size : 0);
    return value;
  }

  static std::string Value(size_t size) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 31 + i / 4096);
    return value;
  }

  FakePool pool_;
};

// ---- what the master is asked -------------------------------------------------------------------

TEST_F(PutTest, HowTheObjectIsToBeKeptIsAskedOfTheMaster) {
  PutOptions options;
  options.durable = true;
  options.hard_pin = true;
  options.soft_pin = seconds(2);
  options.ttl = seconds(3);
  options.group = "g";
  EXPECT_EQ(Put("k", "v", options), Status::Ok());
  EXPECT_TRUE(pool_.master.started.durable);
  const Retention wanted{.hard_pin = true, .soft_pin = seconds(2), .ttl = seconds(3), .group = "g"};
  EXPECT_EQ(pool_.master.started.retention, wanted);
  EXPECT_THAT(pool_.master.started.positions, ElementsAre());
}

TEST_F(PutTest, EachItemHasItsPositionWhereAnyIsNamed) {
  const std::vector<PutItem> items = {{"a", {}, 0}, {"b", {}, 7}};
  EXPECT_THAT(PutObjects(pool_.parts, items, {}), ElementsAre(Status::Ok(), Status::Ok()));
  EXPECT_THAT(pool_.master.started.positions, ElementsAre(0, 7));
}

// ---- what is written can be read ----------------------------------------------------------------

TEST_F(PutTest, ACommittedObjectIsReadAsItWasPut) {
  const std::string value = Value(10'000);
  EXPECT_EQ(Put("k", value), Status::Ok());
  EXPECT_EQ(Read("k"), value);
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(PutTest, AnObjectMayLieInSeveralRangesAndComeFromSeveralPieces) {
  pool_.master.granules_per_range = 1;
  const std::string value = Value(10'000);
  const std::vector<ConstPiece> pieces = {
      {value.data(), 3}, {nullptr, 0}, {value.data() + 3, 8000}, {value.data() + 8003, 1997}};
  const PutItem item{"k", pieces};
  EXPECT_EQ(PutObjects(pool_.parts, {&item, 1}, {})[0], Status::Ok());
  EXPECT_EQ(pool_.engine.copies, 3u);
  EXPECT_EQ(Read("k"), value);
}

TEST_F(PutTest, AnEmptyObjectIsCommittedWithoutACopy) {
  const PutItem item{"k", {}};
  EXPECT_EQ(PutObjects(pool_.parts, {&item, 1}, {})[0], Status::Ok());
  EXPECT_EQ(pool_.engine.copies, 0u);
  EXPECT_EQ(pool_.master.commits[0].checksums[0], Checksum({}));
}

TEST_F(PutTest, TheChecksumIsThatOfTheBytes) {
  const std::string value = Value(5000);
  ASSERT_EQ(Put("k", value), Status::Ok());
  const ConstPiece piece{value.data(), value.size()};
  EXPECT_EQ(pool_.master.objects["k"].checksum, Checksum({&piece, 1}));
}

TEST_F(PutTest, AllReplicasAreWritten) {
  PutOptions options;
  options.replicas = 3;
  const std::string value = Value(9000);
  ASSERT_EQ(Put("k", value, options), Status::Ok());
  EXPECT_EQ(pool_.engine.copies, 3u);
  for (const Replica& replica : std::vector(pool_.master.objects["k"].replicas)) {
    pool_.master.objects["k"].replicas = {replica};
    EXPECT_EQ(Read("k"), value);
  }
}

TEST_F(PutTest, OptionsAndSequencesReachTheMaster) {
  PutOptions options;
  options.replace = true;
  options.replicas = 2;
  options.placement = Placement::kSpread;
  options.preferred_nodes = {"node-9"};
  ASSERT_EQ(Put("k", "before", options), Status::Ok());
  Put({{"a", "1"}, {"b", "22"}}, options);
  const StartPut& started = pool_.master.started;
  EXPECT_TRUE(started.replace);
  EXPECT_EQ(started.replicas, 2u);
  EXPECT_EQ(started.placement, Placement::kSpread);
  EXPECT_THAT(started.preferred_nodes, ElementsAre("node-9"));
  EXPECT_THAT(started.sequences, ElementsAre(2, 3));
  EXPECT_THAT(started.sizes, ElementsAre(1, 2));
}

TEST_F(PutTest, AnEmptyBatchAnswersNothing) { EXPECT_TRUE(Put({}, PutOptions()).empty()); }

// ---- waves --------------------------------------------------------------------------------------

TEST_F(PutTest, EachWaveIsCommittedBeforeTheNextIsWaitedFor) {
  pool_.master.items_per_wave = 2;
  std::vector<size_t> committed;
  pool_.master.before_wave = [&] { committed.push_back(pool_.master.objects.size()); };
  const auto statuses = Put({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}});
  for (const Status& status : statuses) EXPECT_EQ(status, Status::Ok());
  EXPECT_THAT(committed, ElementsAre(2, 4, 5));
  EXPECT_EQ(Read("e"), "5");
}

TEST_F(PutTest, OneWaveIsOneBatchOfCopiesAndOneCommit) {
  Put({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_EQ(pool_.engine.deadlines.size(), 1u);
  EXPECT_EQ(pool_.master.commits.size(), 1u);
}

TEST_F(PutTest, RefusedItemsKeepTheMastersReasonAndHoldUpNoOther) {
  pool_.master.refused["b"] = AlreadyExistsError("pending");
  const auto statuses = Put({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1], AlreadyExistsError("pending"));
  EXPECT_EQ(statuses[2], Status::Ok());
  EXPECT_THAT(pool_.master.commits[0].sequences, ElementsAre(1, 3));
  EXPECT_TRUE(pool_.master.aborts.empty());  // it holds nothing
}

TEST_F(PutTest, AStartWithoutAnswerIsAbortedSinceItsGrantMayStillCome) {
  pool_.master.refused["b"] = DeadlineExceededError("no answer");
  const auto statuses = Put({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1].code(), StatusCode::kDeadlineExceeded);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(2));
}

TEST_F(PutTest, AnAnswerThatDoesNotRuleOutALaterGrantIsFollowedByAnAbort) {
  pool_.master.refused["b"] = ResourceExhaustedError("full, asked for twice");
  Put({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(2));
}

// ---- copies that fail ---------------------------------------------------------------------------

TEST_F(PutTest, AFailedCopyIsAbortedAndTheOthersAreCommitted) {
  pool_.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
    if (copy.pieces[0].size != 2) return std::nullopt;
    return Failed(CancelledError("closed"));
  };
  const auto statuses = Put({{"a", "1"}, {"b", "22"}, {"c", "333"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1].code(), StatusCode::kCancelled);
  EXPECT_THAT(statuses[1].message(), HasSubstr("not committed: closed"));
  EXPECT_EQ(statuses[2], Status::Ok());
  EXPECT_THAT(pool_.master.commits[0].sequences, ElementsAre(1, 3));
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(2));
}

TEST_F(PutTest, MemoryThatChangesMeanwhileIsNotCommittedWhereThatIsAskedFor) {
  std::string small = "small";
  std::string large = Value(64 << 10);
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    small[0] = 'S';
    large[1000] = large[1001];
    return std::nullopt;
  };
  const ConstPiece pieces[] = {{small.data(), small.size()}, {large.data(), large.size()}};
  const std::vector<PutItem> items = {{"a", {&pieces[0], 1}}, {"b", {&pieces[1], 1}}};
  PutOptions options;
  options.check_source = true;
  for (const Status& status : PutObjects(pool_.parts, items, options)) {
    EXPECT_EQ(status.code(), StatusCode::kAborted);
    EXPECT_THAT(status.message(), HasSubstr("changed while it was being put"));
  }
  EXPECT_TRUE(pool_.master.commits.empty());
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1, 2));

  pool_.engine.instead = nullptr;
  for (const Status& status : PutObjects(pool_.parts, items, options))
    EXPECT_EQ(status, Status::Ok());
  EXPECT_EQ(Read("a"), "Small");
}

TEST_F(PutTest, NothingIsSaidOfAPutInDoubt) {
  pool_.engine.instead = [](const Copy&) { return InDoubt(CancelledError("closed")); };
  const Status status = Put("k", "value");
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_THAT(status.message(), HasSubstr("when the grant has run out"));
  EXPECT_TRUE(pool_.master.commits.empty());
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(PutTest, OneReplicaInDoubtForbidsTheAbortWhateverBecameOfTheOthers) {
  for (const size_t in_doubt : {0u, 1u, 2u}) {
    FakePool pool;
    pool.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
      if (copy.peer == in_doubt) return InDoubt(CancelledError("closed"));
      if (copy.peer == 1) return Failed(CancelledError("closed"));
      return std::nullopt;
    };
    const ConstPiece piece{"value", 5};
    const PutItem item{"k", {&piece, 1}};
    PutOptions options;
    options.replicas = 3;
    EXPECT_EQ(PutObjects(pool.parts, {&item, 1}, options)[0].code(), StatusCode::kCancelled);
    EXPECT_TRUE(pool.master.commits.empty()) << in_doubt;
    EXPECT_TRUE(pool.master.aborts.empty()) << in_doubt;
  }
}

TEST_F(PutTest, OneFailedReplicaFailsThePut) {
  pool_.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
    if (copy.peer == 1) return Failed(CancelledError("closed"));
    return std::nullopt;
  };
  PutOptions options;
  options.replicas = 2;
  EXPECT_EQ(Put("k", "value", options).code(), StatusCode::kCancelled);
  EXPECT_TRUE(pool_.master.commits.empty());
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(PutTest, AHolderThatCannotBeReachedIsUnavailableAndNothingIsCopied) {
  pool_.master.unknown_peers = {pool_.nodes[1]->peer().incarnation};
  PutOptions options;
  options.replicas = 2;
  EXPECT_EQ(Put("k", "value", options).code(), StatusCode::kUnavailable);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_TRUE(pool_.master.commits.empty());
}

// ---- grants and deadlines -----------------------------------------------------------------------

TEST_F(PutTest, TheGrantCountsFromBeforeAskingPlusTheTimeParked) {
  pool_.master.grant = seconds(5);
  pool_.master.parked["k"] = seconds(3);
  const TimePoint asked_at = pool_.clock.Now();
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_EQ(pool_.engine.deadlines[0], asked_at + seconds(8));
}

TEST_F(PutTest, CopiesEndWithTheShortestGrantOfTheirWave) {
  pool_.master.grant = seconds(5);
  pool_.master.parked["b"] = seconds(3);
  const TimePoint asked_at = pool_.clock.Now();
  Put({{"b", "2"}, {"a", "1"}});
  EXPECT_EQ(pool_.engine.deadlines[0], asked_at + seconds(5));
}

TEST_F(PutTest, CopiesAndCommitsEndWithTheCall) {
  PutOptions options;
  options.timeout = seconds(2);
  const TimePoint asked_at = pool_.clock.Now();
  ASSERT_EQ(Put("k", "value", options), Status::Ok());
  EXPECT_EQ(pool_.engine.deadlines[0], asked_at + seconds(2));
  EXPECT_EQ(pool_.master.commit_deadline, asked_at + seconds(2));
}

TEST_F(PutTest, AGrantThatEndedBeforeItsTurnIsNotUsed) {
  pool_.master.grant = seconds(5);
  pool_.master.items_per_wave = 1;
  pool_.master.before_wave = [&] { pool_.clock.Advance(seconds(5)); };
  const auto statuses = Put({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1].code(), StatusCode::kAborted);
  EXPECT_THAT(statuses[1].message(), HasSubstr("grant ran out"));
  EXPECT_EQ(pool_.engine.copies, 1u);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(2));
}

TEST_F(PutTest, CopiesThatOverrunTheGrantAreAbortedAndThoseThatOverrunTheCallAreLate) {
  pool_.engine.instead = [](const Copy&) { return Failed(DeadlineExceededError("too slow")); };
  pool_.master.grant = seconds(5);
  EXPECT_EQ(Put("k", "value").code(), StatusCode::kAborted);
  PutOptions options;
  options.timeout = seconds(2);
  const Status late = Put("k", "value", options);
  EXPECT_EQ(late.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(late.message(), HasSubstr("not committed"));
  EXPECT_EQ(pool_.master.aborts.size(), 2u);
}

TEST_F(PutTest, GrantsThatComeAfterTheDeadlineAreGivenBack) {
  pool_.master.items_per_wave = 1;
  pool_.master.before_wave = [&] { pool_.clock.Advance(seconds(3)); };
  PutOptions options;
  options.timeout = seconds(2);
  const auto statuses = Put({{"a", "1"}, {"b", "2"}}, options);
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1].code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(PutTest, ATimeoutWithoutEndDoesNotOverflow) {
  PutOptions options;
  options.timeout = Duration::max();
  EXPECT_EQ(Put("k", "value", options), Status::Ok());
}

// ---- commits ------------------------------------------------------------------------------------

TEST_F(PutTest, ACommitWithoutAnswerMayHaveHappenedAndIsNotAborted) {
  pool_.master.commit = [](uint64_t) { return DeadlineExceededError("no answer"); };
  const Status status = Put("k", "value");
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("may have been committed"));
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(PutTest, ACommitThatTheMasterHasNoRoomForIsAborted) {
  pool_.master.commit = [](uint64_t) { return ResourceExhaustedError("too many wait"); };
  EXPECT_EQ(Put("k", "value").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(PutTest, ACommitThatWasNeverSentIsAborted) {
  pool_.master.commit = [](uint64_t) { return UnavailableError("master not reached"); };
  const Status status = Put("k", "value");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("not committed"));
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
}

TEST_F(PutTest, AnyOtherRefusalOfACommitIsTheAnswer) {
  pool_.master.commit = [](uint64_t) { return InvalidArgumentError("another checksum"); };
  EXPECT_EQ(Put("k", "value"), InvalidArgumentError("another checksum"));
  EXPECT_TRUE(pool_.master.aborts.empty());
}

// ---- begun again --------------------------------------------------------------------------------

TEST_F(PutTest, ACommitThatTheNextMasterNeverHeardOfIsBegunAgain) {
  pool_.master.commit = [](uint64_t sequence) {
    return sequence == 1 ? AbortedError("not committed here; begin again") : Status::Ok();
  };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_EQ(Read("k"), "value");
  EXPECT_EQ(pool_.master.objects["k"].put.sequence, 2u);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);  // so that it can't become visible beside the second
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
}

TEST_F(PutTest, OnlyWhatHasEndedIsBegunAgain) {
  pool_.master.commit = [](uint64_t sequence) {
    return sequence == 2 ? AbortedError("not committed here; begin again") : Status::Ok();
  };
  pool_.master.refused["d"] = AlreadyExistsError("taken");
  const auto statuses = Put({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1], Status::Ok());
  EXPECT_EQ(statuses[2], Status::Ok());
  EXPECT_EQ(statuses[3], AlreadyExistsError("taken"));
  EXPECT_THAT(pool_.master.started.sequences, ElementsAre(5));
  EXPECT_EQ(pool_.master.started.keys[0], "b");
  EXPECT_EQ(Read("b"), "2");
  EXPECT_EQ(Read("c"), "3");
}

TEST_F(PutTest, AStartThatHasEndedIsBegunAgain) {
  pool_.master.refused["k"] = AbortedError("this node joined anew");
  pool_.master.abort = [this](uint64_t) {
    pool_.master.refused.clear();
    return Status::Ok();
  };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_EQ(Read("k"), "value");
}

TEST_F(PutTest, AWriteIntoMemoryThatWasTakenBackIsBegunAgain) {
  int copies = 0;
  pool_.engine.after_bytes = [&](const Copy& copy) {  // that of the first is taken away under it
    if (copies++ > 0) return;
    pool_.nodes[copy.peer]->Retire({{{}, copy.region}, copy.guard->birth, {{copy.offset, 4096}}});
  };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_EQ(Read("k"), "value");
  EXPECT_THAT(pool_.master.commits[0].sequences, ElementsAre(2));
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
}

TEST_F(PutTest, AHolderThatJoinedAnewHasLostTheGrantAndThePutIsBegunAgain) {
  int failed = 0;
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    if (failed++ > 0) return std::nullopt;
    return Failed(NotFoundError("no region 1"));
  };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
}

TEST_F(PutTest, BeginningAgainEndsWithTheCallAndIsNotATightLoop) {
  pool_.engine.instead = [](const Copy&) { return Failed(AbortedError("retired")); };
  const TimePoint asked_at = pool_.clock.Now();
  const Status status = Put("k", "value", {.timeout = seconds(20)});
  EXPECT_EQ(status.code(), StatusCode::kAborted);
  EXPECT_THAT(status.message(), HasSubstr("not committed: retired"));
  EXPECT_TRUE(pool_.master.commits.empty());
  EXPECT_GT(pool_.clock.Now() - asked_at, seconds(18));
  EXPECT_LE(pool_.clock.Now() - asked_at, seconds(20));
  EXPECT_LT(pool_.master.aborts.size(), 40u);
  EXPECT_GT(pool_.master.aborts.size(), 10u);
}

TEST_F(PutTest, APutInDoubtIsBegunAgainInItsPlaceWhereItsMemoryWasTakenBack) {
  int copies = 0;
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    if (copies++ > 0) return std::nullopt;
    return InDoubt(AbortedError("retired"));
  };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_THAT(pool_.master.started.instead_of, ElementsAre(1));
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(PutTest, WhatMayHaveBeenCommittedIsNotBegunAgain) {
  pool_.master.commit = [](uint64_t) { return DeadlineExceededError("no answer"); };
  EXPECT_EQ(Put("k", "value").code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(pool_.master.started.sequences, ElementsAre(1));
}

TEST_F(PutTest, WhatAnEarlierMasterMayHaveCommittedIsNeverSaidNotToBe) {
  pool_.master.commit = [](uint64_t) { return AbortedError("not committed here; begin again"); };
  const Status status = Put("k", "value", {.timeout = seconds(5)});
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("may have been committed for a while"));
}

TEST_F(PutTest, NorWhereAnotherHasTakenTheKeyMeanwhile) {
  pool_.master.commit = [this](uint64_t) {
    pool_.master.refused["k"] = AlreadyExistsError("pending");
    return AbortedError("not committed here; begin again");
  };
  EXPECT_EQ(Put("k", "value", {.timeout = seconds(5)}).code(), StatusCode::kDeadlineExceeded);
}

TEST_F(PutTest, WhatTurnsOutToBeCommittedIsNotBegunAgain) {
  pool_.master.commit = [](uint64_t) { return AbortedError("not committed here"); };
  pool_.master.abort = [](uint64_t) { return FailedPreconditionError("committed"); };
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_THAT(pool_.master.started.sequences, ElementsAre(1));
}

// ---- holders that can't be reached --------------------------------------------------------------

class UnreachableHolder : public PutTest {
 protected:
  UnreachableHolder() {
    pool_.parts.failures = &failures_;
    pool_.engine.instead = [this](const Copy& copy) -> std::optional<Completion> {
      if (copy.peer != 0) return std::nullopt;
      ++copies_to_it_;
      Completion completion = Failed(UnavailableError("no sign of life"));
      if (in_doubt_) completion.outcome = transfer::Outcome::kInDoubt;
      return completion;
    };
    pool_.master.complain = [this](const ReportFailures& report) {
      complaints_.push_back(report.segments);
      if (grants_elsewhere_) pool_.master.first_node = 1;
    };
  }

  Failures failures_;
  bool in_doubt_ = false;
  bool grants_elsewhere_ = true;
  int copies_to_it_ = 0;
  std::vector<std::vector<SegmentId>> complaints_;
};

TEST_F(UnreachableHolder, APutIsBegunAgainElsewhereOnceTheMasterKnows) {
  EXPECT_EQ(Put("k", "value"), Status::Ok());
  EXPECT_THAT(pool_.engine.stalls, ElementsAre(seconds(2), seconds(2)));
  EXPECT_EQ(Read("k"), "value");
  ASSERT_EQ(complaints_.size(), 1u);
  EXPECT_EQ(complaints_[0].at(0).holder, pool_.nodes[0]->peer().incarnation);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
  EXPECT_THAT(pool_.master.started.instead_of, ElementsAre());
}

TEST_F(UnreachableHolder, APutInDoubtIsNotAbortedButItsPlaceTaken) {
  in_doubt_ = true;
  const auto statuses = Put({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1], Status::Ok());
  EXPECT_TRUE(pool_.master.aborts.empty());
  EXPECT_THAT(pool_.master.started.sequences, ElementsAre(3, 4));
  EXPECT_THAT(pool_.master.started.instead_of, ElementsAre(1, 2));
  EXPECT_THAT(pool_.master.commits[0].sequences, ElementsAre(3, 4));
}

TEST_F(UnreachableHolder, WhereThereIsNowhereElseTheFirstErrorIsTheAnswer) {
  grants_elsewhere_ = false;
  const TimePoint asked_at = pool_.clock.Now();
  const Status status = Put("k", "value");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("not committed: no sign of life"));
  EXPECT_EQ(copies_to_it_, 1);
  EXPECT_EQ(pool_.master.aborts.size(), 2u);
  EXPECT_LT(pool_.clock.Now() - asked_at, seconds(1));
}

// The second wave was granted before the first had met nobody there.
TEST_F(UnreachableHolder, WhatIsGrantedThereMeanwhileIsNotTried) {
  pool_.master.items_per_wave = 1;
  const auto statuses = Put({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(statuses[0], Status::Ok());
  EXPECT_EQ(statuses[1], Status::Ok());
  EXPECT_EQ(copies_to_it_, 1);
  EXPECT_EQ(complaints_.size(), 1u);
}

TEST_F(UnreachableHolder, ItIsComplainedOfOnlyIfItHadTimeToAnswer) {
  grants_elsewhere_ = false;
  EXPECT_FALSE(Put("k", "value", {.timeout = milliseconds(740)}).ok());
  EXPECT_THAT(failures_.untold().Take(), ElementsAre());
  EXPECT_THAT(complaints_, ElementsAre());
  EXPECT_FALSE(Put("k", "value", {.timeout = milliseconds(760)}).ok());
  EXPECT_EQ(failures_.untold().Take().size(), 1u);
  EXPECT_EQ(complaints_.size(), 1u);
}

TEST_F(PutTest, AHolderThatIsSlowIsNotComplainedOf) {
  Failures failures;
  pool_.parts.failures = &failures;
  pool_.engine.instead = [](const Copy&) { return Failed(DeadlineExceededError("too slow")); };
  EXPECT_FALSE(Put("k", "value", {.timeout = seconds(2)}).ok());
  EXPECT_THAT(failures.untold().Take(), ElementsAre());
}

}  // namespace
}  // namespace kvstore::client
