#include "master/http_target.h"

#include <cstdint>
#include <utility>

namespace kvstore::master {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

int HexValue(char c) {
  const size_t at = kDigits.find(c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

Result<std::string> DecodePercent(std::string_view text, bool plus_is_space) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return InvalidArgumentError("a % in the URL is not followed by two hexadecimal digits");
    }
    bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return bytes;
}

std::string EncodePercent(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (IsPlain(c)) {
      text += c;
    } else {
      text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return text;
}

Result<HttpTarget> ParseTarget(std::string_view target) {
  HttpTarget parsed;
  const size_t mark = target.find('?');
  parsed.path = target.substr(0, mark);
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    KVSTORE_ASSIGN_OR_RETURN(std::string name, DecodePercent(pair.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      KVSTORE_ASSIGN_OR_RETURN(value, DecodePercent(pair.substr(equals + 1), true));
    }
    if (!parsed.parameters.emplace(std::move(name), std::move(value)).second) {
      return InvalidArgumentError("a parameter stands twice in the URL");
    }
  }
  return parsed;
}

}  // namespace kvstore::master
