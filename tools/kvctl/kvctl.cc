// kvctl: looks into a pool and moves single objects, from a shell. `kvctl help` tells the rest.

#include <glog/logging.h>

#include <algorithm>
#include <iostream>
#include <vector>

#include "kvstore/client.h"
#include "tools/kvctl/commands.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

ExitCode Help(std::string_view verb) {
  if (verb.empty()) {
    std::cout << HelpText();
    return kDone;
  }
  const Command* command = FindCommand(verb);
  if (command == nullptr) return FailUsage("no verb '" + std::string(verb) + "'");
  std::cout << HelpText(*command);
  return kDone;
}

ExitCode RunVerb(const Command& command, text::CommandLine line) {
  const size_t count = line.arguments().size();
  if (count < command.least_arguments || count > command.most_arguments) {
    return FailUsage("'" + std::string(command.name) + "' takes other arguments: kvctl " +
                     std::string(command.name) + " " + std::string(command.synopsis));
  }
  const std::string output = line.Get("output", "table");
  if (output != "table" && output != "json") {
    return FailUsage("--output is table or json, not '" + output + "'");
  }
  const Result<Duration> timeout = text::ParseDuration(line.Get("timeout", "5s"));
  if (!timeout.ok()) return FailUsage("--timeout: " + timeout.status().message());
  return command.run({.line = line,
                      .master = line.Get("master", "127.0.0.1:50051"),
                      .timeout = *timeout,
                      .json = output == "json",
                      .escaped = line.Has("escaped")});
}

bool TakesNextWord(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  const auto options = GlobalOptions();
  return std::any_of(options.begin(), options.end(), [&](const text::Option& option) {
    return option.name == word && !option.value_name.empty();
  });
}

// Options may stand before the verb too, so that the verb is the first word that is not one: it is
// found by the options that all verbs share, then everything is read with the verb's own.
ExitCode Run(std::span<const char* const> words) {
  std::vector<const char*> rest;
  const Command* command = nullptr;
  std::string_view verb;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (verb.empty() && !word.starts_with('-')) {
      verb = word;
      command = FindCommand(verb);
      continue;
    }
    rest.push_back(words[i]);
    if (verb.empty() && TakesNextWord(word) && i + 1 < words.size()) rest.push_back(words[++i]);
  }
  const bool asks_help = verb == "help";
  if (!verb.empty() && command == nullptr && !asks_help) {
    return FailUsage("no verb '" + std::string(verb) + "'");
  }

  std::vector<text::Option> options(GlobalOptions().begin(), GlobalOptions().end());
  if (command != nullptr) {
    options.insert(options.end(), command->options.begin(), command->options.end());
  }
  Result<text::CommandLine> line = text::CommandLine::Parse(rest, options);
  if (!line.ok()) return FailUsage(line.status().message());
  if (asks_help) return Help(line->arguments().empty() ? "" : line->arguments()[0]);
  if (line->Has("help")) return Help(verb);
  if (line->Has("version")) {
    std::cout << "kvctl " << Version() << '\n';
    return kDone;
  }
  if (command == nullptr) return FailUsage("what is to be done? Name a verb");
  return RunVerb(*command, *std::move(line));
}

}  // namespace
}  // namespace kvstore::kvctl

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_ERROR;  // what the library notes in passing is not the answer
  google::InitGoogleLogging("kvctl");
  const std::vector<const char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const int code = kvstore::kvctl::Run(words);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "kvctl: can't write to standard output\n";
    return kvstore::kvctl::kFailed;
  }
  return code;
}
