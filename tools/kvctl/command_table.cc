#include <algorithm>

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

}  // namespace

std::span<const text::Option> GlobalOptions() { return kGlobalOptions; }

std::span<const CommandGroup> CommandGroups() {
  static const CommandGroup groups[] = {
      {"POOL", StatusCommands()},
      {"POOL", PoolCommands()},
      {"POOL", TopCommands()},
      {"POOL", WatchCommands()},
      {"POOL", DoctorCommands()},
      {"OBJECTS", ObjectCommands()},
      {"OBJECTS", KeepCommands()},
      {"OBJECTS", RemoveCommands()},
      {"OBJECTS", ExplainCommands()},
      {"MEMORY", MoveCommands()},
      {"THIS PROGRAM", ManualCommands()},
  };
  return groups;
}

const Command* FindCommand(std::string_view name) {
  for (const CommandGroup& group : CommandGroups()) {
    const auto found =
        std::find_if(group.commands.begin(), group.commands.end(),
                     [name](const Command& command) { return command.name == name; });
    if (found != group.commands.end()) return &*found;
  }
  return nullptr;
}

}  // namespace kvstore::kvctl
