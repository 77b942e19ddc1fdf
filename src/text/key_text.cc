#include "text/key_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace kvstore::text {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

uint8_t Byte(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

int HexValue(char c) {
  const size_t at = kHexDigits.find(static_cast<char>(c >= 'A' && c <= 'F' ? c | 0x20 : c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// C0, DEL and C1: terminals obey them.
bool IsControl(std::string_view character) {
  const uint8_t first = Byte(character, 0);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return character.size() == 2 && first == 0xc2 && Byte(character, 1) < 0xa0;
}

// Marks that reorder what a terminal shows, U+202E among them.
bool TurnsDirection(std::string_view character) {
  if (character.size() != 3 || Byte(character, 0) != 0xe2) return false;
  const uint8_t middle = Byte(character, 1);
  const uint8_t last = Byte(character, 2);
  if (middle == 0x80) return (last >= 0x8e && last <= 0x8f) || (last >= 0xaa && last <= 0xae);
  return middle == 0x81 && last >= 0xa6 && last <= 0xa9;
}

// Where the character number `count` of UTF-8 begins; its size where there are no more.
size_t PlaceOf(std::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) {
    ++at;
    while (at < text.size() && (Byte(text, at) & 0xc0) == 0x80) ++at;
  }
  return at;
}

}  // namespace

size_t Utf8CharacterAt(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const uint8_t first = Byte(bytes, 0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < size) return 0;
  uint32_t code = first & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((Byte(bytes, i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (Byte(bytes, i) & 0x3f);
  }
  const bool shortest = size == 2 || code >= (size == 3 ? 0x800u : 0x10000u);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return shortest && !surrogate && code <= 0x10ffff ? size : 0;
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = Utf8CharacterAt(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string Escape(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t size = Utf8CharacterAt(bytes);
    const std::string_view character = bytes.substr(0, size);
    if (size > 0 && !IsControl(character) && !TurnsDirection(character)) {
      text += bytes[0] == '\\' ? std::string_view("\\\\") : bytes.substr(0, size);
      bytes.remove_prefix(size);
      continue;
    }
    const uint8_t byte = Byte(bytes, 0);
    text += {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    bytes.remove_prefix(1);
  }
  return text;
}

Result<std::string> Unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes += '\\';
      i += 1;
    } else if (i + 3 < text.size() && text[i + 1] == 'x' && HexValue(text[i + 2]) >= 0 &&
               HexValue(text[i + 3]) >= 0) {
      bytes += static_cast<char>(HexValue(text[i + 2]) * 16 + HexValue(text[i + 3]));
      i += 3;
    } else {
      return InvalidArgumentError("backslash at byte " + std::to_string(i) +
                                  " begins neither \\\\ nor \\xNN");
    }
  }
  return bytes;
}

std::string Shorten(std::string_view text, size_t most) {
  const auto characters = static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
  if (characters <= most) return std::string(text);
  constexpr std::string_view kGap = "...";
  const size_t before = (most - kGap.size()) / 2;
  const size_t after = most - kGap.size() - before;
  return std::string(text.substr(0, PlaceOf(text, before))) + std::string(kGap) +
         std::string(text.substr(PlaceOf(text, characters - after)));
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    const uint32_t three = static_cast<uint32_t>(Byte(bytes, i)) << 16 |
                           (left > 1 ? static_cast<uint32_t>(Byte(bytes, i + 1)) << 8 : 0) |
                           (left > 2 ? static_cast<uint32_t>(Byte(bytes, i + 2)) : 0);
    text += kDigits[three >> 18];
    text += kDigits[three >> 12 & 63];
    text += left > 1 ? kDigits[three >> 6 & 63] : '=';
    text += left > 2 ? kDigits[three & 63] : '=';
  }
  return text;
}

}  // namespace kvstore::text
