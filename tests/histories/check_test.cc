#include "histories/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace kvstore::history {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Rules kCached{};
constexpr Rules kKept{.may_forget = false};
constexpr Rules kRecurring{.puts_may_recur = true};

Operation Make(Verb verb, uint32_t version, int begin, int end, bool found) {
  return {.key = "k",
          .verb = verb,
          .outcome = Outcome::kOk,
          .found = found,
          .version = version,
          .begin = TimePoint(milliseconds(begin)),
          .end = TimePoint(milliseconds(end))};
}
Operation Put(uint32_t version, int begin, int end) {
  return Make(Verb::kPut, version, begin, end, false);
}
Operation Get(uint32_t version, int begin, int end) {
  return Make(Verb::kGet, version, begin, end, true);
}
Operation Miss(int begin, int end) { return Make(Verb::kGet, 0, begin, end, false); }
Operation Remove(int begin, int end) { return Make(Verb::kRemove, 0, begin, end, true); }
Operation Yes(int begin, int end) { return Make(Verb::kExists, 0, begin, end, true); }
Operation No(int begin, int end) { return Make(Verb::kExists, 0, begin, end, false); }
Operation As(Outcome outcome, Operation operation) {
  operation.outcome = outcome;
  return operation;
}

void ExpectGood(const History& history, const Rules& rules = kCached) {
  EXPECT_THAT(Violations(history, rules), IsEmpty());
}
void ExpectBad(const History& history, const std::string& why, const Rules& rules = kCached) {
  EXPECT_THAT(Violations(history, rules), Contains(HasSubstr(why)));
}

TEST(HistoryCheckTest, WhatIsPutIsFoundUntilItIsReplacedOrRemoved) {
  ExpectGood({Put(1, 0, 10), Get(1, 20, 30), Yes(20, 30), Put(2, 40, 50), Get(2, 60, 70),
              Remove(80, 90), Miss(100, 110), No(100, 110)},
             kKept);
}

TEST(HistoryCheckTest, WhatOverlapsMayTakeEffectInAnyOrder) {
  ExpectGood({Put(1, 0, 10), Put(2, 20, 50), Get(1, 22, 30), Get(2, 25, 45), Get(1, 24, 28)});
  ExpectGood({Put(1, 0, 10), Put(2, 20, 90), Remove(30, 80), Get(2, 40, 50), Miss(60, 70)}, kKept);
  ExpectGood({Put(1, 0, 50), Get(1, 10, 20)});
  ExpectGood({Put(1, 0, 10), Put(2, 0, 10), Get(2, 20, 30)});
  ExpectGood({Put(1, 0, 10), Put(2, 0, 10), Get(1, 20, 30)});
}

TEST(HistoryCheckTest, KeysHaveNothingToDoWithEachOther) {
  Operation other = Put(1, 20, 30);
  other.key = "other";
  ExpectGood({Put(1, 0, 10), other, Get(1, 40, 50)}, kKept);
}

TEST(HistoryCheckTest, BytesThatNobodyPutAreRejected) {
  ExpectBad({Put(1, 0, 10), Get(0, 20, 30)}, "nobody put");
  ExpectBad({Put(1, 0, 10), Get(7, 20, 30)}, "nobody put");
}

TEST(HistoryCheckTest, AValueThatWasFoundBeforeItWasPutIsRejected) {
  ExpectBad({Get(1, 0, 10), Put(1, 20, 30)}, "before it was put");
}

TEST(HistoryCheckTest, AValueOfAPutThatFailedIsRejected) {
  ExpectBad({As(Outcome::kFailed, Put(1, 0, 10)), Get(1, 20, 30)}, "was not put");
  ExpectBad({As(Outcome::kFailed, Put(1, 0, 10)), Yes(20, 30)}, "nothing can have been there");
}

TEST(HistoryCheckTest, AValueThatComesBackAfterItWasReplacedIsRejected) {
  ExpectBad({Put(1, 0, 10), Put(2, 20, 30), Get(1, 40, 50)}, "came back");
  ExpectBad({Put(1, 0, 10), Put(2, 20, 60), Get(2, 25, 35), Get(1, 40, 50)}, "came back");
  // Each of the two puts must come last.
  ExpectBad({Put(1, 0, 10), Put(2, 0, 10), Get(1, 20, 30), Get(2, 40, 50)}, "two at once");
  ExpectBad({Put(1, 0, 10), Put(2, 5, 100), Get(1, 20, 30), Get(2, 40, 50), Get(1, 60, 70)},
            "came back");
}

TEST(HistoryCheckTest, AValueThatComesBackAfterItWasRemovedIsRejected) {
  ExpectBad({Put(1, 0, 10), Remove(20, 30), Get(1, 40, 50)}, "came back");
  ExpectBad({Put(1, 0, 10), Remove(20, 30), Yes(40, 50)}, "nothing can have been there");
  ExpectBad({Put(1, 0, 10), Remove(20, 60), Get(1, 22, 24), Miss(30, 40), Get(1, 45, 50)},
            "came back");
}

TEST(HistoryCheckTest, WhatWasForgottenStaysForgotten) {
  ExpectGood({Put(1, 0, 10), Get(1, 20, 30), Miss(40, 50), No(60, 70)});
  ExpectBad({Put(1, 0, 10), Miss(20, 30), Get(1, 40, 50)}, "came back");
  ExpectBad({Put(1, 0, 10), No(20, 30), Get(1, 40, 50)}, "came back");
  ExpectBad({Put(1, 0, 10), Miss(20, 30), Yes(40, 50)}, "nothing can have been there");
}

TEST(HistoryCheckTest, WhereMissesDoNotBindOnlyAnsweredRemovalsAndReplacementsDo) {
  const Rules rules{.misses_bind = false};
  ExpectGood({Put(1, 0, 10), Miss(20, 30), No(20, 30), Get(1, 40, 50)}, rules);
  ExpectBad({Put(1, 0, 10), Remove(20, 30), Get(1, 40, 50)}, "came back", rules);
  ExpectBad({Put(1, 0, 10), Put(2, 20, 30), Get(1, 40, 50)}, "came back", rules);
}

TEST(HistoryCheckTest, WhereNoesDoNotBindMissesDo) {
  const Rules rules{.noes_bind = false};
  ExpectGood({Put(1, 0, 10), No(20, 30), Get(1, 40, 50), No(60, 70), Yes(80, 90)}, rules);
  ExpectBad({Put(1, 0, 10), Miss(20, 30), Get(1, 40, 50)}, "came back", rules);
  ExpectBad({Put(1, 0, 10), Miss(20, 30), Yes(40, 50)}, "nothing can have been there", rules);
  const Rules kept{.may_forget = false, .noes_bind = false};
  ExpectGood({Put(1, 0, 10), No(20, 30)}, kept);
  ExpectBad({Put(1, 0, 10), Miss(20, 30)}, "lost", kept);
}

TEST(HistoryCheckTest, WhatMayNotBeForgottenIsMissedOnlyBeforeItIsPutOrAfterItIsRemoved) {
  ExpectBad({Put(1, 0, 10), Miss(20, 30)}, "lost", kKept);
  ExpectBad({Put(1, 0, 10), No(20, 30)}, "lost", kKept);
  ExpectBad({Put(1, 0, 10), Remove(20, 30), Put(2, 40, 50), Miss(60, 70)}, "lost", kKept);
  ExpectGood({Miss(0, 5), Put(1, 0, 10), Remove(20, 30), Miss(25, 35), Put(2, 40, 50)}, kKept);
  ExpectGood({Put(1, 0, 10), As(Outcome::kUnknown, Remove(20, 30)), Miss(40, 50)}, kKept);
}

TEST(HistoryCheckTest, WhatIsUnknownMayTakeEffectLateOrNever) {
  const Operation put = As(Outcome::kUnknown, Put(2, 20, 30));
  ExpectGood({Put(1, 0, 10), put, Get(1, 40, 50)});
  ExpectGood({Put(1, 0, 10), put, Get(2, 40, 50)});
  ExpectGood({Put(1, 0, 10), put, Get(1, 40, 50), Get(2, 60, 70)});
  ExpectBad({Put(1, 0, 10), put, Get(2, 40, 50), Get(1, 60, 70)}, "came back");
  ExpectBad({Put(1, 0, 10), put, Get(2, 40, 50), Remove(60, 70), Get(2, 80, 90)}, "came back");
  ExpectGood({Put(1, 0, 10), As(Outcome::kUnknown, Remove(20, 30)), Get(1, 40, 50)}, kKept);
}

TEST(HistoryCheckTest, APutThatIsBegunAgainMayTakeEffectTwiceBeforeItReturns) {
  const History again = {Put(1, 0, 100), Get(1, 10, 20), Remove(30, 40), Get(1, 50, 60)};
  ExpectBad(again, "came back");
  ExpectGood(again, kRecurring);
  // But not after it has returned.
  ExpectBad({Put(1, 0, 100), Get(1, 10, 20), Remove(110, 120), Get(1, 130, 140)}, "came back",
            kRecurring);
  ExpectBad({Put(1, 0, 10), Put(2, 20, 100), Get(2, 30, 40), Get(1, 50, 60)}, "came back",
            kRecurring);
}

// One register served by a thread of chance: what it does is linearizable; what is then changed
// hardly ever is.
TEST(HistoryCheckTest, ARealRegisterIsGoodAndAChangedAnswerIsNot) {
  std::mt19937 random(1);
  size_t rejected = 0;
  for (int round = 0; round < 200; ++round) {
    History history;
    uint32_t held = 0;
    std::vector<size_t> gets;
    for (int i = 1; i <= 100; ++i) {
      const int at = 10 * i;
      const int begin = at - static_cast<int>(random() % 40);
      const int end = at + static_cast<int>(random() % 40);
      const auto version = static_cast<uint32_t>(i);
      switch (random() % 8) {
        case 0:
          history.push_back(Put(held = version, begin, end));
          break;
        case 1:
          held = 0;
          history.push_back(Remove(begin, end));
          break;
        case 2:
          history.push_back(held != 0 ? Yes(begin, end) : No(begin, end));
          break;
        default:
          if (held != 0) gets.push_back(history.size());
          history.push_back(held != 0 ? Get(held, begin, end) : Miss(begin, end));
      }
    }
    ExpectGood(history, kKept);
    ExpectGood(history, kCached);
    ExpectGood(history, kRecurring);
    if (gets.size() < 2) continue;
    const uint32_t oldest = history[gets.front()].version;
    if (history[gets.back()].version == oldest) continue;
    history[gets.back()].version = oldest;
    rejected += Violations(history, kCached).empty() ? 0 : 1;
  }
  EXPECT_GT(rejected, 150u);
}

// Whether the operations that are left can follow on what the key holds: by trying all orders.
bool CanFollow(const History& history, uint32_t left, uint32_t held) {
  bool all_may_be_left_out = true;
  for (size_t i = 0; i < history.size(); ++i) {
    if ((left >> i & 1) == 0) continue;
    const Operation& next = history[i];
    all_may_be_left_out &= next.outcome == Outcome::kUnknown;
    bool is_first = true;
    for (size_t j = 0; j < history.size(); ++j) {
      if ((left >> j & 1) == 0 || history[j].outcome == Outcome::kUnknown) continue;
      is_first &= history[j].end >= next.begin;
    }
    const bool finds_value = next.verb == Verb::kGet && next.found && next.version != held;
    const bool finds_any = next.verb == Verb::kExists && next.found && held == 0;
    if (!is_first || finds_value || finds_any) continue;
    // What is missed has been forgotten.
    const bool clears = next.verb == Verb::kRemove || (next.verb != Verb::kPut && !next.found);
    const uint32_t then = next.verb == Verb::kPut ? next.version : clears ? 0 : held;
    if (CanFollow(history, left & ~(1u << i), then)) return true;
  }
  return all_may_be_left_out;
}

TEST(HistoryCheckTest, IsOfOneMindWithASearchThroughAllOrders) {
  std::mt19937 random(2);
  size_t good = 0;
  size_t bad = 0;
  for (int round = 0; round < 20'000; ++round) {
    History history;
    bool asks_exists = false;
    for (uint32_t i = 1; i <= 6; ++i) {
      const int begin = static_cast<int>(random() % 40);
      const int end = begin + 1 + static_cast<int>(random() % 20);
      const uint32_t what = static_cast<uint32_t>(random()) % 9;
      if (i <= 2 || what == 0) {
        const bool known = random() % 4 != 0;
        history.push_back(As(known ? Outcome::kOk : Outcome::kUnknown, Put(i, begin, end)));
      } else if (what <= 4) {
        history.push_back(Get(1 + static_cast<uint32_t>(random()) % 2, begin, end));
      } else if (what <= 6) {
        history.push_back(what == 5 ? Remove(begin, end) : Miss(begin, end));
      } else {
        asks_exists |= what == 7;
        history.push_back(what == 7 ? Yes(begin, end) : No(begin, end));
      }
    }
    const bool possible = CanFollow(history, (1u << history.size()) - 1, 0);
    const std::vector<std::string> violations = Violations(history, kCached);
    ++(possible ? good : bad);
    if (possible || !asks_exists) {
      ASSERT_EQ(violations.empty(), possible)
          << "round " << round << ": " << ::testing::PrintToString(violations);
    }
  }
  EXPECT_GT(good, 1000u);
  EXPECT_GT(bad, 1000u);
}

}  // namespace
}  // namespace kvstore::history
