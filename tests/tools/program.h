#ifndef KVSTORE_TESTS_TOOLS_PROGRAM_H_
#define KVSTORE_TESTS_TOOLS_PROGRAM_H_

#include <string>
#include <vector>

#include "kvstore/clock.h"

namespace kvstore::cluster {

struct Finished {
  int code = -1;  // 128 + signal for a killed one; -1: it did not end in time
  std::string out;
  std::string err;
};

// Runs a program to its end, as a shell would: `input` is its standard input.
Finished RunProgram(const std::vector<std::string>& arguments, const std::string& input = "",
                    Duration timeout = std::chrono::seconds(60));

// A path for a file of this test's own.
std::string TempPath(const std::string& name);
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_TOOLS_PROGRAM_H_
