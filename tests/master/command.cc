#include "master/command.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace kvstore::master {

Command::Command(const std::string& line) : line_(line) {
  std::istringstream words(line);
  words >> verb_;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      arguments_.push_back(word);
    } else {
      options_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
}

const std::string& Command::Argument(size_t i) const {
  if (i >= arguments_.size()) Fail("an argument is missing");
  return arguments_[i];
}

std::vector<std::string> Command::ArgumentsFrom(size_t i) const {
  return {arguments_.begin() + static_cast<ptrdiff_t>(std::min(i, arguments_.size())),
          arguments_.end()};
}

std::string Command::Option(const std::string& option, const std::string& otherwise) const {
  const auto it = options_.find(option);
  return it == options_.end() ? otherwise : it->second;
}

uint64_t Command::Number(const std::string& option, uint64_t otherwise) const {
  return Has(option) ? std::stoull(Option(option, "")) : otherwise;
}

Duration Command::Time(const std::string& option, Duration otherwise) const {
  return Has(option) ? ParseTime(Option(option, "")) : otherwise;
}

void Command::Fail(const std::string& why) const {
  throw std::runtime_error(why + " in: " + line_);
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

Duration ParseTime(const std::string& text) {
  size_t used = 0;
  const auto number = std::stoll(text, &used);
  const std::string unit = text.substr(used);
  if (unit == "us") return std::chrono::microseconds(number);
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit == "s") return std::chrono::seconds(number);
  throw std::runtime_error("not a time: " + text);
}

std::string TimeText(Duration d) {
  using std::chrono::microseconds;
  const auto us = std::chrono::duration_cast<microseconds>(d).count();
  if (us % 1'000'000 == 0) return std::to_string(us / 1'000'000) + "s";
  if (us % 1'000 == 0) return std::to_string(us / 1'000) + "ms";
  return std::to_string(us) + "us";
}

}  // namespace kvstore::master
