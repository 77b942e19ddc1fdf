#ifndef KVSTORE_TOOLS_DEMO_PROGRAM_H_
#define KVSTORE_TOOLS_DEMO_PROGRAM_H_

#include <span>
#include <string_view>

#include "kvstore/status.h"
#include "tools/text/command_line.h"

namespace kvstore::demo {

// How a program of the demo presents itself. Its options include --help and --version, and it takes
// no other arguments.
struct Program {
  std::string_view name;
  std::string_view purpose;  // one line
  std::span<const text::Option> options;
  std::string_view epilogue;  // ends the help text; may be empty
};

// The whole of main: answers --help and --version, refuses what is no option, else runs `run`. The
// program's exit status.
int RunProgram(const Program& program, int argc, char** argv, int (*run)(const text::CommandLine&));

// Says what is wrong with the command line, and where its help is; the exit status for that, 2.
int FailUsage(const Program& program, const Status& problem);

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_PROGRAM_H_
