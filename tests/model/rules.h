#ifndef KVSTORE_TESTS_MODEL_RULES_H_
#define KVSTORE_TESTS_MODEL_RULES_H_

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "model/state.h"

namespace kvstore::model {

// Each guard can be left out, and then something bad can happen.
enum Guard : size_t {
  kCommitWaitsForWithdrawal,
  kRemoveWaitsForWithdrawal,
  kOldWritersAreFenced,
  kUnnamedSpaceIsStamped,
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
    "CommitWaitsForWithdrawal", "RemoveWaitsForWithdrawal", "OldWritersAreFenced",
    "UnnamedSpaceIsStamped",    "AllMembersReportFirst",    "MembershipIsDurable",
    "GoneAfterLongestLease",    "CommitAfterLastCopy",      "NotesAreChecked",
    "OrdersNameTheObject",      "ReuseAfterFree",           "ReadersCheckTheWord"};

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

// One thing that may happen: the state after it, what it was, and what is wrong with it, if
// anything: wrong bytes, an object that was over, a visible object that cannot be read.
struct Happening {
  const State& next;
  const std::string& text;
  const std::string& violation;
};
using Visit = std::function<void(const Happening&)>;

State FirstState();
// Everything that may happen next, in an order that depends on the state alone.
void ForEachNext(const Rules& rules, const State& state, const Visit& visit);

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_RULES_H_
