#include "master/json_log.h"

#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <ctime>

#include "text/json.h"

namespace kvstore::master {
namespace {

// "info"
std::string LevelName(google::LogSeverity severity) {
  std::string name = google::GetLogSeverityName(severity);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

// "2026-11-25T22:31:17.000123Z"
std::string TimeText(const google::LogMessageTime& time) {
  const time_t seconds = time.timestamp();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32], text[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text, sizeof text, "%s.%06dZ", date, time.usec());
  return text;
}

void WriteLine(std::string line) {
  line += '\n';
  // In one piece, so that lines of several threads don't mix. Where the log can't be written there
  // is nobody to tell.
  for (size_t written = 0; written < line.size();) {
    const ssize_t more = write(STDERR_FILENO, line.data() + written, line.size() - written);
    if (more <= 0) return;
    written += static_cast<size_t>(more);
  }
}

text::JsonWriter BeginLine(google::LogSeverity severity, const google::LogMessageTime& time) {
  text::JsonWriter json(text::JsonWriter::Layout::kOneLine);
  json.BeginObject();
  json.Member("time", TimeText(time));
  json.Member("level", LevelName(severity));
  return json;
}

std::string EndLine(text::JsonWriter json) {
  json.EndObject();
  std::string line = json.Take();
  line.pop_back();  // its end
  return line;
}

// Gets only events.
class EventSink final : public google::LogSink {
 public:
  void send(google::LogSeverity severity, const char* /*full_filename*/,
            const char* /*base_filename*/, int /*line*/, const google::LogMessageTime& time,
            const char* message, size_t size) override {
    WriteLine(JsonLog::ComposeEvent(severity, time, {message, size}));
  }
};

}  // namespace

void JsonLog::Begin() {
  static auto* const sink = new JsonLog;  // lives on: threads may log to the very end
  FLAGS_logtostderr = false;
  FLAGS_stderrthreshold = google::NUM_SEVERITIES;
  for (google::LogSeverity severity = 0; severity < google::NUM_SEVERITIES; ++severity) {
    google::SetLogDestination(severity, "");
  }
  google::AddLogSink(sink);
}

void JsonLog::Write(google::LogSeverity severity, const std::string& object) {
  static auto* const sink = new EventSink;
  google::LogMessage(__FILE__, __LINE__, severity, sink, /*also_send_to_log=*/false).stream()
      << object;
}

void JsonLog::send(google::LogSeverity severity, const char* /*full_filename*/,
                   const char* base_filename, int line, const google::LogMessageTime& time,
                   const char* message, size_t size) {
  WriteLine(Compose(severity, time, std::string(base_filename) + ":" + std::to_string(line),
                    {message, size}));
}

std::string JsonLog::Compose(google::LogSeverity severity, const google::LogMessageTime& time,
                             std::string_view source, std::string_view message) {
  text::JsonWriter json = BeginLine(severity, time);
  json.Member("source", source);
  json.Member("msg", message);
  return EndLine(std::move(json));
}

std::string JsonLog::ComposeEvent(google::LogSeverity severity, const google::LogMessageTime& time,
                                  std::string_view object) {
  std::string line = EndLine(BeginLine(severity, time));
  line.back() = ',';
  return line.append(object.substr(1));
}

}  // namespace kvstore::master
