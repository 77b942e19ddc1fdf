#include "simulation/checker.h"

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "simulation/value.h"

namespace kvstore::simulation {
namespace {

// Calls on one key, one after the other unless a mark says otherwise.
class CheckerTest : public testing::Test {
 protected:
  uint64_t Put(const Status& status = Status::Ok(), const Asked& asked = {}) {
    const uint64_t number = checker_.BeginPut("k", 64, asked);
    checker_.EndPut(number, status);
    return number;
  }
  std::vector<std::byte> Bytes(uint64_t number) {
    std::vector<std::byte> bytes(64);
    FillWithValue(number, bytes);
    return bytes;
  }
  void Get(uint64_t number) { EndGet(checker_.Begin(), number); }
  void EndGet(Checker::Mark begun, uint64_t number) {
    checker_.EndGet(begun, "k", Status::Ok(), Bytes(number));
  }
  void Remove() {
    const Checker::Mark begun = checker_.BeginRemove("k");
    checker_.EndRemove(begun, "k", Status::Ok());
  }
  void Miss() { checker_.EndGet(checker_.Begin(), "k", NotFoundError(""), {}); }
  // "I1", "I2", ..., or "" for none.
  std::string Violation() {
    return checker_.violation().substr(0, checker_.violation().find_first_of(": "));
  }

  Forgotten forgotten_;
  Duration now_{};
  Checker checker_{[this](const std::string&) { return forgotten_; }, [this] { return now_; },
                   std::chrono::milliseconds(100)};
};

TEST_F(CheckerTest, AcceptsWhatWasPut) {
  Get(Put());
  EXPECT_EQ(checker_.violation(), "");
}

TEST_F(CheckerTest, FindsOneWrongByte) {
  auto bytes = Bytes(Put());
  bytes[50] ^= std::byte{1};
  checker_.EndGet(checker_.Begin(), "k", Status::Ok(), bytes);
  EXPECT_EQ(Violation(), "I1");
}

TEST_F(CheckerTest, FindsCellsOfTwoPutsInOneObject) {
  auto bytes = Bytes(Put());
  const auto other = Bytes(Put());
  std::copy(other.begin() + 32, other.end(), bytes.begin() + 32);
  checker_.EndGet(checker_.Begin(), "k", Status::Ok(), bytes);
  EXPECT_EQ(Violation(), "I1");
}

TEST_F(CheckerTest, AcceptsAPartInItsPlaceOnly) {
  const auto bytes = Bytes(Put());
  const auto part = std::span(bytes).subspan(16, 32);
  checker_.EndGetOfPart(checker_.Begin(), "k", 16, part);
  EXPECT_EQ(checker_.violation(), "");
  checker_.EndGetOfPart(checker_.Begin(), "k", 32, part);
  EXPECT_EQ(Violation(), "I1");
}

TEST_F(CheckerTest, FindsAPartOfARemovedObject) {
  const auto bytes = Bytes(Put());
  Remove();
  checker_.EndGetOfPart(checker_.Begin(), "k", 0, std::span(bytes).first(16));
  EXPECT_EQ(Violation(), "I2");
}

TEST_F(CheckerTest, FindsARemovedObject) {
  const uint64_t number = Put();
  EXPECT_FALSE(checker_.IsOver(number));
  Remove();
  EXPECT_TRUE(checker_.IsOver(number));
  Get(number);
  EXPECT_EQ(Violation(), "I2");
}

TEST_F(CheckerTest, AllowsAGetThatBeganBeforeTheRemoveWasAnswered) {
  const uint64_t number = Put();
  const Checker::Mark begun = checker_.Begin();
  Remove();
  EndGet(begun, number);
  EXPECT_EQ(checker_.violation(), "");
}

TEST_F(CheckerTest, FindsAReplacedObjectOnceTheNewerIsAnsweredOrSeen) {
  const uint64_t older = Put();
  const uint64_t newer = checker_.BeginPut("k", 64);
  Get(older);  // not yet answered
  EXPECT_EQ(checker_.violation(), "");
  Get(newer);  // seen
  Get(older);
  EXPECT_EQ(Violation(), "I2");
}

TEST_F(CheckerTest, FindsAnObjectWhosePutWasAnsweredAsNotCommitted) {
  Get(Put(AbortedError("")));
  EXPECT_EQ(Violation(), "I3");
}

TEST_F(CheckerTest, FindsAPutAnsweredAsNotCommittedAfterItWasSeen) {
  const uint64_t number = checker_.BeginPut("k", 64);
  Get(number);
  checker_.EndPut(number, AbortedError(""));
  EXPECT_EQ(Violation(), "I3");
}

TEST_F(CheckerTest, AMissNeedsAReason) {
  Put();
  forgotten_.evicted = 1;
  checker_.EndGet(checker_.Begin(), "k", NotFoundError(""), {});
  EXPECT_EQ(checker_.violation(), "") << "something was evicted";
  Put();
  checker_.EndGet(checker_.Begin(), "k", NotFoundError(""), {});
  EXPECT_EQ(Violation(), "I5");
}

TEST_F(CheckerTest, WithAMasterOnlyWhatIsNotDurableMayBeForgotten) {
  Put();
  ++forgotten_.unconfirmed;
  Miss();
  EXPECT_EQ(Violation(), "");
  EXPECT_EQ(checker_.unconfirmed_misses(), 1u);
  Put(Status::Ok(), Asked{true, true, false, {}});
  ++forgotten_.unconfirmed;
  Miss();
  EXPECT_EQ(Violation(), "I5");
}

TEST_F(CheckerTest, AReplacementThatFailsMayHaveWithdrawnADurableObject) {
  Put(Status::Ok(), Asked{true, true, false, {}});
  Put(AbortedError(""));
  Miss();
  EXPECT_EQ(Violation(), "");
}

TEST_F(CheckerTest, WhatIsPinnedIsNotEvicted) {
  Put(Status::Ok(), Asked{true, false, true, {}});
  ++forgotten_.evicted;
  checker_.MayUnpin("k");
  Miss();
  EXPECT_EQ(Violation(), "");
  Put(Status::Ok(), Asked{true, false, true, {}});
  ++forgotten_.evicted;
  Miss();
  EXPECT_EQ(Violation(), "I5");
}

TEST_F(CheckerTest, AnObjectWithATtlIsFoundUntilThenAndNotLater) {
  const uint64_t number = Put(Status::Ok(), Asked{true, false, false, std::chrono::seconds(10)});
  now_ += std::chrono::seconds(10);
  Get(number);
  Miss();
  EXPECT_EQ(Violation(), "");
  EXPECT_EQ(checker_.expired_misses(), 1u);
  now_ += std::chrono::seconds(1);
  Get(number);
  EXPECT_EQ(Violation(), "I6");
}

}  // namespace
}  // namespace kvstore::simulation
