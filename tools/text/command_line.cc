#include "tools/text/command_line.h"

#include <algorithm>

namespace kvstore::text {
namespace {

const Option* Find(std::span<const Option> options, std::string_view typed) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
    return option.name == typed || (!option.letter.empty() && option.letter == typed);
  });
  return found == options.end() ? nullptr : &*found;
}

}  // namespace

Result<CommandLine> CommandLine::Parse(std::span<const char* const> words,
                                       std::span<const Option> options) {
  CommandLine line;
  bool only_arguments = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (only_arguments || word.size() < 2 || word[0] != '-') {
      line.arguments_.emplace_back(word);
      continue;
    }
    if (word == "--") {
      only_arguments = true;
      continue;
    }
    const std::string_view typed = word.substr(word[1] == '-' ? 2 : 1);
    const size_t equals = typed.find('=');
    const Option* option = Find(options, typed.substr(0, equals));
    if (option == nullptr) {
      return InvalidArgumentError("unknown option " + std::string(word.substr(0, word.find('='))) +
                                  " (a key that begins with '-' goes after \"--\")");
    }
    std::string value;
    if (option->value_name.empty()) {
      if (equals != std::string_view::npos) {
        return InvalidArgumentError("option --" + std::string(option->name) + " takes no value");
      }
    } else if (equals != std::string_view::npos) {
      value = typed.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return InvalidArgumentError("option --" + std::string(option->name) + " needs a value (" +
                                  std::string(option->value_name) + ")");
    }
    line.values_[std::string(option->name)] = std::move(value);
  }
  return line;
}

std::string CommandLine::Get(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(otherwise) : found->second;
}

std::string DescribeOptions(std::span<const Option> options) {
  std::vector<std::string> left;
  size_t width = 0;
  for (const Option& option : options) {
    std::string text = "  ";
    if (!option.letter.empty()) text += "-" + std::string(option.letter) + ", ";
    text += "--" + std::string(option.name);
    if (!option.value_name.empty()) text += " " + std::string(option.value_name);
    width = std::max(width, text.size());
    left.push_back(std::move(text));
  }
  std::string all;
  for (size_t i = 0; i < options.size(); ++i) {
    left[i].resize(width + 2, ' ');
    all += left[i] + std::string(options[i].help) + "\n";
  }
  return all;
}

}  // namespace kvstore::text
