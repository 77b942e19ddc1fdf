#include <iostream>
#include <vector>

#include "tools/kvctl/commands.h"

namespace kvstore::kvctl {
namespace {

constexpr text::Option kGlobalOptions[] = {
    {"master", "", "HOST:PORT", "the master to ask (default 127.0.0.1:50051)"},
    {"timeout", "", "TIME", "wait so long, for a master too: 500ms, 5s, 2m (default 5s)"},
    {"output", "", "table|json", "for people, or one JSON value for scripts (default table)"},
    {"escaped", "", "", "keys are typed as tables show them: \\\\ and \\xNN"},
    {"help", "h", "", "this text, or that of a verb"},
    {"version", "", "", "print the version"},
};

constexpr std::string_view kKeysText =
    R"(KEYS
  A key is 1 to 1024 bytes of any value. Tables show a backslash as \\ and every
  byte that is no printable UTF-8 as \xNN; with --escaped that form can be typed
  back. JSON has "key" for keys that are UTF-8 and "key_base64" for all others.
  A key that begins with '-' goes after "--".
)";

constexpr std::string_view kExitText =
    R"(EXIT STATUS
  0  done
  1  failed; the reason is on standard error
  2  the command line is wrong; nothing was done
  3  there is no such object
)";

}  // namespace

std::span<const text::Option> GlobalOptions() { return kGlobalOptions; }

std::string HelpText() {
  std::string all =
      "NAME\n  kvctl - look into a kvstore pool, and move single objects\n\n"
      "SYNOPSIS\n  kvctl [OPTIONS] VERB [ARGUMENTS]\n  kvctl help VERB\n\nVERBS\n";
  for (const auto& commands : {PoolCommands(), ObjectCommands()}) {
    for (const Command& command : commands) {
      std::string name = "  " + std::string(command.name);
      name.resize(12, ' ');
      all += name + std::string(command.summary) + "\n";
    }
  }
  all += "\nOPTIONS\n" + text::DescribeOptions(kGlobalOptions) + "\n";
  all += std::string(kKeysText) + "\n" + std::string(kExitText) + "\n";
  all +=
      "EXAMPLES\n"
      "  kvctl status\n"
      "  kvctl put greeting - <<< hello && kvctl get greeting\n"
      "  kvctl ls --prefix model/7b/ --output json | jq -r '.objects[].key'\n"
      "  kvctl --master 10.0.0.5:50051 --timeout 500ms nodes\n";
  return all;
}

std::string HelpText(const Command& command) {
  const std::string name(command.name);
  std::string all = "NAME\n  kvctl " + name + " - " + std::string(command.summary) + "\n\n" +
                    "SYNOPSIS\n  kvctl " + name + " " + std::string(command.synopsis) + "\n\n" +
                    "DESCRIPTION\n" + std::string(command.description) + "\n";
  std::vector<text::Option> options(command.options.begin(), command.options.end());
  options.insert(options.end(), GlobalOptions().begin(), GlobalOptions().end());
  all += "OPTIONS\n" + text::DescribeOptions(options) + "\n";
  return all + std::string(kExitText);
}

const Command* FindCommand(std::string_view name) {
  for (const auto& commands : {PoolCommands(), ObjectCommands()}) {
    for (const Command& command : commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
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

}  // namespace kvstore::kvctl
