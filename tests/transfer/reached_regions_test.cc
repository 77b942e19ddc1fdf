#include "transfer/rdma/reached_regions.h"

#include <gtest/gtest.h>

namespace kvstore::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PeerId kPeer = 5;
const TimePoint kStart = TimePoint(seconds(1000));

TEST(ReachedRegionsTest, WhatAPeerRefusedIsNotAskedForAgainForLongerEachTime) {
  ReachedRegions known;
  EXPECT_EQ(known.Find(kPeer, 1, kStart), std::nullopt);
  const Status refusal = NotFoundError("it could not be locked");
  TimePoint now = kStart;
  for (const auto wait :
       {seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(32), seconds(32)}) {
    for (int copy = 0; copy < 4; ++copy) known.Note(kPeer, 1, refusal, now);  // together
    now += wait;
    EXPECT_EQ(known.Find(kPeer, 1, now - milliseconds(1)), refusal);
    EXPECT_EQ(known.Find(kPeer, 1, now), std::nullopt);
  }
  EXPECT_EQ(known.Find(kPeer, 2, now), std::nullopt);
}

TEST(ReachedRegionsTest, WhatIsReachedIsKnownUntilThePeerIsForgotten) {
  ReachedRegions known;
  known.Note(kPeer, 1, Status::Ok(), kStart);
  known.Note(kPeer + 1, 1, Status::Ok(), kStart);
  EXPECT_EQ(known.Find(kPeer, 1, kStart + seconds(3600)), Status::Ok());
  known.Forget(kPeer);
  EXPECT_EQ(known.Find(kPeer, 1, kStart), std::nullopt);
  EXPECT_EQ(known.Find(kPeer + 1, 1, kStart), Status::Ok());
}

}  // namespace
}  // namespace kvstore::transfer
