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
  ASSERT_TRUE(plan.AddRead(pieces, {0, 8192}, ReplicaOf({{40960, 4096}, {0, 4096}}), 1).ok());
  ASSERT_EQ(plan.copies().size(), 2u);
  EXPECT_EQ(plan.copies()[0].guard->first, 40960u);
  EXPECT_EQ(plan.copies()[1].guard->first, 0u);
  ASSERT_EQ(plan.copies()[1].pieces.size(), 2u);
  EXPECT_EQ(plan.copies()[1].pieces[0].data, text.data() + 4096);
  EXPECT_EQ(plan.copies()[1].pieces[0].size, 6000u - 4096u);
  EXPECT_EQ(plan.copies()[1].pieces[1].data, text.data() + 6000);
}

TEST(CopyPlanTest, AnEmptyObjectIsWrittenWithoutACopy) {
  CopyPlan plan;
  const auto written = plan.AddWrite({}, 0, ReplicaOf({{0, 4096}}), 1);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->begin, written->end);
  EXPECT_TRUE(plan.copies().empty());
}

TEST(CopyPlanTest, WhereNoBytesAreReadTheGuardIsStillAsked) {
  CopyPlan plan;
  const auto read = plan.AddRead({}, {4096, 0}, ReplicaOf({{8192, 4096}}), 77);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->end - read->begin, 1u);
  const Copy& copy = plan.copies()[0];
  EXPECT_EQ(copy.peer, 77u);
  EXPECT_TRUE(copy.pieces.empty());
  EXPECT_EQ(copy.guard->first, 8192u);
  EXPECT_EQ(copy.guard->birth, ReplicaOf({}).birth);
  EXPECT_EQ(plan.AddRead({}, {0, 0}, ReplicaOf({}), 1).status().code(), StatusCode::kInternal);
}

TEST(CopyPlanTest, APartNamesTheFirstGranuleOfEachRangeThatItTouches) {
  std::string text(5000, '\0');
  const Piece piece{text.data(), text.size()};
  CopyPlan plan;
  // The last 96 bytes of the second range, and what follows in the third.
  const Replica replica = ReplicaOf({{0, 4096}, {40'960, 8192}, {20'480, 8192}, {81'920, 4096}});
  ASSERT_TRUE(plan.AddRead({&piece, 1}, {4096 + 8096, 4096}, replica, 1).ok());
  ASSERT_EQ(plan.copies().size(), 2u);
  EXPECT_EQ(plan.copies()[0].offset, 40'960u + 8096u);
  EXPECT_EQ(plan.copies()[0].guard->first, 40'960u);
  EXPECT_EQ(plan.copies()[0].pieces[0].size, 96u);
  EXPECT_EQ(plan.copies()[1].offset, 20'480u);
  EXPECT_EQ(plan.copies()[1].guard->first, 20'480u);
  EXPECT_EQ(plan.copies()[1].pieces[0].size, 4000u);
}

TEST(CopyPlanTest, APartBeyondTheRangesIsRefused) {
  std::string text(5000, '\0');
  const Piece piece{text.data(), text.size()};
  CopyPlan plan;
  for (const transfer::Stretch& part :
       {transfer::Stretch{4000, 97}, transfer::Stretch{UINT64_MAX, 5},
        transfer::Stretch{0, 5001}}) {
    EXPECT_EQ(plan.AddRead({&piece, 1}, part, ReplicaOf({{0, 4096}}), 1).status().code(),
              StatusCode::kInternal);
  }
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
  ASSERT_TRUE(plan.AddRead({&piece, 1}, {0, 4096}, ReplicaOf({{0, 4096}}), 1).ok());
  const Piece* first_list = plan.copies()[0].pieces.data();
  for (int i = 0; i < 1000; ++i) {
    const auto span = plan.AddRead({&piece, 1}, {0, 4096}, ReplicaOf({{0, 4096}}), 1);
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
  const auto size = *rc::gen::inRange<uint64_t>(1, capacity + 2);
  RC_PRE(size <= capacity);
  std::vector<Range> ranges;
  uint64_t granted = 0;
  while (granted < size) {
    const uint64_t length = 4096ull * *rc::gen::inRange(1, 4);
    ranges.push_back({granted * 2, length});
    granted += length;
  }

  CopyPlan plan;
  const auto span = plan.AddRead(pieces, {0, size}, ReplicaOf(ranges), 1);
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

// Copies that are carried out as they say bring the part's bytes, and no others.
RC_GTEST_PROP(CopyPlanProperty, APartIsReadFromWhereItLies, ()) {
  std::vector<Range> ranges;
  uint64_t granted = 0;
  for (int i = *rc::gen::inRange(1, 6); i > 0; --i) {
    const uint64_t length = 4096ull * *rc::gen::inRange(1, 4);
    ranges.insert(ranges.begin(), {granted * 2, length});  // not in the order of their offsets
    granted += length;
  }
  const auto size = *rc::gen::inRange<uint64_t>(1, granted + 1);
  const auto begin = *rc::gen::inRange<uint64_t>(0, size);
  const auto length = *rc::gen::inRange<uint64_t>(1, size - begin + 1);
  const auto byte_at = [](uint64_t offset) { return static_cast<char>(offset * 7 + offset / 251); };
  std::string expected;  // the object
  for (const Range& range : ranges) {
    for (uint64_t i = 0; i < range.length; ++i) expected += byte_at(range.offset + i);
  }
  expected = expected.substr(begin, length);

  std::string read(length + 1, '#');
  const auto cut = *rc::gen::inRange<uint64_t>(0, length + 1);
  const std::vector<Piece> pieces = {{read.data(), cut}, {read.data() + cut, length + 1 - cut}};
  CopyPlan plan;
  RC_ASSERT(plan.AddRead(pieces, {begin, length}, ReplicaOf(ranges), 1).ok());
  for (const Copy& copy : plan.copies()) {
    uint64_t from = copy.offset;
    for (const Piece& piece : copy.pieces) {
      for (uint64_t i = 0; i < piece.size; ++i) static_cast<char*>(piece.data)[i] = byte_at(from++);
    }
  }
  RC_ASSERT(read == expected + "#");
}

}  // namespace
}  // namespace kvstore::client
