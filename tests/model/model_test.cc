#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>
#include <string>

#include "model/rules.h"
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

// ---- with all guards

struct Scope {
  const char* name;
  Bounds bounds;
};

class AllGuardsTest : public testing::TestWithParam<Scope> {};

TEST_P(AllGuardsTest, NothingBadCanHappen) {
  const Finding finding = Search(Rules(GetParam().bounds), kMostStates);
  Print(finding);
  EXPECT_EQ(finding.violation, "");
  EXPECT_TRUE(finding.exhausted) << "the bounds are too wide for " << kMostStates << " states";
}

INSTANTIATE_TEST_SUITE_P(
    Scopes, AllGuardsTest,
    testing::Values(Scope{"ThreePuts", {.puts = 3, .crashes = 0, .cuts = 0, .evictions = 1}},
                    Scope{"TwoPutsAndACut", {.puts = 2, .crashes = 0, .cuts = 1, .evictions = 1}},
                    Scope{"TwoPutsAndACrash",
                          {.puts = 2, .crashes = 1, .cuts = 0, .evictions = 1}}),
    [](const testing::TestParamInfo<Scope>& test) { return std::string(test.param.name); });

// ---- without one of them

struct Omission {
  Guard guard;
  Bounds bounds;  // within which it is missed
};

class OneGuardOffTest : public testing::TestWithParam<Omission> {};

TEST_P(OneGuardOffTest, HasAShortestCounterexample) {
  const Omission& omission = GetParam();
  const Finding finding = Search(Rules(omission.bounds).Without(omission.guard), kMostStates);
  Print(finding);
  EXPECT_NE(finding.violation, "");
}

constexpr Bounds kPlain{.puts = 3, .crashes = 0, .cuts = 0, .evictions = 1};
constexpr Bounds kWithACut{.puts = 2, .crashes = 0, .cuts = 1, .evictions = 1};
constexpr Bounds kWithACrash{.puts = 3, .crashes = 1, .cuts = 0, .evictions = 1};
constexpr Bounds kWithBoth{.puts = 2, .crashes = 1, .cuts = 1, .evictions = 0};

INSTANTIATE_TEST_SUITE_P(
    Guards, OneGuardOffTest,
    testing::Values(
        Omission{kCommitWaitsForWithdrawal, kPlain}, Omission{kRemoveWaitsForWithdrawal, kPlain},
        Omission{kWritersCheckTheWord, kPlain}, Omission{kUnnamedSpaceIsStamped, kWithACrash},
        Omission{kOlderOrdersAreRefused, kWithACrash},
        Omission{kAllMembersReportFirst, kWithACrash}, Omission{kMembershipIsDurable, kWithBoth},
        Omission{kGoneAfterLongestLease, kWithACut}, Omission{kCommitAfterLastCopy, kPlain},
        Omission{kNotesAreChecked, kWithACrash}, Omission{kOrdersNameTheObject, kPlain},
        Omission{kReuseAfterFree, kPlain}, Omission{kReadersCheckTheWord, kPlain}),
    [](const testing::TestParamInfo<Omission>& test) {
      return std::string(kGuardNames[test.param.guard]);
    });

}  // namespace
}  // namespace kvstore::model
