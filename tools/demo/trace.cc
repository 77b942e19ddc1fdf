#include "tools/demo/trace.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

namespace kvstore::demo {
namespace {

std::string_view SkipBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

// The integers of the line's "hash_ids", none if there is no such list. The other fields are not
// looked at: the replay is as fast as the machine allows, whatever the timestamps say.
std::optional<TraceRequest> ParseLine(std::string_view line) {
  constexpr std::string_view kField = "\"hash_ids\"";
  const size_t at = line.find(kField);
  if (at == std::string_view::npos) return std::nullopt;
  line = SkipBlanks(line.substr(at + kField.size()));
  if (!line.starts_with(':')) return std::nullopt;
  line = SkipBlanks(line.substr(1));
  if (!line.starts_with('[')) return std::nullopt;
  line = SkipBlanks(line.substr(1));
  TraceRequest request;
  if (line.starts_with(']')) return request;
  while (true) {
    uint64_t id = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), id);
    if (error != std::errc()) return std::nullopt;
    request.blocks.push_back(id);
    line = SkipBlanks(line.substr(static_cast<size_t>(rest - line.data())));
    if (line.starts_with(']')) return request;
    if (!line.starts_with(',')) return std::nullopt;
    line = SkipBlanks(line.substr(1));
  }
}

}  // namespace

Result<std::vector<TraceRequest>> ReadTrace(const std::string& path, size_t limit) {
  std::ifstream file(path);
  if (!file) return NotFoundError("can't read the trace " + path + ": " + std::strerror(errno));
  std::vector<TraceRequest> requests;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (limit != 0 && requests.size() == limit) break;
    std::optional<TraceRequest> request = ParseLine(line);
    if (!request) {
      return InvalidArgumentError(path + ", line " + std::to_string(number) +
                                  ": no list \"hash_ids\" of whole numbers; see "
                                  "tools/demo/data/README.md for the format");
    }
    if (!request->blocks.empty()) requests.push_back(*std::move(request));
  }
  if (file.bad() || requests.empty()) {
    return InvalidArgumentError("no request could be read from " + path);
  }
  return requests;
}

}  // namespace kvstore::demo
