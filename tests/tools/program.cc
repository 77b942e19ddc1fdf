#include "tools/program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cluster/child_process.h"

namespace kvstore::cluster {

std::string TempPath(const std::string& name) {
  return testing::TempDir() + "kvstore_" + std::to_string(getpid()) + "_" + name;
}

std::string ReadFile(const std::string& path) {
  std::ostringstream bytes;
  const std::ifstream file(path, std::ios::binary);
  bytes << file.rdbuf();
  return std::move(bytes).str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

Finished RunProgram(const std::vector<std::string>& arguments, const std::string& input,
                    Duration timeout) {
  const std::string in = TempPath("in"), out = TempPath("out"), err = TempPath("err");
  WriteFile(in, input);
  std::vector<std::string> words = {"/bin/sh", "-c", R"(in=$1 out=$2 err=$3; shift 3
                                    exec "$@" <"$in" >"$out" 2>"$err")", "sh", in,
                                    out,       err};
  words.insert(words.end(), arguments.begin(), arguments.end());
  ChildProcess process(words);
  const std::optional<int> code = process.WaitForExit(timeout);
  Finished finished{.code = code.value_or(-1), .out = ReadFile(out), .err = ReadFile(err)};
  for (const std::string& path : {in, out, err}) unlink(path.c_str());
  return finished;
}

}  // namespace kvstore::cluster
