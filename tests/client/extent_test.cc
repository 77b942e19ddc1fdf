#include "client/extent.h"

#include <gtest/gtest.h>

namespace kvstore::client {
namespace {

constexpr uint64_t kGranule = 4096;
constexpr uint64_t kAll = 64 * kGranule;
constexpr uint64_t kStep = 16 * kGranule;

using What = Extent::What;

class ExtentTest : public ::testing::Test {
 protected:
  // Touches and gives back until there is nothing left to do; the limits that were given back to.
  std::vector<uint64_t> Work() {
    std::vector<uint64_t> released;
    while (true) {
      const Extent::Work work = extent_.Next(kStep);
      if (work.what == What::kNothing) return released;
      if (work.what == What::kTouch) {
        EXPECT_EQ(work.begin, extent_.ready());
        EXPECT_LE(work.end - work.begin, kStep);
        extent_.Touched(work.end);
      } else {
        released.push_back(extent_.BeginGivingBack());
      }
    }
  }

  Extent extent_{kAll, kGranule};
};

TEST_F(ExtentTest, AllIsLentAndNothingIsThereAtFirst) {
  EXPECT_EQ(extent_.told(), kAll);
  EXPECT_EQ(extent_.ready(), 0u);
  EXPECT_EQ(extent_.Next(kStep).what, What::kNothing);
}

TEST_F(ExtentTest, PagesComeStepByStepAsFarAsTheyAreAskedFor) {
  EXPECT_FALSE(extent_.Prepare(20 * kGranule - 1));
  EXPECT_EQ(extent_.Next(kStep).end, kStep);
  Work();
  EXPECT_EQ(extent_.ready(), 20 * kGranule);
  EXPECT_TRUE(extent_.Prepare(kGranule));
  EXPECT_FALSE(extent_.Prepare(UINT64_MAX));
  Work();
  EXPECT_EQ(extent_.ready(), kAll);
  EXPECT_TRUE(extent_.Prepare(UINT64_MAX));
}

TEST_F(ExtentTest, ASmallerWishChangesNothingBeforeTheMasterSaysWhereItEnds) {
  extent_.Prepare(kAll);
  Work();
  extent_.Wish(8 * kGranule);
  EXPECT_EQ(extent_.told(), kAll);
  EXPECT_EQ(extent_.told_wish(), 8 * kGranule);
  EXPECT_TRUE(Work().empty());
  extent_.Release(8 * kGranule);
  const Extent::Work work = extent_.Next(kStep);
  EXPECT_EQ(work.what, What::kGiveBack);
  EXPECT_EQ(work.begin, 8 * kGranule);
  EXPECT_EQ(work.end, kAll);
  EXPECT_EQ(extent_.ready(), 8 * kGranule) << "nothing was given back yet, but it will be";
  EXPECT_EQ(Work(), std::vector<uint64_t>{8 * kGranule});
  EXPECT_EQ(extent_.ready(), 8 * kGranule);
  EXPECT_EQ(extent_.told(), 8 * kGranule);
}

TEST_F(ExtentTest, WhatWasReleasedIsLentAgainWhenTheMasterAsksForItsPages) {
  extent_.Prepare(kAll);
  Work();
  extent_.Wish(0);
  extent_.Release(0);
  Work();
  EXPECT_EQ(extent_.told(), 0u);
  EXPECT_TRUE(extent_.Prepare(kAll)) << "beyond the wish there are no pages to wait for";
  extent_.Wish(32 * kGranule);
  EXPECT_EQ(extent_.told(), 32 * kGranule);
  EXPECT_EQ(extent_.end(), 0u);
  EXPECT_FALSE(extent_.Prepare(kAll));
  Work();
  EXPECT_EQ(extent_.ready(), 32 * kGranule);
}

// Before the master asks for any page of it, what it was told may be taken back.
TEST_F(ExtentTest, WhatWasToldIsLentUntilTheMasterSaysWhereItEnds) {
  extent_.Wish(0);
  extent_.Release(0);
  Work();
  extent_.Wish(32 * kGranule);
  extent_.Tell();
  extent_.Wish(0);
  EXPECT_EQ(extent_.told(), 32 * kGranule) << "else nobody tells the master of the smaller wish";
  EXPECT_EQ(extent_.told_wish(), 0u);
  extent_.Release(0);
  EXPECT_EQ(extent_.told(), 0u);
}

TEST_F(ExtentTest, AWishThatNobodyWasToldIsTakenBackInSilence) {
  extent_.Wish(0);
  extent_.Release(0);
  Work();
  extent_.Wish(32 * kGranule);
  extent_.Wish(0);
  EXPECT_EQ(extent_.told(), 0u);
}

TEST_F(ExtentTest, PagesThatAreAskedForAgainAreNotGivenBack) {
  extent_.Prepare(kAll);
  Work();
  extent_.Release(8 * kGranule);
  extent_.Prepare(16 * kGranule);
  EXPECT_TRUE(Work().empty());
  EXPECT_EQ(extent_.ready(), kAll);
}

TEST_F(ExtentTest, WhatIsStillToBeGivenBackIsNotReadyThoughMoreIsWishedAgain) {
  extent_.Prepare(kAll);
  Work();
  extent_.Wish(8 * kGranule);
  extent_.Release(8 * kGranule);
  extent_.Wish(kAll);
  EXPECT_EQ(extent_.told(), kAll);
  EXPECT_EQ(extent_.ready(), 8 * kGranule);
  EXPECT_EQ(Work(), std::vector<uint64_t>{8 * kGranule});
  EXPECT_EQ(extent_.ready(), 8 * kGranule);
  EXPECT_FALSE(extent_.Prepare(kAll));
  Work();
  EXPECT_EQ(extent_.ready(), kAll);
}

TEST_F(ExtentTest, WithoutPagesTheSegmentEndsUntilTheWishIsRepeated) {
  extent_.Prepare(kAll);
  extent_.Touched(kStep);
  extent_.Failed("none left");
  EXPECT_EQ(extent_.told(), kStep);
  EXPECT_EQ(extent_.told_wish(), kStep);
  EXPECT_TRUE(extent_.Prepare(kAll));
  EXPECT_EQ(extent_.Next(kStep).what, What::kNothing);
  extent_.Wish(kAll);
  EXPECT_EQ(extent_.told(), kAll);
  EXPECT_FALSE(extent_.Prepare(kAll));
  Work();
  EXPECT_EQ(extent_.ready(), kAll);
}

TEST_F(ExtentTest, AnotherIncarnationHasThePagesThatAreThereAndOldOrdersAreOver) {
  extent_.Prepare(kAll);
  extent_.Touched(kStep);
  extent_.Release(0);
  extent_.Restart();
  EXPECT_TRUE(Work().empty());
  EXPECT_EQ(extent_.ready(), kStep);
  EXPECT_EQ(extent_.told(), kAll);
}

}  // namespace
}  // namespace kvstore::client
