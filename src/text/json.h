#ifndef KVSTORE_SRC_TEXT_JSON_H_
#define KVSTORE_SRC_TEXT_JSON_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvstore::text {

// Writes one JSON value (RFC 8259). The caller opens and closes in order and gives a name to every
// value of an object. Thread-compatible.
class JsonWriter {
 public:
  enum class Layout : uint8_t {
    kIndented,  // by two spaces
    kOneLine,
  };
  explicit JsonWriter(Layout layout = Layout::kIndented) : layout_(layout) {}

  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('['); }
  void EndArray() { End(']'); }
  // The name of the object's next value.
  void Name(std::string_view name);

  // UTF-8; each byte that is not becomes U+FFFD, so that the whole stays JSON.
  void String(std::string_view text);
  void Number(uint64_t number);
  // Finite, with so many digits after the point.
  void Decimal(double number, int digits);
  void Bool(bool value);
  void Null();

  void Member(std::string_view name, std::string_view text) { Name(name), String(text); }
  void Member(std::string_view name, const char* text) { Name(name), String(text); }
  void Member(std::string_view name, std::same_as<bool> auto value) { Name(name), Bool(value); }
  void Member(std::string_view name,
              std::unsigned_integral auto number) requires(!std::same_as<decltype(number), bool>) {
    Name(name), Number(number);
  }
  // "key": the text, if the key is UTF-8; else "key_base64".
  void Key(std::string_view key);

  size_t size() const { return out_.size(); }  // in bytes, so far
  // The value and a line's end. Once, when all is closed.
  std::string Take();

 private:
  void Begin(char bracket);
  void End(char bracket);
  // Comma, line and indentation, as the place needs.
  void Separate();
  void NewLine();
  void Quote(std::string_view text);

  const Layout layout_;
  std::string out_;
  std::vector<bool> has_items_;  // per open bracket
  bool after_name_ = false;
};

}  // namespace kvstore::text

#endif  // KVSTORE_SRC_TEXT_JSON_H_
