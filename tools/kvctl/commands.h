#ifndef KVSTORE_TOOLS_KVCTL_COMMANDS_H_
#define KVSTORE_TOOLS_KVCTL_COMMANDS_H_

// kvctl, file by file:
//
//   kvctl             main: reads the command line, picks the verb, maps its outcome to an exit
//   code commands          what a verb is; the table of all verbs object_commands   put, get, stat,
//   rm: through libkvclient pool_commands     status, nodes, segments, ls: through admin_stub help
//   the texts of --help admin_stub        the admin service, as plain structs

#include <span>
#include <string>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "tools/text/command_line.h"

namespace kvstore::kvctl {

enum ExitCode { kDone = 0, kFailed = 1, kUsage = 2, kNotFound = 3 };

// One verb as it was typed.
struct Invocation {
  text::CommandLine line;
  std::string master;
  Duration timeout{};
  bool json = false;
  bool escaped = false;  // keys are typed as tables show them
};

// A verb says on stdout what it found and on stderr what failed.
struct Command {
  std::string_view name;
  std::string_view synopsis;                   // after the name
  std::string_view summary;                    // one line
  std::string_view description;                // paragraphs, each line at most 80 characters
  std::span<const text::Option> options = {};  // besides those of all verbs
  size_t least_arguments = 0;
  size_t most_arguments = 0;
  ExitCode (*run)(const Invocation&) = nullptr;
};

std::span<const Command> ObjectCommands();
std::span<const Command> PoolCommands();
// Null: no such verb.
const Command* FindCommand(std::string_view name);

// Of every verb.
std::span<const text::Option> GlobalOptions();

std::string HelpText();
std::string HelpText(const Command& command);

// "kvctl: <status>" on stderr; the exit code that it means.
ExitCode Fail(const Status& status);
ExitCode FailUsage(std::string_view problem);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_COMMANDS_H_
