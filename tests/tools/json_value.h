#ifndef KVSTORE_TESTS_TOOLS_JSON_VALUE_H_
#define KVSTORE_TESTS_TOOLS_JSON_VALUE_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kvstore::text {

// A JSON value, read strictly (RFC 8259): what a script would see. Thread-compatible.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::map<std::string, JsonValue, std::less<>>;
  std::variant<std::nullptr_t, bool, double, std::string, Array, Object> value;

  // None: not exactly one JSON value, or a name stands twice in an object.
  static std::optional<JsonValue> Parse(std::string_view text);

  // A member, or null where there is none (or this is no object).
  const JsonValue& operator[](std::string_view name) const;
  const JsonValue& operator[](size_t at) const;
  size_t size() const;       // of an array or object, else 0
  std::string text() const;  // empty: no string
  double number() const;     // -1: no number
};

}  // namespace kvstore::text

#endif  // KVSTORE_TESTS_TOOLS_JSON_VALUE_H_
