#include <iostream>
#include <string>

#include "kvstore/client.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/completion.h"
#include "tools/text/man_page.h"

namespace kvstore::kvctl {
namespace {

ExitCode PrintCompletion(const Invocation& invocation) {
  const std::string& shell = invocation.line.arguments()[0];
  if (shell == "bash") {
    std::cout << BashCompletion();
  } else if (shell == "zsh") {
    std::cout << ZshCompletion();
  } else if (shell == "fish") {
    std::cout << FishCompletion();
  } else {
    return FailUsage("there is completion for bash, zsh and fish, not for '" + shell + "'");
  }
  return kDone;
}

// What --help prints, and then each verb in full.
std::string WholeManual() {
  text::ManPage page("kvctl", Version());
  const std::string help = HelpText();
  const size_t keys = help.find(KeysText());  // what follows it is common to all verbs
  page.Help(std::string_view(help).substr(0, keys));
  page.Section("VERBS IN FULL");
  for (const CommandGroup& group : CommandGroups()) {
    for (const Command& command : group.commands) {
      page.Subsection("kvctl " + std::string(command.name) + " " + std::string(command.synopsis));
      page.Body(command.description);
      page.Body(text::DescribeOptions(command.options));
    }
  }
  page.Help(std::string_view(help).substr(keys));
  page.Section("SEE ALSO");
  page.Body("  kvstore_master(1), kvstore_node(1)\n");
  return page.roff();
}

ExitCode PrintManual(const Invocation& invocation) {
  if (invocation.line.arguments().empty()) {
    std::cout << WholeManual();
    return kDone;
  }
  const std::string& verb = invocation.line.arguments()[0];
  const Command* command = FindCommand(verb);
  if (command == nullptr) return FailUsage("no verb '" + verb + "'");
  text::ManPage page("kvctl-" + verb, Version());
  page.Help(HelpText(*command));
  page.Section("SEE ALSO");
  page.Body("  kvctl(1)\n");
  std::cout << page.roff();
  return kDone;
}

constexpr Command kCommands[] = {
    {.name = "completion",
     .synopsis = "bash|zsh|fish",
     .summary = "a script that has the shell complete this program's words",
     .description = "  bash  source <(kvctl completion bash), in ~/.bashrc\n"
                    "  zsh   source <(kvctl completion zsh), in ~/.zshrc after compinit\n"
                    "  fish  kvctl completion fish | source, in config.fish\n",
     .least_arguments = 1,
     .most_arguments = 1,
     .argument_names = "bash|zsh|fish",
     .run = PrintCompletion},
    {.name = "man",
     .synopsis = "[VERB]",
     .summary = "the manual page, of a verb or the whole, in roff",
     .description = "  To be read with: kvctl man | man -l -\n",
     .most_arguments = 1,
     .argument_names = "VERB",
     .run = PrintManual},
};

}  // namespace

std::span<const Command> ManualCommands() { return kCommands; }

}  // namespace kvstore::kvctl
