#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <sstream>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/json_value.h"
#include "tools/text/command_line.h"
#include "tools/text/table.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::text {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string_view View(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(UnitsTest, SizesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(*ParseBytes("4096"), 4096u);
  EXPECT_EQ(*ParseBytes("64KiB"), 65536u);
  EXPECT_EQ(*ParseBytes("64k"), 65536u);
  EXPECT_EQ(*ParseBytes("64K"), 65536u);
  EXPECT_EQ(*ParseBytes("1.5GiB"), 1536u << 20);
  EXPECT_EQ(*ParseBytes("2T"), uint64_t{2} << 40);
  EXPECT_EQ(*ParseBytes("17B"), 17u);
  EXPECT_EQ(*ParseBytes("0"), 0u);
  for (const char* bad : {"", "MiB", "1X", "1KiBs", "1Ki", "1Kb", "1iB", "-1", "99999999TiB",
                          "99999999TB", "nan", "1e3"}) {
    EXPECT_EQ(ParseBytes(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(UnitsTest, SizesInKilobytesAndTheirKindAreDecimal) {
  EXPECT_EQ(*ParseBytes("64KB"), 64'000u);
  EXPECT_EQ(*ParseBytes("64kB"), 64'000u);
  EXPECT_EQ(*ParseBytes("1.5MB"), 1'500'000u);
  EXPECT_EQ(*ParseBytes("1GB"), 1'000'000'000u);
  EXPECT_EQ(*ParseBytes("3TB"), 3'000'000'000'000u);
}

TEST(WaysTest, AreNamedWithCommasBetween) {
  using transfer::Way;
  EXPECT_THAT(*ParseWays("all"), ElementsAre());
  EXPECT_THAT(*ParseWays("tcp"), ElementsAre(Way::kTcp));
  EXPECT_THAT(*ParseWays("shm,local,tcp"), ElementsAre(Way::kShm, Way::kLocal, Way::kTcp));
  EXPECT_THAT(*ParseWays("rdma,tcp"), ElementsAre(Way::kRdma, Way::kTcp));
  for (const char* bad : {"", ",", "tcp,", "tcp,tcp", "tcp, shm", "TCP", "automatic", "all,tcp"}) {
    EXPECT_EQ(ParseWays(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(UnitsTest, TimesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(*ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("5"), seconds(5));
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("2m"), minutes(2));
  EXPECT_EQ(*ParseDuration("24h"), hours(24));
  for (const char* bad : {"", "0", "0s", "-1s", "5 s", "25h", "1d", "inf", "0.0000000001s"}) {
    EXPECT_EQ(ParseDuration(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(UnitsTest, NumbersAreWholeAndWithinTheirBounds) {
  EXPECT_EQ(*ParseNumber("8", 1, 8), 8u);
  for (const char* bad : {"0", "9", "", "3x", "-1", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(ParseNumber(bad, 1, 8).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(UnitsTest, AmountsAreShownInTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes((1u << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(FormatDuration(Duration(0)), "0 s");
  EXPECT_EQ(FormatDuration(std::chrono::microseconds(12)), "12 us");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1.5 s");
  EXPECT_EQ(FormatDuration(seconds(123)), "2 m 03 s");
  EXPECT_EQ(FormatDuration(hours(76)), "3 d 04 h");
}

TEST(KeyTextTest, EveryKeyIsShownInAFormThatCanBeTypedBack) {
  EXPECT_EQ(*Unescape(Escape("")), "");
  EXPECT_TRUE(rc::check([](const std::vector<uint8_t>& bytes) {
    const std::string shown = Escape(View(bytes));
    RC_ASSERT(*Unescape(shown) == View(bytes));
    RC_ASSERT(IsUtf8(shown));
    for (const char c : shown) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }));
}

TEST(KeyTextTest, ShowsPrintableUtf8AsItIsAndNothingElse) {
  EXPECT_EQ(Escape("model/7b/blöck-日本-🙂"), "model/7b/blöck-日本-🙂");
  EXPECT_EQ(Escape(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Escape("a\\b\x1b[2J"), "a\\\\b\\x1b[2J");
  EXPECT_EQ(Escape("\xc2\x9b"), "\\xc2\\x9b");                    // C1: terminals obey it
  EXPECT_EQ(Escape("\xc0\xaf"), "\\xc0\\xaf");                    // not the shortest form
  EXPECT_EQ(Escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(Escape("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  EXPECT_EQ(Escape("\xe6\x97"), "\\xe6\\x97");                    // cut off
}

TEST(KeyTextTest, ABackslashThatBeginsNoEscapeIsRefused) {
  for (const char* bad : {"\\", "a\\n", "\\x", "\\x1", "\\xg0"}) {
    EXPECT_EQ(Unescape(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(KeyTextTest, Base64HasTheVectorsOfItsRfc) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xff\xfe\xfd"), "//79");
}

TEST(JsonTest, EveryStringSurvivesAndStaysJson) {
  EXPECT_TRUE(rc::check([](const std::string& name, const std::vector<uint8_t>& bytes) {
    JsonWriter json;
    json.BeginObject();
    json.Member(name, View(bytes));
    json.EndObject();
    const std::optional<JsonValue> read = JsonValue::Parse(json.Take());
    RC_ASSERT(read.has_value());
    if (IsUtf8(name) && IsUtf8(View(bytes))) RC_ASSERT((*read)[name].text() == View(bytes));
  }));
}

TEST(JsonTest, NestsObjectsAndArrays) {
  JsonWriter json;
  json.BeginObject();
  json.Member("yes", true);
  json.Member("most", UINT64_MAX);
  json.Name("nothing"), json.Null();
  json.Name("none");
  json.BeginArray();
  json.EndArray();
  json.Name("rows");
  json.BeginArray();
  for (const uint32_t i : {1u, 2u}) {
    json.BeginObject();
    json.Member("i", i);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  const std::string text = json.Take();
  EXPECT_THAT(text, HasSubstr("18446744073709551615"));
  const std::optional<JsonValue> read = JsonValue::Parse(text);
  ASSERT_TRUE(read.has_value()) << text;
  EXPECT_EQ((*read)["rows"].size(), 2u);
  EXPECT_EQ((*read)["rows"][1]["i"].number(), 2);
  EXPECT_EQ((*read)["none"].size(), 0u);
  EXPECT_THAT(text, HasSubstr("\"nothing\": null,"));
}

TEST(JsonTest, AKeyThatIsNoTextIsGivenInBase64) {
  JsonWriter json;
  json.BeginArray();
  for (const char* key : {"text \"quoted\"\n", "\xff"}) {
    json.BeginObject();
    json.Key(key);
    json.EndObject();
  }
  json.EndArray();
  const std::optional<JsonValue> read = JsonValue::Parse(json.Take());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)[0]["key"].text(), "text \"quoted\"\n");
  EXPECT_EQ((*read)[1]["key_base64"].text(), "/w==");
  EXPECT_EQ((*read)[1].size(), 1u);
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"NAME"}, {"SIZE", Align::kRight}, {"NOTE"}});
  table.AddRow({"a", "5 B", ""});
  table.AddRow({"blöck", "12 KiB", "x"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "NAME     SIZE  NOTE\n"
            "a         5 B\n"
            "blöck  12 KiB  x\n");
}

constexpr std::array<Option, 3> kOptions = {{{"out", "o", "FILE", "where"},
                                             {"replace", "", "", "a switch"},
                                             {"master", "", "HOST:PORT", "whom"}}};

Result<CommandLine> Parse(const std::vector<const char*>& words) {
  return CommandLine::Parse(words, kOptions);
}

TEST(CommandLineTest, OptionsStandAnywhereBeforeTheDoubleDash) {
  const auto line =
      Parse({"key", "-o", "f", "--replace", "-master", "h:1", "-", "--", "-o", "--x"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->arguments(), ElementsAre("key", "-", "-o", "--x"));
  EXPECT_EQ(line->Get("out", ""), "f");
  EXPECT_EQ(line->Get("master", ""), "h:1");
  EXPECT_TRUE(line->Has("replace"));
}

TEST(CommandLineTest, AnEqualsSignGivesTheValueAndTheLastOneCounts) {
  const auto line = Parse({"--out=a=b", "--out="});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->Get("out", "x"), "");
}

TEST(CommandLineTest, WhatIsUnknownOrIncompleteIsNamed) {
  EXPECT_THAT(Parse({"--frobnicate=1"}).status().message(), HasSubstr("--frobnicate"));
  EXPECT_THAT(Parse({"--out"}).status().message(), HasSubstr("FILE"));
  EXPECT_THAT(Parse({"--replace=1"}).status().message(), HasSubstr("no value"));
}

TEST(KeyTextTest, MarksThatTurnTheDirectionAreNotShownRaw) {
  EXPECT_EQ(Escape("a\xe2\x80\xae"
                   "b"),
            "a\\xe2\\x80\\xae"
            "b");
  EXPECT_EQ(Escape("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");
  EXPECT_EQ(Escape("\xe2\x82\xac"), "\xe2\x82\xac");  // the euro sign
}

TEST(KeyTextTest, OnlyTextsThatAreTooLongAreShortenedAtWholeCharacters) {
  EXPECT_EQ(Shorten("0123456789", 10), "0123456789");
  EXPECT_EQ(Shorten("0123456789a", 10), "012...789a");
  EXPECT_EQ(Shorten("öäüöäüöäüöä", 9), "öäü...üöä");
}

}  // namespace
}  // namespace kvstore::text
