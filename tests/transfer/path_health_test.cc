#include "transfer/rdma/path_health.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace kvstore::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Places = std::vector<std::unique_ptr<PathHealth::Place>>;

constexpr Incarnation kPeer = {1, 1};
constexpr Incarnation kOther = {2, 2};
bool Up(size_t) { return true; }
const Status kWhy = UnavailableError("why");

const TimePoint kStart = TimePoint(seconds(1000));

TEST(PathHealthTest, LanesThatAreOpenedAtOnceTakeDevicesInTurn) {
  PathHealth health(2, Up);
  Places places;
  for (int i = 0; i < 4; ++i) places.push_back(health.Take(kPeer, {}));
  EXPECT_EQ(places[0]->device() + places[1]->device(), 1u);
  EXPECT_EQ(places[2]->device() + places[3]->device(), 1u);
  const size_t left = places[0]->device();
  places.erase(places.begin());
  EXPECT_EQ(health.Take(kPeer, {})->device(), left);
}

TEST(PathHealthTest, ADeviceThatIsFarIsTakenWhereNoOtherLeads) {
  bool up = true;
  PathHealth health(
      3, [&up](size_t device) { return up || device == 2; },
      [](size_t device) { return device < 2; });
  Places places;
  for (int i = 0; i < 4; ++i) {
    places.push_back(health.Take(kPeer, {}));
    EXPECT_LT(places.back()->device(), 2u);
  }
  EXPECT_FALSE(health.IsCrowded(kPeer, 0)) << "a far device is no better with fewer lanes";
  up = false;
  places.push_back(health.Take(kPeer, {}));
  EXPECT_EQ(places.back()->device(), 2u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 2));
  up = true;
  EXPECT_TRUE(health.IsCrowded(kPeer, 2));
}

// Who has noted that a path reaches notes it again only then.
TEST(PathHealthTest, CountsTheTroublesAfterWhichAPathHasToBeNotedAsReachedAgain) {
  PathHealth health(2, Up);
  const uint64_t none = health.troubles();
  health.NoteReached(kPeer, 0, kStart);
  EXPECT_EQ(health.troubles(), none);
  health.NoteSilence(kPeer, 0, milliseconds(1), kStart);
  const uint64_t silent = health.troubles();
  EXPECT_NE(silent, none);
  health.NoteFailed(kPeer, 0, kWhy, kStart);
  EXPECT_NE(health.troubles(), silent);
}

TEST(PathHealthTest, ADeviceIsTriedOnceALane) {
  PathHealth health(2, Up);
  EXPECT_EQ(health.Take(kPeer, {0})->device(), 1u);
  EXPECT_EQ(health.Take(kPeer, {0, 1}), nullptr);
}

TEST(PathHealthTest, ADeviceThatIsDownTakesNoLane) {
  bool up = false;
  PathHealth health(2, [&up](size_t device) { return up || device == 1; });
  Places places;
  for (int i = 0; i < 2; ++i) places.push_back(health.Take(kPeer, {}));
  EXPECT_EQ(places.front()->device(), 1u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 1));
  up = true;
  EXPECT_TRUE(health.IsCrowded(kPeer, 1));
  EXPECT_EQ(health.Take(kPeer, {})->device(), 0u);
}

TEST(PathHealthTest, WhatHasFailedIsLeftAloneForLongerEachTimeAndThenTriedFirst) {
  PathHealth health(1, Up);
  TimePoint now = kStart;
  for (const auto wait : {seconds(1), seconds(2), seconds(4), seconds(8)}) {
    for (int lane = 0; lane < 4; ++lane) health.NoteFailed(kPeer, 0, kWhy, now);  // together
    now += wait;
    EXPECT_EQ(health.Take(kPeer, {}), nullptr);
    EXPECT_EQ(health.WhyNot(kPeer), kWhy);
    EXPECT_FALSE(health.IsToBeTried(kPeer, now - milliseconds(1)));
    EXPECT_EQ(health.TakeToTry(kPeer, {}, now - milliseconds(1)), nullptr);
    EXPECT_TRUE(health.IsToBeTried(kOther, now - milliseconds(1)));
    EXPECT_TRUE(health.IsToBeTried(kPeer, now));
    EXPECT_NE(health.TakeToTry(kPeer, {}, now), nullptr);
    EXPECT_EQ(health.Take(kPeer, {}), nullptr) << "no copy waits for it before";
  }
  health.NoteReached(kPeer, 0, now);
  EXPECT_NE(health.Take(kPeer, {}), nullptr);
  EXPECT_FALSE(health.IsToBeTried(kPeer, now));
  health.NoteFailed(kPeer, 0, kWhy, now);
  EXPECT_TRUE(health.IsToBeTried(kPeer, now + seconds(1)));
}

TEST(PathHealthTest, OneDeviceThatReachesAPeerIsEnoughToBegin) {
  PathHealth health(2, Up);
  EXPECT_FALSE(health.IsReached(kPeer));
  EXPECT_TRUE(health.IsToBeTried(kPeer, kStart));
  health.NoteFailed(kPeer, 0, kWhy, kStart);
  EXPECT_TRUE(health.WhyNot(kPeer).ok()) << "the other one has not failed";
  EXPECT_EQ(health.TakeToTry(kPeer, {}, kStart)->device(), 1u);
  health.NoteReached(kPeer, 1, kStart);
  EXPECT_TRUE(health.IsReached(kPeer));
  EXPECT_FALSE(health.IsToBeTried(kPeer, kStart));
  EXPECT_EQ(health.TakeToTry(kPeer, {}, kStart + seconds(1))->device(), 0u);
}

TEST(PathHealthTest, SilenceThatNobodyCouldWaitForAddsUp) {
  PathHealth health(1, Up);
  health.NoteReached(kPeer, 0, kStart);
  health.NoteSilence(kPeer, 0, milliseconds(150), kStart);
  EXPECT_TRUE(health.IsReached(kPeer));
  health.NoteReached(kPeer, 0, kStart);  // something came
  health.NoteSilence(kPeer, 0, milliseconds(150), kStart);
  EXPECT_TRUE(health.IsReached(kPeer));
  health.NoteSilence(kPeer, 0, milliseconds(50), kStart);
  EXPECT_FALSE(health.IsReached(kPeer));
  EXPECT_EQ(health.Take(kPeer, {}), nullptr);
}

TEST(PathHealthTest, ADeviceThatComesBackTakesItsShareOfLanes) {
  PathHealth health(2, Up);
  health.NoteFailed(kPeer, 0, kWhy, kStart);
  Places places;
  for (int i = 0; i < 4; ++i) places.push_back(health.Take(kPeer, {}));
  EXPECT_EQ(places.back()->device(), 1u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 1)) << "there is nowhere else to go";
  health.NoteReached(kPeer, 0, kStart + seconds(1));
  for (int moved = 0; moved < 2; ++moved) {
    EXPECT_TRUE(health.IsCrowded(kPeer, 1));
    places.erase(places.begin());
    places.push_back(health.Take(kPeer, {}));
    EXPECT_EQ(places.back()->device(), 0u);
  }
  EXPECT_FALSE(health.IsCrowded(kPeer, 1));
  EXPECT_FALSE(health.IsCrowded(kPeer, 0));
}

TEST(PathHealthTest, CrossingIsTriedAgainLater) {
  PathHealth health(2, Up);
  EXPECT_TRUE(health.MayCross(kPeer, 0, kStart));
  health.NoteCrossing(kPeer, 0, false, kStart);
  EXPECT_FALSE(health.MayCross(kPeer, 0, kStart));
  health.NoteReached(kPeer, 0, kStart + seconds(1));  // by the device of the same number
  EXPECT_FALSE(health.MayCross(kPeer, 0, kStart + seconds(599)));
  EXPECT_TRUE(health.MayCross(kPeer, 0, kStart + seconds(600)));
  health.NoteCrossing(kPeer, 0, false, kStart);
  health.NoteCrossing(kPeer, 0, true, kStart + seconds(1));  // nor did that one lead there
  EXPECT_TRUE(health.MayCross(kPeer, 0, kStart + seconds(1)));
}

}  // namespace
}  // namespace kvstore::transfer
