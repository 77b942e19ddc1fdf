#ifndef KVSTORE_TOOLS_DEMO_REPORT_H_
#define KVSTORE_TOOLS_DEMO_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kvstore::demo {

// One line from a worker to the scheduler: a word, numbers with names, and the first problem met,
// in words. "request id=17 blocks=14 hits=3 put_us=812 | unavailable: ...".
//
// Lines are: "ready" once, "request" per request served, "totals" whenever asked for.
struct Report {
  std::string what;
  std::map<std::string, uint64_t, std::less<>> numbers;
  std::string problem;

  // 0 when the name is not there.
  uint64_t Number(std::string_view name) const;
  // Adds the other's numbers to those of the same name.
  void Add(const Report& other);
  std::string ToLine() const;  // without a line's end
  // None: not such a line.
  static std::optional<Report> FromLine(std::string_view line);
};

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_REPORT_H_
