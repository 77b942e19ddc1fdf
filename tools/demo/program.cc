#include "tools/demo/program.h"

#include <iostream>
#include <vector>

namespace kvstore::demo {

int RunProgram(const Program& program, int argc, char** argv,
               int (*run)(const text::CommandLine&)) {
  const std::vector<const char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Result<text::CommandLine> line = text::CommandLine::Parse(words, program.options);
  if (!line.ok()) return FailUsage(program, line.status());
  if (line->Has("help")) {
    std::cout << program.name << ": " << program.purpose << "\n\n"
              << text::DescribeOptions(program.options) << program.epilogue;
    return 0;
  }
  if (line->Has("version")) {
    std::cout << program.name << ' ' << KVSTORE_VERSION << '\n';
    return 0;
  }
  if (!line->arguments().empty()) {
    return FailUsage(program, InvalidArgumentError("'" + line->arguments()[0] + "' is no option"));
  }
  return run(*line);
}

int FailUsage(const Program& program, const Status& problem) {
  std::cerr << program.name << ": " << problem.message() << "; see " << program.name << " --help\n";
  return 2;
}

}  // namespace kvstore::demo
