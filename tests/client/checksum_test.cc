#include "client/checksum.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace kvstore::client {
namespace {

constexpr uint64_t kOfNothing = 0x2d06800538d394c2;  // XXH3-64 of no bytes, by its specification

uint64_t Whole(const std::string& text) {
  const ConstPiece piece{text.data(), text.size()};
  return Checksum({&piece, 1});
}

TEST(ChecksumTest, NothingHasTheChecksumOfNothingHoweverItIsCut) {
  EXPECT_EQ(Checksum({}), kOfNothing);
  const std::vector<ConstPiece> empty_pieces = {{nullptr, 0}, {"x", 0}, {nullptr, 0}};
  EXPECT_EQ(Checksum(empty_pieces), kOfNothing);
  const ConstPiece one{nullptr, 0};
  EXPECT_EQ(Checksum({&one, 1}), kOfNothing);
}

TEST(ChecksumTest, OnlyTheObjectsBytesAreCountedInLargerPieces) {
  std::string text = "abcdefgh";
  const std::vector<Piece> pieces = {{text.data(), 5}, {text.data() + 5, 3}};
  EXPECT_EQ(Checksum(pieces, 3), Whole("abc"));
  EXPECT_EQ(Checksum(pieces, 5), Whole("abcde"));
  EXPECT_EQ(Checksum(pieces, 6), Whole("abcdef"));
  EXPECT_EQ(Checksum(pieces, 0), kOfNothing);
  EXPECT_EQ(Checksum({pieces.data(), 1}, 2), Whole("ab"));
}

RC_GTEST_PROP(ChecksumTest, DoesNotDependOnHowTheBytesAreCut, (std::string text)) {
  std::vector<ConstPiece> pieces;
  std::vector<Piece> writable;
  for (size_t at = 0; at < text.size();) {
    if (*rc::gen::arbitrary<bool>()) pieces.push_back({nullptr, 0});
    const auto size = *rc::gen::inRange<size_t>(1, text.size() - at + 1);
    pieces.push_back({text.data() + at, size});
    writable.push_back({text.data() + at, size});
    at += size;
  }
  RC_ASSERT(Checksum(pieces) == Whole(text));
  RC_ASSERT(Checksum(writable, text.size()) == Whole(text));
}

// Whichever code the machine's vector units get.
TEST(ChecksumTest, IsTheOneOfTheSpecificationForLongInputs) {
  constexpr uint64_t kSpecified = 0x42c23aeead96750d;
  std::string text(100'000, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i % 251);
  EXPECT_EQ(Whole(text), kSpecified);
  const std::vector<ConstPiece> cut = {{text.data(), 33'333}, {text.data() + 33'333, 66'667}};
  EXPECT_EQ(Checksum(cut), kSpecified);
}

RC_GTEST_PROP(ChecksumTest, TheRunningOneIsTheSameHoweverMuchOfTheBytesItWasTold,
              (std::string text)) {
  std::vector<ConstPiece> pieces;
  std::vector<Piece> writable;
  for (size_t at = 0; at < text.size();) {
    const auto size = *rc::gen::inRange<size_t>(1, text.size() - at + 1);
    pieces.push_back({text.data() + at, size});
    writable.push_back({text.data() + at, size});
    at += size;
  }
  RunningChecksum put;
  RunningChecksum got;
  const auto end = *rc::gen::inRange<size_t>(0, text.size() + 1);
  for (size_t at = 0; at < end;) {
    const auto size = *rc::gen::inRange<size_t>(1, end - at + 1);
    const auto bytes = std::as_bytes(std::span(text)).subspan(at, size);
    put.Take(bytes);
    got.Take(bytes);
    at += size;
  }
  RC_ASSERT(put.Finish(pieces) == Whole(text));
  if (!writable.empty()) {
    std::string last(static_cast<char*>(writable.back().data), writable.back().size);
    last += "behind";
    writable.back() = {last.data(), last.size()};
    RC_ASSERT(got.Finish(writable, text.size()) == Whole(text));
  }
}

TEST(ChecksumTest, OneBitMakesAnotherChecksum) {
  std::string text(100'000, 'a');
  const uint64_t before = Whole(text);
  text[77'777] ^= 1;
  EXPECT_NE(Whole(text), before);
}

}  // namespace
}  // namespace kvstore::client
