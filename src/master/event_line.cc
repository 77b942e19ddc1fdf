#include "master/event_line.h"

#include <cstdio>

#include "text/key_text.h"

namespace kvstore::master {
namespace {

constexpr size_t kKeyCharacters = 200;

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

EventLine::EventLine(LogFormat format, std::string_view event, uint64_t term) : format_(format) {
  if (format_ == LogFormat::kJson) json_.BeginObject();
  Word("event", event);
  Add("term", term);
}

void EventLine::Word(std::string_view name, std::string_view value) {
  if (format_ == LogFormat::kJson) return json_.Member(name, value);
  if (!text_.empty()) text_ += ' ';
  text_ += name;
  text_ += '=';
  text_ += value;
}

void EventLine::Add(std::string_view name, std::string_view text) {
  if (format_ == LogFormat::kJson) return json_.Member(name, text);
  Word(name, Quoted(text::Escape(text)));
}

void EventLine::Add(std::string_view name, uint64_t number) {
  if (format_ == LogFormat::kJson) return json_.Member(name, number);
  Word(name, std::to_string(number));
}

void EventLine::Add(std::string_view name, Incarnation incarnation) {
  Word(name, incarnation.ToString());
}

void EventLine::AddSeconds(std::string_view name, Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (format_ == LogFormat::kJson) {
    json_.Name(name);
    return json_.Decimal(seconds, 1);
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", seconds);
  Word(name, text);
}

void EventLine::AddPut(const PutId& put) {
  Word("put", put.writer.ToString() + "." + std::to_string(put.sequence));
}

void EventLine::AddKey(std::string_view key) {
  if (format_ == LogFormat::kJson) return json_.Key(key);
  Word("key", Quoted(text::Shorten(text::Escape(key), kKeyCharacters)));
}

std::string EventLine::Take() {
  if (format_ == LogFormat::kText) return std::move(text_);
  json_.EndObject();
  std::string line = json_.Take();
  line.pop_back();  // its end
  return line;
}

}  // namespace kvstore::master
