#include "client/get.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/failures.h"
#include "client/locations.h"
#include "client/put.h"
#include "client/read_notes.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Failed;
using testing::FakePool;
using ::testing::HasSubstr;
using transfer::Completion;
using transfer::Copy;

struct Got {
  Status status;
  uint64_t size = 0;
  std::string value;  // of an OK one
};

class GetTest : public ::testing::Test {
 protected:
  void Put(const std::string& key, const std::string& value, uint32_t replicas = 1) {
    const ConstPiece piece{value.data(), value.size()};
    const PutItem item{key, {&piece, 1}};
    PutOptions options;
    options.replicas = replicas;
    ASSERT_EQ(PutObjects(pool_.parts, {&item, 1}, options)[0], Status::Ok());
    pool_.engine.copies = 0;
    pool_.engine.deadlines.clear();
    pool_.engine.stalls.clear();
  }

  // From here on what is located is remembered for five seconds.
  void Remember() {
    pool_.master.lease = seconds(5);
    pool_.parts.locations = &locations_;
    pool_.parts.notes = &notes_;
  }
  // Puts it, locates it once, and looks from then on.
  void PutAndRemember(const std::string& key, const std::string& value, uint32_t replicas = 1) {
    Put(key, value, replicas);
    Remember();
    ASSERT_EQ(GetOne(key).status, Status::Ok());
    ASSERT_EQ(locations_.size(), 1u);
    pool_.master.finds.clear();
    pool_.engine.copies = 0;
    counters_ = {};
  }

  Got GetPart(const std::string& key, uint64_t offset, uint64_t length, uint64_t capacity = 20'000,
              std::vector<PutId> of_puts = {}) {
    std::string buffer(capacity, '\0');
    const Piece piece{buffer.data(), buffer.size()};
    const GetItem item{key, {&piece, 1}, offset, length};
    const GetResult result =
        GetObjects(pool_.parts, {&item, 1}, seconds(10), guards_, &counters_, of_puts)[0];
    const bool ok = result.status.ok();
    return {result.status, result.size, ok ? buffer.substr(0, result.size) : ""};
  }

  std::vector<Got> Get(const std::vector<std::string>& keys, uint64_t capacity = 20'000,
                       Duration timeout = seconds(10)) {
    std::vector<std::string> buffers(keys.size(), std::string(capacity, '\0'));
    std::vector<Piece> pieces;
    for (std::string& buffer : buffers) pieces.push_back({buffer.data(), buffer.size()});
    std::vector<GetItem> items;
    for (size_t i = 0; i < keys.size(); ++i) items.push_back({keys[i], {&pieces[i], 1}});
    const auto results = GetObjects(pool_.parts, items, timeout, guards_, &counters_);
    std::vector<Got> got;
    for (size_t i = 0; i < keys.size(); ++i) {
      const bool ok = results[i].status.ok();
      got.push_back(
          {results[i].status, results[i].size, ok ? buffers[i].substr(0, results[i].size) : ""});
    }
    return got;
  }
  Got GetOne(const std::string& key) { return Get(std::vector{key})[0]; }

  // Copies from this node (0 to 2) end so.
  void Fail(size_t node, const Status& status) {
    pool_.engine.instead =
        [=, before = pool_.engine.instead](const Copy& copy) -> std::optional<Completion> {
      if (copy.peer == node) return Failed(status);
      return before ? before(copy) : std::nullopt;
    };
  }
  // The object is evicted and its memory has a new owner, who has written there.
  void Reuse(const std::string& key) {
    for (const Replica& replica : pool_.master.objects[key].replicas) {
      for (auto& node : pool_.nodes) {
        if (node->peer().incarnation != replica.segment.holder) continue;
        node->Retire(replica);
        node->memory()[replica.ranges[0].offset] ^= 1;
      }
    }
  }
  void Corrupt(size_t node) {
    for (uint64_t i = 0; i < testing::FakeNode::kGranules * 4096; ++i) {
      pool_.nodes[node]->memory()[i] ^= 1;
    }
  }

  static std::string Value(size_t size) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 17 + i / 4096);
    return value;
  }

  FakePool pool_;
  Locations locations_{100};
  ReadNotes notes_;
  ReadGuards guards_;
  GetCounters counters_;
};

// ---- what was put -------------------------------------------------------------------------------

TEST_F(GetTest, TheBytesOfAnObjectFillThePiecesInOrder) {
  const std::string value = Value(10'000);
  pool_.master.granules_per_range = 1;
  Put("k", value);
  std::string buffer(12'000, '#');
  const std::vector<Piece> pieces = {
      {buffer.data(), 1}, {nullptr, 0}, {buffer.data() + 1, 9000}, {buffer.data() + 9001, 2999}};
  const GetItem item{"k", pieces};
  const auto results = GetObjects(pool_.parts, {&item, 1}, seconds(1), guards_, &counters_);
  EXPECT_EQ(results[0].status, Status::Ok());
  EXPECT_EQ(results[0].size, 10'000u);
  EXPECT_EQ(buffer.substr(0, 10'000), value);
  EXPECT_EQ(buffer.substr(10'000), std::string(2000, '#'));  // what is larger stays as it is
}

TEST_F(GetTest, AKeyNamedTwiceFillsBothBuffers) {
  Put("a", "1");
  Put("b", "2");
  const auto got = Get({"a", "b", "a"});
  EXPECT_EQ(got[0].value, "1");
  EXPECT_EQ(got[1].value, "2");
  EXPECT_EQ(got[2].value, "1");
}

TEST_F(GetTest, OneCallLocatesOnceAndReadsInOneBatch) {
  Put("a", "1");
  Put("b", "2");
  Get({"a", "b", "missing"});
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_THAT(pool_.master.finds[0], ElementsAre("a", "b", "missing"));
  EXPECT_EQ(pool_.engine.deadlines.size(), 1u);
}

TEST_F(GetTest, MissingObjectsAreNotFoundAndHoldUpNoOther) {
  Put("b", "2");
  const auto got = Get({"a", "b"});
  EXPECT_EQ(got[0].status.code(), StatusCode::kNotFound);
  EXPECT_EQ(got[1].value, "2");
}

TEST_F(GetTest, AnEmptyObjectNeedsNoHolder) {
  Put("k", "");
  pool_.master.unknown_peers = {pool_.nodes[0]->peer().incarnation};
  const GetItem item{"k", {}};
  const auto results = GetObjects(pool_.parts, {&item, 1}, seconds(1), guards_, &counters_);
  EXPECT_EQ(results[0].status, Status::Ok());
  EXPECT_EQ(results[0].size, 0u);
  EXPECT_EQ(pool_.engine.copies, 0u);
}

TEST_F(GetTest, PiecesThatAreTooSmallSayHowLargeTheObjectIs) {
  Put("k", Value(100));
  const auto got = Get({"k"}, 99);
  EXPECT_EQ(got[0].status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(got[0].size, 100u);
  EXPECT_EQ(pool_.engine.copies, 0u);
  EXPECT_EQ(Get({"k"}, 100)[0].value, Value(100));
}

TEST_F(GetTest, AKeyNamedSeveralTimesIsLocatedOnce) {
  Put("a", "1");
  Put("b", "2");
  const auto got = Get({"a", "b", "a", "missing", "a", "missing"});
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_THAT(pool_.master.finds[0], ElementsAre("a", "b", "missing"));
  EXPECT_EQ(got[4].value, "1");
  EXPECT_EQ(got[5].status.code(), StatusCode::kNotFound);
}

TEST_F(GetTest, AnEmptyBatchAsksNobody) {
  EXPECT_TRUE(Get(std::vector<std::string>{}).empty());
  EXPECT_TRUE(pool_.master.finds.empty());
}

TEST_F(GetTest, ALostMasterIsTheAnswer) {
  pool_.master.locate = [](const std::string&) { return UnavailableError("connection refused"); };
  EXPECT_EQ(GetOne("k").status, UnavailableError("connection refused"));
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

// ---- which replica ------------------------------------------------------------------------------

TEST_F(GetTest, OwnMemoryComesBeforeTheHostsAndThatBeforeTheRest) {
  Put("k", "value", 3);
  std::vector<size_t> read_from;
  pool_.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
    read_from.push_back(copy.peer);
    return Failed(UnavailableError("down"));
  };
  Parts parts{pool_.master, pool_.engine, pool_.clock, {{3, 3}, "b"}};
  std::string buffer(5, '\0');
  const Piece piece{buffer.data(), buffer.size()};
  const GetItem item{"k", {&piece, 1}};
  GetObjects(parts, {&item, 1}, seconds(1), guards_, &counters_);
  read_from.resize(3);  // and once more after a fresh Locate
  EXPECT_THAT(read_from, ElementsAre(2, 1, 0));
}

TEST_F(GetTest, AmongEqualsTheMastersOrderStays) {
  Put("k", "value", 3);
  auto& replicas = pool_.master.objects["k"].replicas;
  std::swap(replicas[0], replicas[2]);
  std::vector<size_t> read_from;
  pool_.engine.after_bytes = [&](const Copy& copy) { read_from.push_back(copy.peer); };
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_THAT(read_from, ElementsAre(2));
}

TEST_F(GetTest, AReplicaThatCannotBeReadIsReplacedByTheNext) {
  Put("k", "value", 3);
  Fail(0, UnavailableError("connection refused"));
  Fail(1, UnavailableError("connection refused"));
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(counters_.other_replicas, 2u);
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(GetTest, AHolderThatNobodyKnowsIsPassedOver) {
  Put("k", "value", 2);
  pool_.master.unknown_peers = {pool_.nodes[0]->peer().incarnation};
  EXPECT_EQ(GetOne("k").value, "value");
}

TEST_F(GetTest, OneItemsFailureDoesNotMakeOthersReadTwice) {
  Put("a", "1", 2);
  pool_.master.objects["b"] = pool_.master.objects["a"];
  pool_.master.objects["b"].replicas.erase(pool_.master.objects["b"].replicas.begin());
  Fail(0, UnavailableError("down"));
  const auto got = Get({"a", "b"});
  EXPECT_EQ(got[0].value, "1");
  EXPECT_EQ(got[1].value, "1");
  EXPECT_EQ(pool_.engine.copies, 3u);
}

// ---- locations that no longer stand -------------------------------------------------------------

TEST_F(GetTest, ARefusedLocationIsLocatedAnew) {
  Put("k", "old");
  const LocateAnswer old = pool_.master.objects["k"];
  Reuse("k");
  Put("k", "newer");
  const LocateAnswer newer = std::exchange(pool_.master.objects["k"], old);
  pool_.master.locate = [&](const std::string&) {
    if (pool_.master.finds.size() == 2) pool_.master.objects["k"] = newer;
    return Status::Ok();
  };
  EXPECT_EQ(GetOne("k").value, "newer");
  EXPECT_EQ(counters_.refused, 1u);
  EXPECT_EQ(counters_.located_anew, 1u);
}

TEST_F(GetTest, WhereTheFreshLocateFindsNothingItIsNotFound) {
  Put("k", "old");
  pool_.engine.after_bytes = [&](const Copy&) {  // removed while it was read
    Reuse("k");
    pool_.master.objects.erase("k");
  };
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kNotFound);
}

TEST_F(GetTest, AnObjectThatMovesTwiceWhileItIsReadIsUnavailable) {
  Put("k", "old");
  Reuse("k");
  const Got got = GetOne("k");
  EXPECT_EQ(got.status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(got.status.message(), HasSubstr("try again"));
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  EXPECT_EQ(counters_.refused, 2u);
}

TEST_F(GetTest, OnlyItemsThatNeedItAreLocatedAnew) {
  Put("a", "1");
  Put("b", "2");
  Reuse("a");
  Get({"a", "b"});
  ASSERT_EQ(pool_.master.finds.size(), 2u);
  EXPECT_THAT(pool_.master.finds[1], ElementsAre("a"));
}

TEST_F(GetTest, AnObjectThatGrewInBetweenIsNotSqueezedIn) {
  Put("k", "old");
  Reuse("k");
  pool_.master.locate = [&](const std::string&) {
    if (pool_.master.finds.size() == 2) pool_.master.objects["k"].size = 30'000;
    return Status::Ok();
  };
  const Got got = GetOne("k");
  EXPECT_EQ(got.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(got.size, 30'000u);
}

TEST_F(GetTest, TheFirstErrorIsTheAnswer) {
  Put("k", "value", 2);
  Fail(0, UnavailableError("first"));
  Fail(1, UnavailableError("second"));
  EXPECT_EQ(GetOne("k").status, UnavailableError("first"));
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(GetTest, AMasterThatCannotBeAskedAgainDoesNotHideTheFirstError) {
  Put("k", "value");
  Fail(0, UnavailableError("first"));
  pool_.master.locate = [&](const std::string&) {
    return pool_.master.finds.size() == 2 ? DeadlineExceededError("late") : Status::Ok();
  };
  EXPECT_EQ(GetOne("k").status, UnavailableError("first"));
}

TEST_F(GetTest, AnObjectWithoutReplicasIsLocatedAnewAndThenUnavailable) {
  Put("k", "value");
  pool_.master.objects["k"].replicas.clear();
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(GetTest, AReplicaWithTooFewRangesIsNotRead) {
  Put("k", Value(5000), 2);
  pool_.master.objects["k"].replicas[0].ranges = {{0, 4096}};
  EXPECT_EQ(GetOne("k").value, Value(5000));
}

// ---- checksums ----------------------------------------------------------------------------------

TEST_F(GetTest, BytesThatDoNotMatchTheirChecksumAreReadOnceMore) {
  Put("k", Value(5000));
  Corrupt(0);
  bool repaired = false;
  pool_.engine.after_bytes = [&](const Copy&) {
    if (!std::exchange(repaired, true)) Corrupt(0);  // the same bits once more: right again
  };
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_EQ(counters_.checksum_mismatches, 1u);
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(GetTest, WrongBytesThatTheHolderVouchesForTwiceAreDataLoss) {
  Put("k", Value(5000));
  Corrupt(0);
  const Got got = GetOne("k");
  EXPECT_EQ(got.status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(counters_.checksum_mismatches, 4u);  // twice, and twice after a fresh Locate
}

TEST_F(GetTest, OnlyWhatIsComparedWithItsChecksumIsCalledProven) {
  Put("k", Value(5000));
  std::vector<bool> proven;
  pool_.engine.instead = [&](const Copy& copy) -> std::optional<Completion> {
    proven.push_back(copy.proven);
    return std::nullopt;
  };
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_EQ(GetPart("k", 100, 200).status, Status::Ok());
  EXPECT_EQ(proven, (std::vector<bool>{true, false}));
  // Where they don't match the word must tell, after the last byte, whether they are its bytes:
  // so at the first location, and at that which is asked for anew.
  Corrupt(0);
  proven.clear();
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(proven, (std::vector<bool>{true, false, true, false}));
  guards_.verify_checksum = false;
  proven.clear();
  EXPECT_EQ(GetOne("k").status, Status::Ok());
  EXPECT_EQ(proven, (std::vector<bool>{false}));
}

TEST_F(GetTest, WrongBytesWhoseWordHasChangedSinceAreARefusal) {
  Put("k", Value(5000));
  Corrupt(0);
  bool retired = false;
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    if (pool_.engine.copies == 2 && !std::exchange(retired, true)) {
      Reuse("k");
      pool_.master.objects.erase("k");
    }
    return std::nullopt;
  };
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(counters_.refused, 1u);
}

TEST_F(GetTest, AnotherReplicaMayHaveTheRightBytes) {
  Put("k", Value(5000), 2);
  Corrupt(0);
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_EQ(counters_.checksum_mismatches, 2u);
}

TEST_F(GetTest, WithoutTheChecksumWrongBytesAreReturned) {
  guards_.verify_checksum = false;
  Put("k", Value(5000));
  Corrupt(0);
  const Got got = GetOne("k");
  EXPECT_EQ(got.status, Status::Ok());
  EXPECT_NE(got.value, Value(5000));
}

TEST_F(GetTest, WithoutTheChecksumTheWordStillDecides) {
  guards_.verify_checksum = false;
  Put("k", Value(5000));
  pool_.engine.after_bytes = [&](const Copy&) { Reuse("k"); };
  EXPECT_FALSE(GetOne("k").status.ok());
}

// ---- parts --------------------------------------------------------------------------------------

TEST_F(GetTest, APartIsReadFromTheRangesThatItLiesIn) {
  const std::string value = Value(10'000);
  pool_.master.granules_per_range = 1;
  Put("k", value);
  EXPECT_EQ(GetPart("k", 4000, 200).value, value.substr(4000, 200));
  EXPECT_EQ(pool_.engine.copies, 2u);
  EXPECT_EQ(GetPart("k", 9999, 1).value, value.substr(9999));
  EXPECT_EQ(GetPart("k", 4096, kToTheEnd).value, value.substr(4096));
  EXPECT_EQ(GetPart("k", 0, 10'000).value, value);
}

TEST_F(GetTest, PartsBeyondTheObjectAreToldItsSize) {
  Put("k", Value(100));
  const std::vector<std::pair<uint64_t, uint64_t>> beyond = {
      {0, 101}, {100, 1}, {101, 0}, {101, kToTheEnd}, {UINT64_MAX, 1}, {1, UINT64_MAX - 1}};
  for (const auto& [offset, length] : beyond) {
    const Got got = GetPart("k", offset, length);
    EXPECT_EQ(got.status.code(), StatusCode::kInvalidArgument) << offset << " " << length;
    EXPECT_EQ(got.size, 100u);
  }
  EXPECT_EQ(pool_.engine.copies, 0u);
}

TEST_F(GetTest, APartNeedsRoomForItselfAlone) {
  Put("k", Value(100));
  EXPECT_EQ(GetPart("k", 90, kToTheEnd, 10).value, Value(100).substr(90));
  EXPECT_EQ(GetPart("k", 89, kToTheEnd, 10).status.code(), StatusCode::kInvalidArgument);
}

TEST_F(GetTest, AtTheVeryEndThereAreNoBytesButTheObjectMustStillStand) {
  Put("k", Value(100));
  const Got got = GetPart("k", 100, kToTheEnd);
  EXPECT_EQ(got.status, Status::Ok());
  EXPECT_EQ(got.size, 0u);
  EXPECT_EQ(GetPart("k", 50, 0).status, Status::Ok());
  Reuse("k");
  EXPECT_FALSE(GetPart("k", 100, kToTheEnd).status.ok());
  EXPECT_FALSE(GetPart("k", 50, 0).status.ok());
}

TEST_F(GetTest, OfAPartTheWordDecidesSinceTheChecksumCannot) {
  Put("k", Value(5000));
  Corrupt(0);
  EXPECT_EQ(GetPart("k", 0, 4999).status, Status::Ok());
  EXPECT_EQ(GetPart("k", 0, 5000).status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(GetPart("k", 0, kToTheEnd).status.code(), StatusCode::kDataLoss);
  pool_.engine.after_bytes = [&](const Copy&) { Reuse("k"); };
  EXPECT_FALSE(GetPart("k", 0, 4999).status.ok());
}

TEST_F(GetTest, PartsOfOneObjectAreServedByOneLocate) {
  Put("k", Value(10'000));
  std::string buffer(300, '\0');
  const std::vector<Piece> pieces = {{buffer.data(), 100}, {buffer.data() + 100, 200}};
  const std::vector<GetItem> items = {{"k", {&pieces[0], 1}, 5000, 100},
                                      {"k", {&pieces[1], 1}, 0, 200}};
  for (const GetResult& result : GetObjects(pool_.parts, items, seconds(1), guards_, &counters_)) {
    EXPECT_EQ(result.status, Status::Ok());
  }
  EXPECT_EQ(buffer, Value(10'000).substr(5000, 100) + Value(10'000).substr(0, 200));
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_THAT(pool_.master.finds[0], ElementsAre("k"));
}

// ---- remembered locations -----------------------------------------------------------------------

TEST_F(GetTest, ASecondGetAsksTheMasterNothingAndIsNoted) {
  PutAndRemember("k", Value(5000));
  EXPECT_TRUE(notes_.Take().empty());
  const auto got = Get({"k", "k"});
  EXPECT_EQ(got[0].value, Value(5000));
  EXPECT_EQ(got[1].value, Value(5000));
  EXPECT_TRUE(pool_.master.finds.empty());
  EXPECT_EQ(counters_.remembered, 2u);
  EXPECT_THAT(notes_.Take(), ElementsAre(pool_.master.objects["k"].put));
}

TEST_F(GetTest, OnlyWhatIsNotRememberedIsAskedFor) {
  PutAndRemember("a", "1");
  Put("b", "2");
  const auto got = Get({"a", "b"});
  EXPECT_EQ(got[0].value, "1");
  EXPECT_EQ(got[1].value, "2");
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_THAT(pool_.master.finds[0], ElementsAre("b"));
  EXPECT_EQ(counters_.remembered, 1u);
  EXPECT_EQ(pool_.engine.deadlines.size(), 1u);
}

TEST_F(GetTest, WithoutALeaseEveryGetAsks) {
  Put("k", "value");
  Remember();
  pool_.master.lease = Duration::zero();
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  EXPECT_EQ(counters_.remembered, 0u);
}

TEST_F(GetTest, TheLeaseCountsFromBeforeAskingPlusTheTimeParked) {
  Put("k", "value");
  Remember();
  pool_.master.objects["k"].parked = seconds(2);
  pool_.master.locate = [&](const std::string&) {
    pool_.clock.Advance(seconds(3));  // on the way, two of them at the master
    return Status::Ok();
  };
  const TimePoint asked = pool_.clock.Now();
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(locations_.Find("k", {}, asked)->until, asked + seconds(2) + seconds(5));
}

TEST_F(GetTest, ALeaseThatRanOutMakesItLocateAnew) {
  PutAndRemember("k", "value");
  pool_.clock.Advance(seconds(5));
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(GetTest, WithoutTheEndOfTheLeaseAHolderThatCountsAsGoneIsStillRead) {
  PutAndRemember("k", "value");
  // Cut off from the master, which gives it up when all leases have run out: a Remove is answered
  // though the word was never stored.
  pool_.clock.Advance(seconds(5));
  pool_.master.objects.erase("k");
  guards_.remembered_locations_end_with_their_lease = false;
  EXPECT_EQ(GetOne("k").value, "value");
  guards_.remembered_locations_end_with_their_lease = true;
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kNotFound);
}

TEST_F(GetTest, ALeaseThatRunsOutDuringTheGetLeavesItToTheWord) {
  PutAndRemember("k", "value");
  pool_.engine.after_bytes = [&](const Copy&) { pool_.clock.Advance(seconds(6)); };
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_TRUE(pool_.master.finds.empty());
}

TEST_F(GetTest, ARemovedObjectIsNotReadWhereItWas) {
  PutAndRemember("k", "value");
  // The bytes and the checksum are still right: it is the word that says no.
  for (const Replica& replica : pool_.master.objects["k"].replicas) {
    pool_.nodes[0]->Retire(replica);
  }
  pool_.master.objects.erase("k");
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(counters_.refused, 1u);
  EXPECT_EQ(locations_.size(), 0u);
}

TEST_F(GetTest, AReplacedObjectIsLocatedAnewAndThenRemembered) {
  PutAndRemember("k", "older");
  Reuse("k");
  Put("k", "newer");
  EXPECT_EQ(GetOne("k").value, "newer");
  EXPECT_EQ(GetOne("k").value, "newer");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_EQ(counters_.remembered, 1u);
}

TEST_F(GetTest, AnEmptyRememberedObjectIsAskedForAtItsHolder) {
  Put("k", "");
  Remember();
  EXPECT_EQ(GetOne("k").status, Status::Ok());
  EXPECT_EQ(pool_.engine.copies, 0u);
  EXPECT_EQ(GetOne("k").status, Status::Ok());
  EXPECT_EQ(pool_.engine.copies, 1u);
  EXPECT_EQ(pool_.master.finds.size(), 1u);
  pool_.nodes[0]->Retire(pool_.master.objects["k"].replicas[0]);
  pool_.master.objects.erase("k");
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kNotFound);
}

TEST_F(GetTest, ARememberedSizeIsToldOnlyWhileTheObjectStands) {
  PutAndRemember("k", Value(5000));
  Got got = GetPart("k", 0, kToTheEnd, 100);
  EXPECT_EQ(got.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(got.size, 5000u);
  EXPECT_TRUE(pool_.master.finds.empty());
  EXPECT_EQ(counters_.remembered, 0u);
  Reuse("k");
  Put("k", "a smaller one");
  EXPECT_EQ(GetPart("k", 0, kToTheEnd, 100).value, "a smaller one");
  EXPECT_EQ(GetPart("k", 2, 5, 100).value, "small");
}

TEST_F(GetTest, ARefusedReplicaIsForgottenAndTheNextIsRead) {
  PutAndRemember("k", "value", 2);
  Fail(0, UnavailableError("connection refused"));
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_TRUE(pool_.master.finds.empty());
  EXPECT_EQ(locations_.size(), 0u);
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(GetTest, BytesThatDoNotMatchMakeItForget) {
  PutAndRemember("k", Value(5000));
  Corrupt(0);
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(locations_.size(), 0u);
}

TEST_F(GetTest, AfterARefusalTheKeyIsLocatedAsIfForTheFirstTime) {
  PutAndRemember("k", "value");
  size_t reads = 0;
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    if (++reads <= 2) return Failed(AbortedError("moved"));  // where it was, and where it is
    return std::nullopt;
  };
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(GetTest, WhatTheFreshLocationBringsIsTheAnswer) {
  PutAndRemember("k", Value(5000));
  size_t reads = 0;
  pool_.engine.instead = [&](const Copy&) -> std::optional<Completion> {
    if (++reads == 1) return Failed(AbortedError("moved"));
    return Failed(UnavailableError("down"));
  };
  EXPECT_EQ(GetOne("k").status, UnavailableError("down"));
}

TEST_F(GetTest, AMasterThatCannotBeAskedDoesNotHideTheRefusal) {
  PutAndRemember("k", "value");
  Reuse("k");
  pool_.master.locate = [](const std::string&) { return UnavailableError("connection refused"); };
  const Got got = GetOne("k");
  EXPECT_EQ(got.status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(got.status.message(), HasSubstr("moved, replaced or removed"));
}

TEST_F(GetTest, AsAnotherIncarnationNothingIsRemembered) {
  PutAndRemember("k", "value");
  pool_.parts.self.incarnation = {7, 7};
  EXPECT_EQ(GetOne("k").value, "value");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

// ---- of one put ---------------------------------------------------------------------------------

TEST_F(GetTest, AnotherPutsBytesAreRefused) {
  Put("k", "older");
  const PutId older = pool_.master.objects["k"].put;
  EXPECT_EQ(GetPart("k", 1, 2, 100, {older}).value, "ld");
  Reuse("k");
  Put("k", "newer");
  const Got got = GetPart("k", 1, 2, 100, {older});
  EXPECT_EQ(got.status.code(), StatusCode::kAborted);
  EXPECT_THAT(got.status.message(), HasSubstr("replaced"));
  pool_.master.objects.erase("k");
  EXPECT_EQ(GetPart("k", 1, 2, 100, {older}).status.code(), StatusCode::kAborted);
}

TEST_F(GetTest, OfOnePutWhatIsRememberedOfAnotherIsNoAnswer) {
  PutAndRemember("k", "older");
  const LocateAnswer old = pool_.master.objects["k"];
  Put("k", "newer");  // but the older object is what is remembered
  const PutId newer = pool_.master.objects["k"].put;
  EXPECT_EQ(GetPart("k", 0, kToTheEnd, 100, {newer}).value, "newer");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(GetTest, OfOnePutARefusedLocationIsLocatedAnew) {
  PutAndRemember("k", "value", 2);
  const PutId put = pool_.master.objects["k"].put;
  Fail(0, UnavailableError("down"));
  pool_.master.objects["k"].replicas.erase(pool_.master.objects["k"].replicas.begin());
  EXPECT_EQ(GetPart("k", 0, kToTheEnd, 100, {put}).value, "value");
}

// ---- deadlines ----------------------------------------------------------------------------------

TEST_F(GetTest, CopiesEndWithTheCall) {
  Put("k", "value");
  const TimePoint start = pool_.clock.Now();
  Get({"k"}, 100, seconds(3));
  EXPECT_EQ(pool_.engine.deadlines[0], start + seconds(3));
}

TEST_F(GetTest, AfterTheDeadlineNothingMoreIsTriedAndTheReasonIsKept) {
  Put("k", "value", 2);
  pool_.engine.instead = [&](const Copy&) {
    pool_.clock.Advance(seconds(3));
    return Failed(UnavailableError("down"));
  };
  const auto got = Get({"k"}, 100, seconds(3));
  EXPECT_EQ(got[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(got[0].status.message(), HasSubstr("down"));
  EXPECT_EQ(pool_.engine.copies, 1u);
}

TEST_F(GetTest, ATimeoutWithoutEndDoesNotOverflow) {
  Put("k", "value");
  EXPECT_EQ(Get({"k"}, 100, Duration::max())[0].value, "value");
}

// ---- holders that can't be reached --------------------------------------------------------------

TEST_F(GetTest, AHolderThatIsSilentIsGivenUpAndThenTheNextIsRead) {
  Put("k", Value(5000), 2);
  Fail(0, UnavailableError("no sign of life"));
  const TimePoint now = pool_.clock.Now();
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_THAT(pool_.engine.stalls, ElementsAre(milliseconds(500), milliseconds(500)));
  EXPECT_THAT(pool_.engine.deadlines, ElementsAre(now + seconds(10), now + seconds(10)));
}

TEST_F(GetTest, WithLittleTimeLeftSilenceMayTakeHalfOfIt) {
  Put("k", Value(5000), 2);
  Fail(0, UnavailableError("no sign of life"));
  Get({"k"}, 20'000, milliseconds(300));
  EXPECT_EQ(pool_.engine.stalls.at(0), milliseconds(150));
}

TEST_F(GetTest, TheLastReplicaMayBeSilentOnceTheMasterHasNamedItAgain) {
  Put("k", Value(5000));
  Fail(0, UnavailableError("no sign of life"));
  EXPECT_EQ(GetOne("k").status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  EXPECT_THAT(pool_.engine.stalls, ElementsAre(milliseconds(500), Duration::max()));
}

// It was learned when the object had one replica; by now there are more.
TEST_F(GetTest, ARememberedHolderThatIsSilentLeavesTimeToAskTheMasterAgain) {
  PutAndRemember("k", Value(5000));
  Put("other", Value(5000), 3);
  pool_.master.objects["k"].replicas.push_back(pool_.master.objects["other"].replicas[1]);
  Fail(0, UnavailableError("no sign of life"));
  EXPECT_EQ(GetOne("k").value, Value(5000));
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_EQ(pool_.engine.stalls.at(0), milliseconds(500));
}

// Copies that take their time, of the pool's clock.
class SlowBatch final : public transfer::Batch {
 public:
  SlowBatch(FakePool& pool, std::span<const Copy> copies, TimePoint ends_at, uint64_t moved)
      : pool_(pool), copies_(copies.begin(), copies.end()), ends_at_(ends_at), moved_(moved) {}

  bool Wait(TimePoint until) override {
    if (completions_.empty() && pool_.clock.Now() < std::min(until, ends_at_)) {
      pool_.clock.AdvanceTo(std::min(until, ends_at_));
    }
    if (completions_.empty() && pool_.clock.Now() >= ends_at_) {
      completions_ = pool_.engine.Run(copies_, ends_at_);
    }
    return !completions_.empty();
  }
  void Cancel() override {
    completions_.assign(copies_.size(), Failed(CancelledError("the batch was cancelled")));
  }
  uint64_t moved() const override { return moved_; }
  const std::vector<Completion>& completions() const override { return completions_; }

 private:
  FakePool& pool_;
  const std::vector<Copy> copies_;
  const TimePoint ends_at_;
  const uint64_t moved_;
  std::vector<Completion> completions_;
};

class SlowHolders : public GetTest {
 protected:
  // Copies from that node, of whose bytes so many have come until then, end after `time`.
  void Slow(size_t node, Duration time, uint64_t moved = 0) {
    pool_.engine.submit = [=, this, before = pool_.engine.submit](
                              std::span<const Copy> copies) -> std::unique_ptr<transfer::Batch> {
      if (copies[0].peer != node) return before ? before(copies) : nullptr;
      return std::make_unique<SlowBatch>(pool_, copies, pool_.clock.Now() + time, moved);
    };
  }
};

TEST_F(SlowHolders, AHolderFromWhichBytesFlowIsNotGivenUpThoughAnotherReplicaIs) {
  Put("k", Value(8000), 2);
  Slow(0, seconds(9), 2000);
  Failures failures;
  pool_.parts.failures = &failures;
  EXPECT_EQ(GetOne("k").value, Value(8000));
  EXPECT_EQ(counters_.other_replicas, 0u);
  EXPECT_THAT(failures.untold().Take(), ElementsAre());
}

TEST_F(SlowHolders, OneThatWouldNotBeDoneInTimeIsGivenUpAtHalfOfItAndNotComplainedOf) {
  Put("k", Value(8000), 2);
  Slow(0, seconds(9), 1999);
  Failures failures;
  pool_.parts.failures = &failures;
  const TimePoint began = pool_.clock.Now();
  EXPECT_EQ(GetOne("k").value, Value(8000));
  EXPECT_EQ(counters_.other_replicas, 1u);
  EXPECT_EQ(pool_.clock.Now() - began, seconds(5));
  EXPECT_THAT(failures.untold().Take(), ElementsAre());
}

TEST_F(SlowHolders, AnObjectWhoseHolderHasFailedDoesNotWaitForAnothersSlowOne) {
  Put("a", Value(8000), 2);
  Put("b", Value(8000), 3);
  auto& replicas = pool_.master.objects["b"].replicas;
  replicas.erase(replicas.begin());  // on nodes 1 and 2
  Slow(0, seconds(8), 8000);
  Fail(1, UnavailableError("no sign of life"));
  const TimePoint began = pool_.clock.Now();
  Duration read_after{};
  pool_.engine.after_bytes = [&](const Copy& copy) {
    if (copy.peer == 2) read_after = pool_.clock.Now() - began;
  };
  const auto got = Get({"a", "b"});
  EXPECT_EQ(got[0].value, Value(8000));
  EXPECT_EQ(got[1].value, Value(8000));
  EXPECT_LT(read_after, seconds(1));
}

// What was hashed of the bytes that were there before says nothing of what is there now.
TEST_F(GetTest, WhatIsReplacedByNothingWhileItIsReadIsReadAsNothing) {
  PutAndRemember("k", Value(18'000));
  bool replaced = false;
  pool_.engine.after_bytes = [&](const Copy&) {
    if (std::exchange(replaced, true)) return;
    Reuse("k");
    Put("k", "");
  };
  EXPECT_EQ(GetOne("k").status, Status::Ok());
  EXPECT_TRUE(replaced);
  EXPECT_EQ(counters_.checksum_mismatches, 0u);
}

TEST_F(GetTest, AHolderThatCouldNotBeReachedIsReadLastForAWhileAndComplainedOf) {
  Failures failures;
  pool_.parts.failures = &failures;
  Put("k", Value(5000), 2);
  Fail(0, UnavailableError("gone"));
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_THAT(failures.untold().Take(), ElementsAre(pool_.master.objects["k"].replicas[0].segment));
  pool_.engine.copies = 0;
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_EQ(pool_.engine.copies, 1u);
  pool_.clock.Advance(Failures::kReadLastFor);
  pool_.engine.copies = 0;
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_EQ(pool_.engine.copies, 2u) << "it is tried again";
}

TEST_F(GetTest, ARefusalByTheWordIsNothingToComplainOf) {
  Failures failures;
  pool_.parts.failures = &failures;
  Put("k", Value(5000), 2);
  pool_.nodes[0]->Retire(pool_.master.objects["k"].replicas[0]);
  EXPECT_EQ(GetOne("k").value, Value(5000));
  EXPECT_THAT(failures.untold().Take(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace kvstore::client
