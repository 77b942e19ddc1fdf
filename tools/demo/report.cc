#include "tools/demo/report.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace kvstore::demo {

uint64_t Report::Number(std::string_view name) const {
  const auto found = numbers.find(name);
  return found == numbers.end() ? 0 : found->second;
}

void Report::Add(const Report& other) {
  for (const auto& [name, number] : other.numbers) numbers[name] += number;
}

std::string Report::ToLine() const {
  std::string line = what;
  for (const auto& [name, number] : numbers) line += " " + name + "=" + std::to_string(number);
  if (!problem.empty()) line += " | " + problem;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

std::optional<Report> Report::FromLine(std::string_view line) {
  Report report;
  constexpr std::string_view kBar = " | ";
  if (const size_t bar = line.find(kBar); bar != std::string_view::npos) {
    report.problem = line.substr(bar + kBar.size());
    line = line.substr(0, bar);
  }
  std::istringstream words{std::string(line)};
  if (!(words >> report.what)) return std::nullopt;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) return std::nullopt;
    uint64_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data() + equals + 1, end, number);
    if (error != std::errc() || rest != end) return std::nullopt;
    report.numbers[word.substr(0, equals)] = number;
  }
  return report;
}

}  // namespace kvstore::demo
