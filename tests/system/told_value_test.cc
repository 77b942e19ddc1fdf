#include "system/told_value.h"

#include <gtest/gtest.h>

namespace kvstore::cluster {
namespace {

TEST(ToldValueTest, TellsItsVersion) {
  for (const size_t cells : {1u, 2u, 100u}) {
    EXPECT_EQ(VersionTold("key", ToldValue("key", 7, cells)), 7u) << cells;
    EXPECT_EQ(VersionTold("key", ToldValue("key", 7, cells, 5), 5), 7u) << cells;
  }
}

TEST(ToldValueTest, EveryFlippedBitIsNoticed) {
  for (const size_t cells : {1u, 2u, 64u}) {
    const std::string value = ToldValue("key", 7, cells);
    for (size_t bit = 0; bit < value.size() * 8; ++bit) {
      std::string flipped = value;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      ASSERT_EQ(VersionTold("key", flipped), std::nullopt) << cells << " cells, bit " << bit;
    }
  }
}

TEST(ToldValueTest, BytesOfAnotherKeyPlaceOrVersionAreNoticed) {
  const std::string value = ToldValue("key", 7, 4);
  const std::string newer = ToldValue("key", 8, 4);
  EXPECT_EQ(VersionTold("other", value), std::nullopt);
  EXPECT_EQ(VersionTold("key", value, 1), std::nullopt);
  EXPECT_EQ(VersionTold("key", value.substr(0, 32) + newer.substr(32)), std::nullopt);
  EXPECT_EQ(VersionTold("key", value.substr(16) + value.substr(0, 16)), std::nullopt);
  EXPECT_EQ(VersionTold("key", value.substr(0, 63)), std::nullopt);
  EXPECT_EQ(VersionTold("key", ""), std::nullopt);
}

}  // namespace
}  // namespace kvstore::cluster
