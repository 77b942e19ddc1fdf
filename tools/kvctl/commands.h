#ifndef KVSTORE_TOOLS_KVCTL_COMMANDS_H_
#define KVSTORE_TOOLS_KVCTL_COMMANDS_H_

// kvctl, file by file:
//
//   kvctl              main: reads the command line, picks the verb, maps its outcome to an exit
//   code commands           what a verb is command_table      the table of all verbs and of the
//   options that all share; help, completion
//                      and manual are made of it, and of nothing else
//   status_command     status
//   pool_commands      nodes, segments, ls
//   top_command        top; top_view is its pure part
//   watch_command      watch
//   object_commands    put, get, stat: through libkvclient
//   remove_command     rm
//   keep_commands      locate, pin, unpin, evict
//   move_commands      drain, copy, move, tasks
//   explain/           explain: what keys are made of, what is alike, and the command
//   doctor/            doctor: what it looks at, and its checks
//   manual_commands    completion, man; completion is its pure part
//   help               the texts of --help
//   membership         a member of the pool for one command
//   interrupt          signals as something to wait for
//   admin_stub         the admin service, as the plain structs of pool_rows
//   input              bytes of a file

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
  // For completion: what an argument may be, as "bash|zsh|fish", FILE or VERB; empty: no telling.
  std::string_view argument_names = {};
  ExitCode (*run)(const Invocation&) = nullptr;
};

struct CommandGroup {
  std::string_view title;  // "POOL"
  std::span<const Command> commands;
};

// All verbs, in the order in which people are shown them.
std::span<const CommandGroup> CommandGroups();
// Of every verb.
std::span<const text::Option> GlobalOptions();
// Null: no such verb.
const Command* FindCommand(std::string_view name);

// Where the groups' verbs stand.
std::span<const Command> StatusCommands();
std::span<const Command> PoolCommands();
std::span<const Command> TopCommands();
std::span<const Command> WatchCommands();
std::span<const Command> ObjectCommands();
std::span<const Command> RemoveCommands();
std::span<const Command> KeepCommands();
std::span<const Command> ExplainCommands();
std::span<const Command> MoveCommands();
std::span<const Command> DoctorCommands();
std::span<const Command> ManualCommands();

std::string HelpText();
std::string HelpText(const Command& command);
// What all verbs have in common: "KEYS ...", "EXIT STATUS ...", "EXAMPLES ...".
std::string_view KeysText();
std::string_view ExitText();
std::string_view ExamplesText();

// "kvctl: <status>" on stderr; the exit code that it means.
ExitCode Fail(const Status& status);
ExitCode FailUsage(std::string_view problem);

uint64_t Milliseconds(Duration duration);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_COMMANDS_H_
