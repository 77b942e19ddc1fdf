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

const TimePoint kStart = TimePoint(seconds(1000));

TEST(PathHealthTest, LanesThatAreOpenedAtOnceTakeDevicesInTurn) {
  PathHealth health(2, Up);
  Places places;
  for (int i = 0; i < 4; ++i) places.push_back(health.Take(kPeer, {}, kStart));
  EXPECT_EQ(places[0]->device() + places[1]->device(), 1u);
  EXPECT_EQ(places[2]->device() + places[3]->device(), 1u);
  const size_t left = places[0]->device();
  places.erase(places.begin());
  EXPECT_EQ(health.Take(kPeer, {}, kStart)->device(), left);
}

TEST(PathHealthTest, ADeviceThatIsFarIsTakenWhereNoOtherLeads) {
  bool up = true;
  PathHealth health(
      3, [&up](size_t device) { return up || device == 2; },
      [](size_t device) { return device < 2; });
  Places places;
  for (int i = 0; i < 4; ++i) {
    places.push_back(health.Take(kPeer, {}, kStart));
    EXPECT_LT(places.back()->device(), 2u);
  }
  EXPECT_FALSE(health.IsCrowded(kPeer, 0, kStart)) << "a far device is no better with fewer lanes";
  up = false;
  places.push_back(health.Take(kPeer, {}, kStart));
  EXPECT_EQ(places.back()->device(), 2u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 2, kStart));
  up = true;
  EXPECT_TRUE(health.IsCrowded(kPeer, 2, kStart));
}

TEST(PathHealthTest, ADeviceIsTriedOnceALane) {
  PathHealth health(2, Up);
  EXPECT_EQ(health.Take(kPeer, {0}, kStart)->device(), 1u);
  EXPECT_EQ(health.Take(kPeer, {0, 1}, kStart), nullptr);
}

TEST(PathHealthTest, ADeviceThatIsDownTakesNoLane) {
  bool up = false;
  PathHealth health(2, [&up](size_t device) { return up || device == 1; });
  Places places;
  for (int i = 0; i < 2; ++i) places.push_back(health.Take(kPeer, {}, kStart));
  EXPECT_EQ(places.front()->device(), 1u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 1, kStart));
  up = true;
  EXPECT_TRUE(health.IsCrowded(kPeer, 1, kStart));
  EXPECT_EQ(health.Take(kPeer, {}, kStart)->device(), 0u);
}

TEST(PathHealthTest, WhatHasFailedIsLeftAloneForLongerEachTime) {
  PathHealth health(1, Up);
  TimePoint now = kStart;
  for (const auto wait : {seconds(1), seconds(2), seconds(4), seconds(8)}) {
    for (int lane = 0; lane < 4; ++lane) health.NoteFailed(kPeer, 0, now);  // together
    now += wait;
    EXPECT_EQ(health.Take(kPeer, {}, now - milliseconds(1)), nullptr);
    EXPECT_FALSE(health.MayReach(kPeer, now - milliseconds(1)));
    EXPECT_TRUE(health.MayReach(kOther, now - milliseconds(1)));
    EXPECT_NE(health.Take(kPeer, {}, now), nullptr);
    EXPECT_TRUE(health.MayReach(kPeer, now));
  }
  health.NoteReached(kPeer, 0);
  health.NoteFailed(kPeer, 0, now);
  EXPECT_TRUE(health.MayReach(kPeer, now + seconds(1)));
}

TEST(PathHealthTest, ADeviceThatComesBackTakesItsShareOfLanes) {
  PathHealth health(2, Up);
  health.NoteFailed(kPeer, 0, kStart);
  Places places;
  for (int i = 0; i < 4; ++i) places.push_back(health.Take(kPeer, {}, kStart));
  EXPECT_EQ(places.back()->device(), 1u);
  EXPECT_FALSE(health.IsCrowded(kPeer, 1, kStart)) << "there is nowhere else to go";
  for (int moved = 0; moved < 2; ++moved) {
    EXPECT_TRUE(health.IsCrowded(kPeer, 1, kStart + seconds(1)));
    places.erase(places.begin());
    places.push_back(health.Take(kPeer, {}, kStart + seconds(1)));
    EXPECT_EQ(places.back()->device(), 0u);
  }
  EXPECT_FALSE(health.IsCrowded(kPeer, 1, kStart + seconds(1)));
  EXPECT_FALSE(health.IsCrowded(kPeer, 0, kStart + seconds(1)));
}

}  // namespace
}  // namespace kvstore::transfer
