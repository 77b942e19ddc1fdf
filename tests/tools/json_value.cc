#include "tools/json_value.h"

#include <charconv>
#include <cstdint>
#include <utility>

namespace kvstore::text {
namespace {

constexpr JsonValue kNone{nullptr};
constexpr int kDeepest = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<JsonValue> Whole() {
    std::optional<JsonValue> value = Value(0);
    Blanks();
    return rest_.empty() ? value : std::nullopt;
  }

 private:
  void Blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
  bool Take(std::string_view token) {
    Blanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::optional<JsonValue> Value(int depth) {
    if (depth > kDeepest) return std::nullopt;
    if (Take("null")) return JsonValue{nullptr};
    if (Take("true")) return JsonValue{true};
    if (Take("false")) return JsonValue{false};
    if (Take("[")) return Array(depth);
    if (Take("{")) return Object(depth);
    if (Take("\"")) return String();
    return Number();
  }

  std::optional<JsonValue> Array(int depth) {
    JsonValue::Array items;
    if (Take("]")) return JsonValue{items};
    do {
      std::optional<JsonValue> item = Value(depth + 1);
      if (!item) return std::nullopt;
      items.push_back(*std::move(item));
    } while (Take(","));
    if (!Take("]")) return std::nullopt;
    return JsonValue{items};
  }

  std::optional<JsonValue> Object(int depth) {
    JsonValue::Object members;
    if (Take("}")) return JsonValue{members};
    do {
      if (!Take("\"")) return std::nullopt;
      const std::optional<JsonValue> name = String();
      if (!name || !Take(":")) return std::nullopt;
      std::optional<JsonValue> value = Value(depth + 1);
      if (!value || !members.emplace(name->text(), *std::move(value)).second) return std::nullopt;
    } while (Take(","));
    if (!Take("}")) return std::nullopt;
    return JsonValue{members};
  }

  // Behind the opening quote. Escapes beyond \u007f are not written by us and not read here.
  std::optional<JsonValue> String() {
    std::string text;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return JsonValue{text};
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        text += c;
      } else if (!Escape(&text)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool Escape(std::string* text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    if (const size_t at = kLetters.find(letter); at != std::string_view::npos) {
      *text += kMeanings[at];
      return true;
    }
    uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + std::min<size_t>(4, rest_.size()), code, 16);
    if (letter != 'u' || error != std::errc() || end != rest_.data() + 4 || code > 0x7f) {
      return false;
    }
    *text += static_cast<char>(code);
    rest_.remove_prefix(4);
    return true;
  }

  std::optional<JsonValue> Number() {
    Blanks();
    double number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return JsonValue{number};
  }

  std::string_view rest_;
};

}  // namespace

std::optional<JsonValue> JsonValue::Parse(std::string_view text) { return Parser(text).Whole(); }

const JsonValue& JsonValue::operator[](std::string_view name) const {
  const auto* members = std::get_if<Object>(&value);
  if (members == nullptr) return kNone;
  const auto found = members->find(name);
  return found == members->end() ? kNone : found->second;
}

const JsonValue& JsonValue::operator[](size_t at) const {
  const auto* items = std::get_if<Array>(&value);
  return items == nullptr || at >= items->size() ? kNone : (*items)[at];
}

size_t JsonValue::size() const {
  if (const auto* items = std::get_if<Array>(&value)) return items->size();
  if (const auto* members = std::get_if<Object>(&value)) return members->size();
  return 0;
}

std::string JsonValue::text() const {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? "" : *text;
}

double JsonValue::number() const {
  const auto* number = std::get_if<double>(&value);
  return number == nullptr ? -1 : *number;
}

}  // namespace kvstore::text
