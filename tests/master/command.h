#ifndef KVSTORE_TESTS_MASTER_COMMAND_H_
#define KVSTORE_TESTS_MASTER_COMMAND_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"

namespace kvstore::master {

// One line of a transcript: `verb argument... option=value... flag-`. Throws std::runtime_error
// with the line on anything that it does not understand: a transcript is part of a test.
class Command {
 public:
  explicit Command(const std::string& line);

  const std::string& verb() const { return verb_; }
  const std::vector<std::string>& arguments() const { return arguments_; }
  const std::string& Argument(size_t i) const;
  std::vector<std::string> ArgumentsFrom(size_t i) const;

  bool Has(const std::string& option) const { return options_.contains(option); }
  std::string Option(const std::string& option, const std::string& otherwise) const;
  uint64_t Number(const std::string& option, uint64_t otherwise) const;
  Duration Time(const std::string& option, Duration otherwise) const;

  [[noreturn]] void Fail(const std::string& why) const;

 private:
  std::string line_;
  std::string verb_;
  std::vector<std::string> arguments_;
  std::map<std::string, std::string> options_;
};

std::vector<std::string> Split(std::string_view text, char separator);
// "150ms", "5s", "2us".
Duration ParseTime(const std::string& text);
std::string TimeText(Duration d);

}  // namespace kvstore::master

#endif  // KVSTORE_TESTS_MASTER_COMMAND_H_
