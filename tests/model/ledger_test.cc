#include "model/ledger.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>
#include <string>

#include "model/search.h"

namespace kvstore::model {
namespace {

constexpr size_t kMostStates = 1'500'000;

void Print(const Finding& finding) {
  std::printf("%zu states; %s\n", finding.states, finding.violation.c_str());
  for (size_t i = 0; i < finding.steps.size(); ++i) {
    std::printf("  %2zu %s\n", i + 1, finding.steps[i].c_str());
  }
}

constexpr LedgerBounds kWriters{.puts = 3, .deaths = 1, .lost_links = 1};
constexpr LedgerBounds kWithAViewer{.puts = 2, .deaths = 1, .lost_links = 1, .viewer = true};
constexpr LedgerBounds kWithAReader{.puts = 2, .deaths = 1, .reader = true};
constexpr LedgerBounds kWithBoth{.puts = 2, .viewer = true, .reader = true};

// ---- with all steps

struct LedgerScope {
  const char* name;
  LedgerBounds bounds;
};
std::ostream& operator<<(std::ostream& out, const LedgerScope& scope) { return out << scope.name; }

class WholeLedgerTest : public testing::TestWithParam<LedgerScope> {};

TEST_P(WholeLedgerTest, NothingBadCanHappen) {
  const Finding finding = Search(LedgerRules(GetParam().bounds), kMostStates);
  Print(finding);
  EXPECT_EQ(finding.violation, "");
  EXPECT_TRUE(finding.exhausted) << "the bounds are too wide for " << kMostStates << " states";
}

INSTANTIATE_TEST_SUITE_P(
    Scopes, WholeLedgerTest,
    testing::Values(LedgerScope{"Writers", kWriters}, LedgerScope{"WithAViewer", kWithAViewer},
                    LedgerScope{"WithAReader", kWithAReader}, LedgerScope{"WithBoth", kWithBoth}),
    [](const testing::TestParamInfo<LedgerScope>& test) { return std::string(test.param.name); });

// ---- without one of them

struct LedgerOmission {
  LedgerGuard guard;
  LedgerBounds bounds;
  const char* violation;
  size_t steps;  // of a shortest way to it
};
std::ostream& operator<<(std::ostream& out, const LedgerOmission& omission) {
  return out << kLedgerGuardNames[omission.guard];
}

class LedgerStepOffTest : public testing::TestWithParam<LedgerOmission> {};

TEST_P(LedgerStepOffTest, HasAShortestCounterexample) {
  const LedgerOmission& omission = GetParam();
  const Finding finding = Search(LedgerRules(omission.bounds).Without(omission.guard), kMostStates);
  Print(finding);
  EXPECT_EQ(finding.violation, omission.violation);
  EXPECT_EQ(finding.steps.size(), omission.steps);
}

constexpr const char* kFreeMemory = "a write into memory that was said to be free";
constexpr const char* kNeverFree = "memory that never becomes free, though nothing touches it";
constexpr const char* kViewChanged = "the bytes of a view changed";
constexpr const char* kWrongBytes = "wrong bytes";
constexpr const char* kRemoved = "an object that was removed before the Get began";

INSTANTIATE_TEST_SUITE_P(
    Steps, LedgerStepOffTest,
    testing::Values(LedgerOmission{kAnnounceBeforeWord, kWriters, kFreeMemory, 11},
                    LedgerOmission{kClearAfterLastByte, kWriters, kFreeMemory, 13},
                    LedgerOmission{kViewsAnnounce, kWithAViewer, kViewChanged, 21},
                    LedgerOmission{kStampBeforeSlots, kWriters, kFreeMemory, 11},
                    LedgerOmission{kFreeAsksTheLedger, kWriters, kFreeMemory, 7},
                    LedgerOmission{kGrantsWaitForFree, kWriters, kFreeMemory, 6},
                    LedgerOmission{kSlotsEndWithProcess, kWriters, kFreeMemory, 12},
                    LedgerOmission{kEndedLedgersRefuse, kWriters, kFreeMemory, 13},
                    LedgerOmission{kEndedProcessesLetGo, kWriters, kNeverFree, 8},
                    LedgerOmission{kSayWaitingBeforeSlots, kWriters, kNeverFree, 10},
                    LedgerOmission{kClearBeforeLooking, kWriters, kNeverFree, 9},
                    LedgerOmission{kLostLinksAreLookedAt, kWriters, kNeverFree, 9},
                    LedgerOmission{kWordAfterLastByte, kWithAReader, kWrongBytes, 25},
                    LedgerOmission{kRememberedReadTheWord, kWithAReader, kRemoved, 15}),
    [](const testing::TestParamInfo<LedgerOmission>& test) {
      return std::string(kLedgerGuardNames[test.param.guard]);
    });

// ---- and what must be possible

struct LedgerReach {
  const char* name;
  LedgerGoal goal;
  LedgerBounds bounds;
};
std::ostream& operator<<(std::ostream& out, const LedgerReach& reach) { return out << reach.name; }

class LedgerGoalTest : public testing::TestWithParam<LedgerReach> {};

TEST_P(LedgerGoalTest, IsReached) {
  const Finding finding =
      Search(LedgerRules(GetParam().bounds).Reaching(GetParam().goal), kMostStates);
  Print(finding);
  EXPECT_EQ(finding.violation, "reached");
}

INSTANTIATE_TEST_SUITE_P(
    Goals, LedgerGoalTest,
    testing::Values(LedgerReach{"GrantedAfterADeath", LedgerGoal::kGrantedAfterADeath, kWriters},
                    LedgerReach{"GrantedAfterAView", LedgerGoal::kGrantedAfterAView, kWithAViewer},
                    LedgerReach{"ViewOutlivesItsObject", LedgerGoal::kViewOutlivesItsObject,
                                kWithAViewer},
                    LedgerReach{"ReadRefused", LedgerGoal::kReadRefused, kWithAReader},
                    LedgerReach{"WriterRefused", LedgerGoal::kWriterRefused, kWriters}),
    [](const testing::TestParamInfo<LedgerReach>& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace kvstore::model
