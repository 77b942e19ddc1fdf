// What people type and see: sizes, times, numbers, ways, options, keys of any bytes, and JSON.

#include "fuzz/target.h"
#include "text/json.h"
#include "text/key_text.h"
#include "tools/json_value.h"
#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore::fuzz {
namespace {

using namespace text;

void TakeQuantities(std::string_view text) {
  const Result<uint64_t> bytes = ParseBytes(text);
  if (bytes.ok()) Expect(!FormatBytes(*bytes).empty(), "sizes can be shown");
  const Result<Duration> time = ParseDuration(text);
  Expect(!time.ok() || (*time > Duration::zero() && *time <= std::chrono::hours(24)),
         "a time is more than nothing, and at most a day");
  const Result<uint64_t> number = ParseNumber(text, 3, 1000);
  Expect(!number.ok() || (*number >= 3 && *number <= 1000), "a number is within its bounds");
  const auto ways = ParseWays(text);
  Expect(!ways.ok() || ways->size() <= 3, "no way stands twice");
}

void TakeKey(std::string_view key) {
  const std::string shown = Escape(key);
  Expect(IsUtf8(shown), "a key is shown as UTF-8");
  Expect(shown.find_first_of(std::string_view("\n\r\x1b\0\x7f", 5)) == shown.npos,
         "no key commands a terminal");
  Expect(*Unescape(shown) == key, "a key's text stands for that key");
  const Result<std::string> typed = Unescape(key);
  if (typed.ok()) Expect(*Unescape(Escape(*typed)) == *typed, "what is typed can be shown");
  Expect(Shorten(shown, 12).size() <= 12 * 4, "a short text is short");
  for (const auto layout : {JsonWriter::Layout::kOneLine, JsonWriter::Layout::kIndented}) {
    JsonWriter json(layout);
    json.BeginObject();
    json.Key(key);
    json.Member("text", key);
    json.EndObject();
    const auto value = JsonValue::Parse(json.Take());
    Expect(value.has_value(), "what is written is JSON");
    Expect(!IsUtf8(key) || (*value)["key"].text() == key, "and says the same");
    Expect(IsUtf8(key) || !(*value)["key_base64"].text().empty(), "for any bytes");
  }
}

void TakeWords(std::string_view text) {
  static constexpr Option kOptions[] = {
      {"value", "v", "TEXT", ""}, {"switch", "s", "", ""}, {"other", "", "N", ""}};
  const std::vector<std::string> typed = Split(text, ' ');
  std::vector<const char*> words;
  for (const std::string& word : typed) words.push_back(word.c_str());
  const Result<CommandLine> line = CommandLine::Parse(words, kOptions);
  if (line.ok()) Expect(line->arguments().size() <= words.size(), "nobody types for you");
}

}  // namespace

void Take(std::string_view bytes) {
  TakeQuantities(bytes);
  TakeKey(bytes);
  TakeWords(bytes);
}

std::vector<std::string> Seeds() {
  return {"64KiB",
          "1.5GB",
          "500ms",
          "2m",
          "nan",
          "0.0000000001s",
          "local,shm",
          "a b --value=3 -s -- -v",
          "999",
          "\x1b[31m\xff",
          "\xe2\x80\xae a\\x41\\\\"};
}

}  // namespace kvstore::fuzz
