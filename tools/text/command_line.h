#ifndef KVSTORE_TOOLS_TEXT_COMMAND_LINE_H_
#define KVSTORE_TOOLS_TEXT_COMMAND_LINE_H_

// tools/text: what people and scripts type and read.
//
//   command_line  options and arguments as typed
//   units         "64MiB", "1.5 s"
//   ways          "shm,tcp"
//   table         columns for people
//   man_page      a help text as a manual page
//
// src/text has what the master writes as well: keys of any bytes, and JSON.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/result.h"

namespace kvstore::text {

struct Option {
  std::string_view name;        // long form, without dashes
  std::string_view letter;      // "o" for -o; empty: none
  std::string_view value_name;  // shown in the help; empty: a switch without a value
  std::string_view help;        // one line
};

// What was typed after the program's (or the verb's) name. Thread-compatible.
class CommandLine {
 public:
  // Options may stand anywhere before "--": --name VALUE, --name=VALUE, -name VALUE, -o VALUE;
  // "-" alone is an argument. invalid_argument: an unknown option, or a value missing or too many.
  static Result<CommandLine> Parse(std::span<const char* const> words,
                                   std::span<const Option> options);

  const std::vector<std::string>& arguments() const { return arguments_; }
  bool Has(std::string_view name) const { return values_.contains(name); }
  // The last value given, else `otherwise`.
  std::string Get(std::string_view name, std::string_view otherwise) const;

 private:
  std::vector<std::string> arguments_;
  std::map<std::string, std::string, std::less<>> values_;
};

// One line an option, aligned, for a help text.
std::string DescribeOptions(std::span<const Option> options);

}  // namespace kvstore::text

#endif  // KVSTORE_TOOLS_TEXT_COMMAND_LINE_H_
