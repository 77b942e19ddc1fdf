#include "master/line_limiter.h"

#include <gtest/gtest.h>

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;
using LeftOut = std::vector<std::pair<size_t, uint64_t>>;

constexpr TimePoint kBegin = TimePoint() + std::chrono::hours(1);

uint64_t Admitted(LineLimiter* limiter, TimePoint now, size_t kind, int lines) {
  uint64_t admitted = 0;
  for (int i = 0; i < lines; ++i) admitted += limiter->Admit(now, kind) ? 1 : 0;
  return admitted;
}

TEST(LineLimiter, AStormOfOneKindHidesNoOther) {
  LineLimiter limiter(2, 10);
  EXPECT_EQ(Admitted(&limiter, kBegin, 0, 1000), 10U);
  EXPECT_EQ(Admitted(&limiter, kBegin, 1, 3), 3U);
}

TEST(LineLimiter, WhatWasLeftOutIsToldOnceWhenTheSecondIsOver) {
  LineLimiter limiter(2, 10);
  Admitted(&limiter, kBegin, 1, 25);
  EXPECT_EQ(limiter.TakeLeftOut(kBegin + milliseconds(999)), LeftOut());
  EXPECT_EQ(limiter.TakeLeftOut(kBegin + milliseconds(1000)), (LeftOut{{1, 15}}));
  EXPECT_EQ(limiter.TakeLeftOut(kBegin + milliseconds(1000)), LeftOut());
  EXPECT_EQ(Admitted(&limiter, kBegin + milliseconds(1000), 1, 25), 10U);
}

}  // namespace
}  // namespace kvstore::master
