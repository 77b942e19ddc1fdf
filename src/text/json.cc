#include "text/json.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "text/key_text.h"

namespace kvstore::text {

void JsonWriter::Separate() {
  if (after_name_) {
    after_name_ = false;
    return;
  }
  if (has_items_.empty()) return;
  if (has_items_.back()) out_ += ',';
  has_items_.back() = true;
  NewLine();
}

void JsonWriter::NewLine() {
  if (layout_ == Layout::kOneLine) return;
  out_ += '\n';
  out_.append(2 * has_items_.size(), ' ');
}

void JsonWriter::Begin(char bracket) {
  Separate();
  out_ += bracket;
  has_items_.push_back(false);
}

void JsonWriter::End(char bracket) {
  const bool had_items = has_items_.back();
  has_items_.pop_back();
  if (had_items) NewLine();
  out_ += bracket;
}

void JsonWriter::Name(std::string_view name) {
  Separate();
  Quote(name);
  out_ += layout_ == Layout::kOneLine ? ":" : ": ";
  after_name_ = true;
}

void JsonWriter::String(std::string_view text) {
  Separate();
  Quote(text);
}

void JsonWriter::Number(uint64_t number) {
  Separate();
  out_ += std::to_string(number);
}

void JsonWriter::Decimal(double number, int digits) {
  Separate();
  std::array<char, 352> text{};  // the longest double has 309 digits before the point
  std::snprintf(text.data(), text.size(), "%.*f", std::min(digits, 17), number);
  out_ += text.data();
}

void JsonWriter::Bool(bool value) {
  Separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  Separate();
  out_ += "null";
}

void JsonWriter::Key(std::string_view key) {
  if (IsUtf8(key)) {
    Member("key", key);
  } else {
    Member("key_base64", Base64(key));
  }
}

std::string JsonWriter::Take() { return std::exchange(out_, {}) + "\n"; }

void JsonWriter::Quote(std::string_view text) {
  out_ += '"';
  while (!text.empty()) {
    const size_t size = Utf8CharacterAt(text);
    const unsigned char first = static_cast<unsigned char>(text[0]);
    if (size == 0) {
      out_ += "\xef\xbf\xbd";
    } else if (first == '"' || first == '\\') {
      out_ += {'\\', text[0]};
    } else if (first < 0x20 || first == 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", first);
      out_ += escaped.data();
    } else {
      out_ += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out_ += '"';
}

}  // namespace kvstore::text
