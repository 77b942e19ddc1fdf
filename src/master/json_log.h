#ifndef KVSTORE_SRC_MASTER_JSON_LOG_H_
#define KVSTORE_SRC_MASTER_JSON_LOG_H_

#include <glog/logging.h>

#include <string>
#include <string_view>

namespace kvstore::master {

// Every line of glog as one JSON object on standard error: {"time":..., "level":..., and either the
// members of an event, or "source" and "msg"}. Thread-safe.
class JsonLog final : public google::LogSink {
 public:
  // From now on, in place of glog's own format. Once, before there are threads.
  static void Begin();
  // An event: `object` is a JSON object in one line. As with any line, --log_level counts.
  static void Write(google::LogSeverity severity, const std::string& object);

  void send(google::LogSeverity severity, const char* full_filename, const char* base_filename,
            int line, const google::LogMessageTime& time, const char* message,
            size_t size) override;

  // Lines, without their ends.
  static std::string Compose(google::LogSeverity severity, const google::LogMessageTime& time,
                             std::string_view source, std::string_view message);
  static std::string ComposeEvent(google::LogSeverity severity, const google::LogMessageTime& time,
                                  std::string_view object);
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_JSON_LOG_H_
