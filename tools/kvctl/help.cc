#include <iostream>
#include <vector>

#include "tools/kvctl/commands.h"

namespace kvstore::kvctl {

std::string_view KeysText() {
  return R"(KEYS
  A key is 1 to 1024 bytes of any value. Tables show a backslash as \\ and every
  byte that is no printable UTF-8 as \xNN; with --escaped that form can be typed
  back. JSON has "key" for keys that are UTF-8 and "key_base64" for all others.
  A key that begins with '-' goes after "--".
)";
}

std::string_view ExitText() {
  return R"(EXIT STATUS
  0  done
  1  failed; the reason is on standard error
  2  the command line is wrong; nothing was done
  3  there is no such object
)";
}

std::string_view ExamplesText() {
  return R"(EXAMPLES
  kvctl doctor
  kvctl put greeting - <<< hello && kvctl get greeting
  kvctl ls --prefix model/7b/ --output json | jq -r '.objects[].key'
  kvctl --master 10.0.0.5:50051 --timeout 500ms nodes
  kvctl watch --prefix model/7b/ --kinds committed,removed
  kvctl drain shelf-3 --wait
  source <(kvctl completion bash)
)";
}

std::string HelpText() {
  std::string all =
      "NAME\n  kvctl - look into a kvstore pool, and operate it\n\n"
      "SYNOPSIS\n  kvctl [OPTIONS] VERB [ARGUMENTS]\n  kvctl help VERB\n\n"
      "DESCRIPTION\n"
      "  Asks the master of a pool, and for objects and data ports its nodes, and prints\n"
      "  what they say. A verb that puts, gets, pins or removes joins the pool while it\n"
      "  runs, lending no memory.\n";
  std::string_view title;
  for (const CommandGroup& group : CommandGroups()) {
    if (group.title != title) all += "\n" + std::string(group.title) + "\n";
    title = group.title;
    for (const Command& command : group.commands) {
      std::string name = "  " + std::string(command.name);
      name.resize(14, ' ');
      all += name + std::string(command.summary) + "\n";
    }
  }
  all += "\nOPTIONS\n" + text::DescribeOptions(GlobalOptions()) + "\n";
  for (const std::string_view part : {KeysText(), ExitText()}) all += std::string(part) + "\n";
  return all + std::string(ExamplesText());
}

std::string HelpText(const Command& command) {
  const std::string name(command.name);
  std::string all = "NAME\n  kvctl " + name + " - " + std::string(command.summary) + "\n\n" +
                    "SYNOPSIS\n  kvctl " + name + " " + std::string(command.synopsis) + "\n\n" +
                    "DESCRIPTION\n" + std::string(command.description) + "\n";
  std::vector<text::Option> options(command.options.begin(), command.options.end());
  options.insert(options.end(), GlobalOptions().begin(), GlobalOptions().end());
  all += "OPTIONS\n" + text::DescribeOptions(options) + "\n";
  return all + std::string(ExitText());
}

ExitCode Fail(const Status& status) {
  std::cerr << "kvctl: " << status.ToString() << '\n';
  switch (status.code()) {
    case StatusCode::kOk:
      return kDone;
    case StatusCode::kNotFound:
      return kNotFound;
    default:
      return kFailed;
  }
}

ExitCode FailUsage(std::string_view problem) {
  std::cerr << "kvctl: " << problem << "\n  kvctl help        all verbs and options\n"
            << "  kvctl help VERB   one verb\n";
  return kUsage;
}

uint64_t Milliseconds(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace kvstore::kvctl
