#ifndef KVSTORE_TESTS_MODEL_RULES_H_
#define KVSTORE_TESTS_MODEL_RULES_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "model/happening.h"
#include "model/state.h"

namespace kvstore::model {

// Each guard can be left out, and then something bad can happen.
enum Guard : size_t {
  kCommitWaitsForWithdrawal,
  kRemoveWaitsForWithdrawal,
  kWritersCheckTheWord,
  kUnnamedSpaceIsStamped,
  kOlderOrdersAreRefused,
  kAllMembersReportFirst,
  kMembershipIsDurable,
  kGoneAfterLongestLease,
  kCommitAfterLastCopy,
  kNotesAreChecked,
  kOrdersNameTheObject,
  kReuseAfterFree,
  kReadersCheckTheWord,
  kGuards
};

inline constexpr std::array<std::string_view, kGuards> kGuardNames = {
    "CommitWaitsForWithdrawal", "RemoveWaitsForWithdrawal", "WritersCheckTheWord",
    "UnnamedSpaceIsStamped",    "OlderOrdersAreRefused",    "AllMembersReportFirst",
    "MembershipIsDurable",      "GoneAfterLongestLease",    "CommitAfterLastCopy",
    "NotesAreChecked",          "OrdersNameTheObject",      "ReuseAfterFree",
    "ReadersCheckTheWord"};

// How much may happen in one walk.
struct Bounds {
  int puts = 2;
  int crashes = 0;  // of the master
  int cuts = 0;     // of holders from the master
  int evictions = 1;
};

struct Rules {
  Bounds bounds;
  std::array<bool, kGuards> guards;

  Rules() { guards.fill(true); }
  explicit Rules(const Bounds& b) : bounds(b) { guards.fill(true); }
  Rules Without(Guard guard) const {
    Rules rules = *this;
    rules.guards[guard] = false;
    return rules;
  }
  bool On(Guard guard) const { return guards[guard]; }
};

State FirstState(const Rules& rules);
// Everything that may happen next, in an order that depends on the state alone. Violations: wrong
// bytes, an object that was over, a visible object that cannot be read.
void ForEachNext(const Rules& rules, const State& state, const Visit<State>& visit);

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_RULES_H_
