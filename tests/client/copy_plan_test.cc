#include "client/copy_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace kvstore::client {
namespace {

using transfer::Access;
using transfer::Copy;

Replica ReplicaOf(std::vector<Range> ranges, uint64_t birth = 9) {
  return {.segment = {{1, 2}, 5}, .birth = birth, .ranges = std::move(ranges)};
}

TEST(CopyPlanTest, OneRangeMakesOneCopyGuardedByItsFirstGranule) {
  const std::string text(5000, 'x');
  const ConstPiece piece{text.data(), text.size()};
  CopyPlan plan;
  const auto span = plan.AddWrite({&piece, 1}, 5000, ReplicaOf({{4096, 8192}}), 77);
  ASSERT_TRUE(span.ok());
  ASSERT_EQ(plan.copies().size(), 1u);
  const Copy& copy = plan.copies()[0];
  EXPECT_EQ(copy.access, Access::kWrite);
  EXPECT_EQ(copy.peer, 77u);
  EXPECT_EQ(copy.region, 5u);
  EXPECT_EQ(copy.offset, 4096u);
  ASSERT_TRUE(copy.guard.has_value());
  EXPECT_EQ(copy.guard->first, 4096u);
  EXPECT_EQ(copy.guard->birth, 9u);
  ASSERT_EQ(copy.pieces.size(), 1u);
  EXPECT_EQ(copy.pieces[0].data, text.data());
  EXPECT_EQ(copy.pieces[0].size, 5000u);
}

TEST(CopyPlanTest, EachRangeHasItsOwnGuardAndAPieceMaySpanTwo) {
  std::string text(8192, 'x');
  const std::vector<Piece> pieces = {{text.data(), 6000}, {text.data() + 6000, 2192}};
  CopyPlan plan;
  ASSERT_TRUE(plan.AddRead(pieces, 8192, ReplicaOf({{40960, 4096}, {0, 4096}}), 1).ok());
  ASSERT_EQ(plan.copies().size(), 2u);
  EXPECT_EQ(plan.copies()[0].guard->first, 40960u);
  EXPECT_EQ(plan.copies()[1].guard->first, 0u);
  ASSERT_EQ(plan.copies()[1].pieces.size(), 2u);
  EXPECT_EQ(plan.copies()[1].pieces[0].data, text.data() + 4096);
  EXPECT_EQ(plan.copies()[1].pieces[0].size, 6000u - 4096u);
  EXPECT_EQ(plan.copies()[1].pieces[1].data, text.data() + 6000);
}

TEST(CopyPlanTest, AnEmptyObjectNeedsNoCopy) {
  CopyPlan plan;
  const auto written = plan.AddWrite({}, 0, ReplicaOf({{0, 4096}}), 1);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->begin, written->end);
  ASSERT_TRUE(plan.AddRead({}, 0, ReplicaOf({{0, 4096}}), 1).ok());
  EXPECT_TRUE(plan.copies().empty());
}

TEST(CopyPlanTest, SlackThatIsAWholeRangeIsLeftAlone) {
  const ConstPiece piece{"x", 1};
  CopyPlan plan;
  ASSERT_TRUE(plan.AddWrite({&piece, 1}, 1, ReplicaOf({{0, 4096}, {8192, 4096}}), 1).ok());
  EXPECT_EQ(plan.copies().size(), 1u);
}

TEST(CopyPlanTest, RangesOrPiecesThatAreTooSmallMakeNoCopyAtAll) {
  const std::string text(5000, 'x');
  const ConstPiece piece{text.data(), text.size()};
  CopyPlan plan;
  EXPECT_EQ(plan.AddWrite({&piece, 1}, 5000, ReplicaOf({{0, 4096}}), 1).status().code(),
            StatusCode::kInternal);
  EXPECT_EQ(plan.AddWrite({&piece, 1}, 5001, ReplicaOf({{0, 8192}}), 1).status().code(),
            StatusCode::kInternal);
  EXPECT_TRUE(plan.copies().empty());
}

TEST(CopyPlanTest, SizesAreNotCutTo32Bits) {
  // One window of memory, named again and again: 5 GiB in pieces of 1 GiB; nothing is touched.
  constexpr uint64_t kGiB = 1ull << 30;
  char window = 0;
  const std::vector<ConstPiece> pieces(5, ConstPiece{&window, kGiB});
  CopyPlan plan;
  ASSERT_TRUE(
      plan.AddWrite(pieces, 5 * kGiB, ReplicaOf({{8 * kGiB, 4 * kGiB + 4096}, {0, kGiB}}), 1).ok());
  ASSERT_EQ(plan.copies().size(), 2u);
  EXPECT_EQ(plan.copies()[0].pieces.size(), 5u);
  EXPECT_EQ(plan.copies()[0].pieces[4].size, 4096u);
  EXPECT_EQ(plan.copies()[1].pieces.size(), 1u);
  EXPECT_EQ(plan.copies()[1].pieces[0].size, kGiB - 4096);
}

TEST(CopyPlanTest, EarlierScatterListsStayWhereTheyAre) {
  std::string text(4096, 'x');
  const Piece piece{text.data(), text.size()};
  CopyPlan plan;
  ASSERT_TRUE(plan.AddRead({&piece, 1}, 4096, ReplicaOf({{0, 4096}}), 1).ok());
  const Piece* first_list = plan.copies()[0].pieces.data();
  for (int i = 0; i < 1000; ++i) {
    const auto span = plan.AddRead({&piece, 1}, 4096, ReplicaOf({{0, 4096}}), 1);
    ASSERT_TRUE(span.ok());
    ASSERT_EQ(span->begin + 1, span->end);
  }
  EXPECT_EQ(plan.copies()[0].pieces.data(), first_list);
  EXPECT_EQ(first_list->data, text.data());
}

// Every byte of the object goes into exactly one copy, in order, and no range is overrun.
RC_GTEST_PROP(CopyPlanProperty, BytesAreCoveredExactlyOnceAndInOrder, ()) {
  const auto piece_sizes = *rc::gen::container<std::vector<uint16_t>>(rc::gen::inRange(0, 9000));
  uint64_t capacity = 0;
  for (const uint64_t size : piece_sizes) capacity += size;
  std::string text(capacity + 1, '\0');
  std::vector<Piece> pieces;
  uint64_t at = 0;
  for (const uint64_t size : piece_sizes) {
    pieces.push_back({text.data() + at, size});
    at += size;
  }
  const auto size = *rc::gen::inRange<uint64_t>(0, capacity + 1);
  std::vector<Range> ranges;
  uint64_t granted = 0;
  while (granted < size) {
    const uint64_t length = 4096ull * *rc::gen::inRange(1, 4);
    ranges.push_back({granted * 2, length});
    granted += length;
  }

  CopyPlan plan;
  const auto span = plan.AddRead(pieces, size, ReplicaOf(ranges), 1);
  RC_ASSERT(span.ok());
  RC_ASSERT(span->begin == 0u && span->end == plan.copies().size());
  RC_ASSERT(plan.copies().size() == ranges.size());
  const char* next = text.data();
  for (size_t i = 0; i < ranges.size(); ++i) {
    const Copy& copy = plan.copies()[i];
    RC_ASSERT(copy.offset == ranges[i].offset);
    RC_ASSERT(copy.guard->first == ranges[i].offset);
    uint64_t bytes = 0;
    for (const Piece& piece : copy.pieces) {
      RC_ASSERT(piece.size > 0u);
      const bool in_order = piece.data == next;
      RC_ASSERT(in_order);
      next += piece.size;
      bytes += piece.size;
    }
    RC_ASSERT(bytes <= ranges[i].length);
    RC_ASSERT(bytes == ranges[i].length || i + 1 == ranges.size());
  }
  RC_ASSERT(static_cast<uint64_t>(next - text.data()) == size);
}

}  // namespace
}  // namespace kvstore::client
