#include "client/new_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/checksum.h"
#include "client/get.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeNode;
using testing::FakePool;
using ::testing::HasSubstr;

class NewObjectTest : public ::testing::Test {
 protected:
  using Created = Result<std::unique_ptr<NewObject>>;

  std::vector<Created> Create(const std::vector<CreateItem>& items,
                              const PutOptions& options = {}) {
    return CreateObjects(pool_.parts, items, options);
  }
  Created Create(const std::string& key, uint64_t size, const PutOptions& options = {}) {
    const CreateItem item{key, size};
    return std::move(CreateObjects(pool_.parts, {&item, 1}, options)[0]);
  }

  static void Fill(const NewObject& object, const std::string& value) {
    ASSERT_EQ(object.size(), value.size());
    size_t written = 0;
    for (const Piece& piece : object.pieces()) {
      std::memcpy(piece.data, value.data() + written, piece.size);
      written += piece.size;
    }
    ASSERT_EQ(written, value.size());
  }

  std::string Read(const std::string& key) {
    std::string value(100'000, '\0');
    const Piece piece{value.data(), value.size()};
    const GetItem item{key, {&piece, 1}};
    GetCounters counters;
    const auto results =
        GetObjects(pool_.parts, {&item, 1}, seconds(1), ReadGuards{true}, &counters);
    value.resize(results[0].status.ok() ? results[0].size : 0);
    return value;
  }

  static std::string Value(size_t size) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 31 + i / 4096);
    return value;
  }

  // The memory of the put that was granted last, on the first node, is taken back.
  void TakeBack(uint64_t birth) {
    FakeNode& node = *pool_.nodes[0];
    node.Retire({{node.peer().incarnation, FakeNode::kSegment}, birth, {{4096, 4096}}});
  }

  FakePool pool_;
};

// ---- what is made in place can be read ----------------------------------------------------------

TEST_F(NewObjectTest, ASealedObjectIsReadAsItWasFilled) {
  const std::string value = Value(10'000);
  Created object = Create("k", value.size());
  ASSERT_TRUE(object.ok()) << object.status();
  Fill(**object, value);
  EXPECT_EQ(Read("k"), "");  // not before it is sealed
  EXPECT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(Read("k"), value);
  EXPECT_EQ(pool_.engine.copies, 1u);  // that of the reader
  object = InternalError("gone");
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(NewObjectTest, AnObjectMayLieInSeveralRanges) {
  pool_.master.granules_per_range = 1;
  const std::string value = Value(10'000);
  Created object = Create("k", value.size());
  ASSERT_TRUE(object.ok()) << object.status();
  ASSERT_EQ((*object)->pieces().size(), 3u);
  EXPECT_EQ((*object)->pieces()[2].size, 10'000u - 2 * 4096);  // not to the end of its granule
  Fill(**object, value);
  EXPECT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(Read("k"), value);
}

TEST_F(NewObjectTest, TheChecksumIsThatOfTheBytes) {
  const std::string value = Value(5000);
  Created object = Create("k", value.size());
  Fill(**object, value);
  ASSERT_EQ((*object)->Seal(), Status::Ok());
  const ConstPiece piece{value.data(), value.size()};
  EXPECT_EQ(pool_.master.objects["k"].checksum, Checksum({&piece, 1}));
}

TEST_F(NewObjectTest, AnEmptyObjectNeedsNoMapping) {
  Created object = Create("k", 0);
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_TRUE((*object)->pieces().empty());
  EXPECT_EQ(pool_.engine.mappings, 0u);
  EXPECT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(pool_.master.commits[0].checksums[0], Checksum({}));
  EXPECT_EQ(pool_.master.objects["k"].size, 0u);
}

TEST_F(NewObjectTest, TheMasterIsAskedForOneReplicaOnThisHost) {
  PutOptions options;
  options.replace = true;
  options.placement = Placement::kSpread;  // of no effect: it must be this host
  options.preferred_nodes = {"shelf"};
  ASSERT_TRUE(Create("k", 5, options).ok());
  const StartPut& started = pool_.master.started;
  EXPECT_EQ(started.placement, Placement::kThisHost);
  EXPECT_EQ(started.replicas, 1u);
  EXPECT_TRUE(started.replace);
  EXPECT_THAT(started.preferred_nodes, ElementsAre("shelf"));
  EXPECT_THAT(started.sizes, ElementsAre(5));
}

TEST_F(NewObjectTest, SeveralReplicasAreRefusedBeforeAnybodyIsAsked) {
  PutOptions options;
  options.replicas = 2;
  EXPECT_EQ(Create("k", 5, options).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pool_.master.started.keys.size(), 0u);
}

TEST_F(NewObjectTest, ABatchIsCreatedWhateverBecomesOfSomeOfIt) {
  pool_.master.items_per_wave = 1;
  pool_.master.refused["b"] = AlreadyExistsError("taken");
  std::vector<Created> all = Create({{"a", 1}, {"b", 2}, {"c", 3}});
  ASSERT_TRUE(all[0].ok());
  EXPECT_EQ(all[1].status(), AlreadyExistsError("taken"));
  ASSERT_TRUE(all[2].ok());
  Fill(**all[2], "ccc");
  EXPECT_EQ((*all[2])->Seal(), Status::Ok());
  EXPECT_THAT(pool_.master.commits[0].sequences, ElementsAre(3));
  EXPECT_EQ(Read("c"), "ccc");
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(NewObjectTest, AnEmptyBatchCreatesNothing) { EXPECT_TRUE(Create({}).empty()); }

// ---- its memory is let go before anybody is told ------------------------------------------------

TEST_F(NewObjectTest, TheMemoryIsLetGoBeforeTheCommit) {
  Created object = Create("k", 5);
  EXPECT_EQ(pool_.engine.mappings, 1u);
  Fill(**object, "bytes");
  size_t mapped = 99;
  pool_.master.commit = [&](uint64_t) {
    mapped = pool_.engine.mappings;
    return Status::Ok();
  };
  EXPECT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(mapped, 0u);
  EXPECT_TRUE((*object)->pieces().empty());
}

TEST_F(NewObjectTest, OneThatIsGivenUpLetsGoOfItsMemoryAndIsAbortedThen) {
  Created object = Create("k", 5);
  size_t mapped = 99;
  pool_.master.abort = [&](uint64_t) {
    mapped = pool_.engine.mappings;
    return Status::Ok();
  };
  object = InternalError("gone");
  EXPECT_EQ(mapped, 0u);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
  EXPECT_TRUE(pool_.master.commits.empty());
}

TEST_F(NewObjectTest, MemoryThatWasTakenBackIsHeldUntilItsWriterLetsGo) {
  Created object = Create("k", 5);
  const uint64_t birth = pool_.nodes[0]->holder().counter();
  std::vector<RetireAck> acks;
  pool_.nodes[0]->holder().Retire(
      {1, {RetireOrder{{{1, 1}, 1}, FakeNode::kSegment, birth, {{4096, 4096}}}}}, &acks);
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].stage, RetireStage::kWithdrawn);
  EXPECT_FALSE(pool_.nodes[0]->holder().idle());
  Fill(**object, "bytes");  // into memory that nobody else has
  object = InternalError("gone");
  EXPECT_TRUE(pool_.nodes[0]->holder().idle());
}

// ---- sealed too late ----------------------------------------------------------------------------

TEST_F(NewObjectTest, OneWhoseMemoryWasTakenBackIsAbortedAndNotCommitted) {
  const uint64_t birth = pool_.nodes[0]->holder().counter();
  Created object = Create("k", 5);
  Fill(**object, "bytes");
  TakeBack(birth);
  const Status sealed = (*object)->Seal();
  EXPECT_EQ(sealed.code(), StatusCode::kAborted);
  EXPECT_THAT(sealed.message(), HasSubstr("taken back"));
  EXPECT_TRUE(pool_.master.commits.empty());
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_EQ(pool_.engine.mappings, 0u);
}

TEST_F(NewObjectTest, TheDeadlineIsTheEndOfTheGrant) {
  pool_.master.grant = seconds(5);
  pool_.master.parked["k"] = seconds(3);
  const TimePoint asked_at = pool_.clock.Now();
  Created object = Create("k", 5);
  EXPECT_EQ((*object)->deadline(), asked_at + seconds(8));
  pool_.clock.AdvanceTo((*object)->deadline());
  const Status sealed = (*object)->Seal();
  EXPECT_EQ(sealed.code(), StatusCode::kAborted);
  EXPECT_THAT(sealed.message(), HasSubstr("grant ran out"));
  EXPECT_TRUE(pool_.master.commits.empty());
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(NewObjectTest, TheCommitEndsWithTheTimeoutOfSeal) {
  Created object = Create("k", 5);
  pool_.clock.Advance(seconds(2));
  ASSERT_EQ((*object)->Seal(seconds(3)), Status::Ok());
  EXPECT_EQ(pool_.master.commit_deadline, pool_.clock.Now() + seconds(3));
}

TEST_F(NewObjectTest, ATimeoutWithoutEndDoesNotOverflow) {
  PutOptions options;
  options.timeout = Duration::max();
  Created object = Create("k", 5, options);
  ASSERT_TRUE(object.ok());
  EXPECT_EQ((*object)->Seal(Duration::max()), Status::Ok());
}

TEST_F(NewObjectTest, SealedWithoutTimeItIsNotCommitted) {
  Created object = Create("k", 5);
  pool_.clock.each_look = seconds(1);
  const Status sealed = (*object)->Seal(seconds(1));
  EXPECT_EQ(sealed.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(sealed.message(), HasSubstr("not committed"));
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(NewObjectTest, ATimeoutOutOfBoundsChangesNothing) {
  Created object = Create("k", 5);
  Fill(**object, "value");
  EXPECT_EQ((*object)->Seal(Duration::zero()).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE((*object)->pieces().empty());
  EXPECT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(Read("k"), "value");
}

TEST_F(NewObjectTest, ASecondSealIsRefusedWhateverTheFirstSaid) {
  Created good = Create("a", 5);
  Created late = Create("b", 5);
  EXPECT_EQ((*good)->Seal(), Status::Ok());
  pool_.clock.each_look = seconds(1);
  EXPECT_FALSE((*late)->Seal(seconds(1)).ok());
  pool_.clock.each_look = {};
  EXPECT_EQ((*good)->Seal().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ((*late)->Seal().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(pool_.master.commits.size(), 1u);
}

// ---- what the master may say --------------------------------------------------------------------

TEST_F(NewObjectTest, ACommitWithoutAnswerMayHaveHappenedAndIsNotAborted) {
  pool_.master.commit = [](uint64_t) { return DeadlineExceededError("no answer"); };
  Created object = Create("k", 5);
  const Status sealed = (*object)->Seal();
  EXPECT_EQ(sealed.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(sealed.message(), HasSubstr("may have been committed"));
  object = InternalError("gone");
  EXPECT_TRUE(pool_.master.aborts.empty());
}

TEST_F(NewObjectTest, WhatAnEarlierMasterMayHaveCommittedIsNeverSaidNotToBe) {
  pool_.master.commit = [](uint64_t) { return AbortedError("not committed here"); };
  Created object = Create("k", 5);
  const Status sealed = (*object)->Seal();
  EXPECT_EQ(sealed.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(sealed.message(), HasSubstr("may have been committed for a while"));
  EXPECT_THAT(sealed.message(), HasSubstr("create the object anew"));
}

TEST_F(NewObjectTest, ACommitThatTheMasterHasNoRoomForIsAborted) {
  pool_.master.commit = [](uint64_t) { return ResourceExhaustedError("too many wait"); };
  Created object = Create("k", 5);
  EXPECT_EQ((*object)->Seal().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(NewObjectTest, ARefusalThatDoesNotRuleOutALaterGrantIsFollowedByAnAbort) {
  pool_.master.refused["a"] = ResourceExhaustedError("no node of this host lends memory");
  pool_.master.refused["b"] = AlreadyExistsError("taken");
  Create({{"a", 1}, {"b", 2}});
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(1));
}

TEST_F(NewObjectTest, GrantsThatComeAfterTheDeadlineAreGivenBack) {
  pool_.master.items_per_wave = 1;
  pool_.master.before_wave = [&] { pool_.clock.Advance(seconds(3)); };
  PutOptions options;
  options.timeout = seconds(2);
  const std::vector<Created> all = Create({{"a", 1}, {"b", 2}}, options);
  EXPECT_TRUE(all[0].ok());
  EXPECT_EQ(all[1].status().code(), StatusCode::kDeadlineExceeded);
  ASSERT_EQ(pool_.master.aborts.size(), 1u);
  EXPECT_THAT(pool_.master.aborts[0].sequences, ElementsAre(2));
}

// ---- memory that can't be mapped ----------------------------------------------------------------

TEST_F(NewObjectTest, WhereNoWayLeadsInPlaceThePutIsAborted) {
  pool_.engine.instead_of_mapping = [](const transfer::MapRequest&) {
    return FailedPreconditionError("another user's memory");
  };
  const Created object = Create("k", 5);
  EXPECT_EQ(object.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(object.status().message(), HasSubstr("another user's memory"));
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(NewObjectTest, OneRangeThatCannotBeMappedGivesUpTheOthersBeforeTheAbort) {
  pool_.master.granules_per_range = 1;
  pool_.engine.instead_of_mapping = [](const transfer::MapRequest& request) {
    return request.length < 4096 ? NotFoundError("no region 1") : Status::Ok();
  };
  size_t mapped = 99;
  pool_.master.abort = [&](uint64_t) {
    mapped = pool_.engine.mappings;
    return Status::Ok();
  };
  const Created object = Create("k", 10'000);
  EXPECT_EQ(object.status().code(), StatusCode::kAborted);  // its holder has lost the grant
  EXPECT_EQ(mapped, 0u);
}

TEST_F(NewObjectTest, AHolderThatCannotBeReachedIsUnavailable) {
  pool_.master.unknown_peers = {pool_.nodes[0]->peer().incarnation};
  EXPECT_EQ(Create("k", 5).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(pool_.master.aborts.size(), 1u);
}

TEST_F(NewObjectTest, AMappingThatOutlastsTheGrantIsALostGrant) {
  pool_.engine.instead_of_mapping = [](const transfer::MapRequest&) {
    return DeadlineExceededError("the holder hangs");
  };
  pool_.master.grant = seconds(5);
  EXPECT_EQ(Create("k", 5).status().code(), StatusCode::kAborted);
  PutOptions options;
  options.timeout = seconds(2);
  EXPECT_EQ(Create("k", 5, options).status().code(), StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace kvstore::client
