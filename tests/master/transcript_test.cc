#include "master/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kvstore::master {
namespace {

std::vector<std::filesystem::path> Transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(KVSTORE_TRANSCRIPTS)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class TranscriptTest : public testing::TestWithParam<std::filesystem::path> {};

// With KVSTORE_REWRITE=1 in the environment the files are rewritten instead: then read the diff.
TEST_P(TranscriptTest, WhatFollowsIsWhatIsWritten) {
  const std::string expected = Read(GetParam());
  const std::string actual = Transcript().Run(expected);
  if (std::getenv("KVSTORE_REWRITE")) std::ofstream(GetParam()) << actual;
  EXPECT_EQ(actual, expected);
}

std::string TestName(const testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalog, TranscriptTest, testing::ValuesIn(Transcripts()), TestName);

}  // namespace
}  // namespace kvstore::master
