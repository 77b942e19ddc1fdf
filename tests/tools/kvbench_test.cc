#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tools/json_value.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Sanitizers make each some ten times as slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kReads = "100000";
#else
constexpr const char* kReads = "1000000";
#endif

TEST(KvbenchTest, AMillionReadsThatRaceAreRightAndEachGuardHasRefusedSome) {
  const Finished soak =
      RunProgram({KVSTORE_KVBENCH_PATH, "soak", "--seconds=260", std::string("--reads=") + kReads},
                 "", std::chrono::seconds(280));
  std::printf("%s", soak.out.c_str());
  EXPECT_EQ(soak.code, 0) << soak.out << soak.err;
  EXPECT_THAT(soak.out, ContainsRegex("word, by the reader \\(shm\\) +[1-9]"));
  EXPECT_THAT(soak.out, ContainsRegex("word, by the holder \\(tcp\\) +[1-9]"));
  EXPECT_THAT(soak.out, ContainsRegex("part of another put +[1-9]"));
  EXPECT_THAT(soak.out, ContainsRegex("wrong bytes +0\n"));
}

TEST(KvbenchTest, AWrongByteIsSeenAndEndsTheSoakWithAFailure) {
  const Finished soak = RunProgram({"/usr/bin/env", "KVSTORE_GUARD_OFF=reuse_after_free_ack",
                                    KVSTORE_KVBENCH_PATH, "soak", "--seconds=100"},
                                   "", std::chrono::seconds(200));
  EXPECT_EQ(soak.code, 1) << soak.out << soak.err;
  EXPECT_THAT(soak.out, HasSubstr("WRONG: "));
  EXPECT_THAT(soak.out, ContainsRegex("wrong bytes +[1-9]"));
}

TEST(KvbenchTest, TooFewReadsAreAFailure) {
  const Finished soak =
      RunProgram({KVSTORE_KVBENCH_PATH, "soak", "--seconds=1", "--reads=1000000000"}, "",
                 std::chrono::seconds(200));
  EXPECT_EQ(soak.code, 1) << soak.out << soak.err;
  EXPECT_THAT(soak.out, HasSubstr("fewer reads than the 1000000000 asked for"));
}

std::vector<std::string> ListedRows() {
  std::istringstream lines(RunProgram({KVSTORE_KVBENCH_PATH, "list"}).out);
  std::vector<std::string> rows;
  std::string line;
  std::getline(lines, line);  // the titles
  while (std::getline(lines, line)) rows.push_back(line.substr(0, line.find(' ')));
  return rows;
}

TEST(KvbenchTest, EveryRowRunsAndTellsWhatItCameTo) {
  const std::string path = TempPath("kvbench-rows.json");
  const Finished run = RunProgram({KVSTORE_KVBENCH_PATH, "run", "all", "--quick", "--json", path},
                                  "", std::chrono::seconds(280));
  ASSERT_EQ(run.code, 0) << run.out << run.err;
  const std::optional<text::JsonValue> rows = text::JsonValue::Parse(ReadFile(path));
  ASSERT_TRUE(rows.has_value());
  const std::vector<std::string> listed = ListedRows();
  EXPECT_GT(listed.size(), 50u);
  ASSERT_EQ(rows->size(), listed.size());
  for (size_t i = 0; i < listed.size(); ++i) {
    const text::JsonValue& row = (*rows)[i];
    EXPECT_EQ(row["row"].text(), listed[i]);
    EXPECT_EQ(row.size(), 6u);
    EXPECT_FALSE(row["unit"].text().empty());
    for (const char* const number : {"value", "limit", "ratio"}) {
      EXPECT_GE(row[number].number(), 0) << listed[i] << ' ' << number;
    }
    EXPECT_THAT(run.out, HasSubstr(listed[i]));
  }
  EXPECT_EQ((*rows)[0]["row"].text(), "limit-memcpy-hot");
  EXPECT_EQ((*rows)[0]["ratio"].number(), 1);
}

TEST(KvbenchTest, SaysWhatItTakesAndRefusesAllElse) {
  const Finished help = RunProgram({KVSTORE_KVBENCH_PATH, "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--seconds"));
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH}).code, 2);
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH, "run"}).code, 2);
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH, "run", "no-such-row"}).code, 2);
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH, "run", "all", "--seconds=0"}).code, 2);
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH, "soak", "--seconds=0"}).code, 2);
  EXPECT_EQ(RunProgram({KVSTORE_KVBENCH_PATH, "soak", "more"}).code, 2);
  const Finished unknown = RunProgram({KVSTORE_KVBENCH_PATH, "soak", "--fast"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("see kvbench --help"));
  EXPECT_THAT(ReadFile(std::string(KVSTORE_MANUALS) + "/kvbench.1"), HasSubstr("\\-\\-seconds"));
}

}  // namespace
}  // namespace kvstore::cluster
