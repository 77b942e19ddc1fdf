// kvctl: looks into a pool and moves single objects, from a shell. `kvctl help` tells the rest.

#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>
#include <system_error>
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
  ClientOptions target;  // one check for verbs that join the pool and for those that only ask
  target.master = line.Get("master", "127.0.0.1:50051");
  target.connect_timeout = *timeout;
  if (const Status sound = CheckOptions(target); !sound.ok()) {
    return FailUsage("--" + sound.message());
  }
  return command.run({.line = line,
                      .master = target.master,
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

// A closed standard input or output must stay an error: its number would be given to the first
// descriptor that any library opens, some of them before main, and that would be read or written in
// its place. So it becomes one that can't be used, before the libraries begin.
__attribute__((no_sanitize("address", "thread", "undefined"))) void KeepClosedStandardFilesClosed(
    int, char**, char**) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (syscall(SYS_fcntl, fd, F_GETFD) >= 0) continue;
    const int unusable = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    syscall(SYS_openat, AT_FDCWD, "/dev/null", unusable);  // takes the lowest number, which is fd
  }
}

__attribute__((section(".preinit_array"),
               used)) void (*const keep_closed)(int, char**,
                                                char**) = KeepClosedStandardFilesClosed;

// "kvctl get KEY | head": whoever read our output has had enough.
bool ReaderIsGone() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

// What can't be had of the machine comes as an exception of the standard library; nothing of ours
// throws.
int RunWithinMeans(std::span<const char* const> words) {
  try {
    return Run(words);
  } catch (const std::bad_alloc&) {
    std::cerr << "kvctl: not enough memory for this object; raise the limit (ulimit -v, the "
                 "container's)\n";
  } catch (const std::system_error& e) {
    std::cerr << "kvctl: the system refused a thread or a lock (" << e.what()
              << "); raise the limits of this process\n";
  }
  return kFailed;
}

}  // namespace
}  // namespace kvstore::kvctl

int main(int argc, char** argv) {
  // Either would end us without a goodbye to the pool.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_ERROR;  // what the library notes in passing is not the answer
  google::InitGoogleLogging("kvctl");
  const std::vector<const char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const int code = kvstore::kvctl::RunWithinMeans(words);
  std::cout.flush();
  if (!std::cout) {
    if (kvstore::kvctl::ReaderIsGone()) return kvstore::kvctl::kFailed;
    std::cerr << "kvctl: can't write to standard output\n";
    return kvstore::kvctl::kFailed;
  }
  return code;
}
