#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <regex>
#include <sstream>

#include "cluster/child_process.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// `requests` requests that share their first block, of four blocks each.
std::string Trace(int requests) {
  std::ostringstream trace;
  for (int i = 0; i < requests; ++i) {
    const int first = 3 * i;
    trace << "{\"timestamp\": " << i << ", \"input_length\": 2048, \"output_length\": 1, "
          << "\"hash_ids\": [0, " << first + 1 << ", " << first + 2 << ", " << first + 3 << "]}\n";
  }
  return trace.str();
}

std::vector<std::string> Demo(const std::string& trace, std::vector<std::string> more) {
  std::vector<std::string> words = {
      KVSTORE_KVDEMO_PATH, "--trace", trace, "--block", "4KiB", "--lend", "16MiB"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Processes whose parent is `parent`, by name, from /proc.
std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& name) {
  std::vector<pid_t> found;
  std::istringstream pids(ReadFile("/proc/" + std::to_string(parent) + "/task/" +
                                   std::to_string(parent) + "/children"));
  for (pid_t pid = 0; pids >> pid;) {
    if (ReadFile("/proc/" + std::to_string(pid) + "/comm").starts_with(name.substr(0, 15))) {
      found.push_back(pid);
    }
  }
  return found;
}

// What the first group of the pattern is, where it is found; else 0.
uint64_t Number(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(text, found, std::regex(pattern)) ? std::stoull(found[1]) : 0;
}

bool IsRunning(pid_t pid) { return kill(pid, 0) == 0; }

// The blocks of 40 requests. The threads that begin find the first block missing, and all put it;
// who is outrun has copied it in vain, if it went into memory that was held ahead.
void ExpectAllPutBy(const std::string& way, const std::string& told) {
  const uint64_t put = Number(told, "put, " + way + " +[0-9.]+ +([0-9]+) +100.0 %");
  EXPECT_GE(put, 121u) << told;
  EXPECT_LE(put, 121u + Number(told, "outrun +([0-9]+) ")) << told;
}

class DemoTest : public testing::Test {
 protected:
  void WriteTrace(int requests) { WriteFile(trace_, Trace(requests)); }
  ~DemoTest() override { unlink(trace_.c_str()); }

  const std::string trace_ = TempPath("trace");
};

TEST_F(DemoTest, ATraceIsReplayedWithoutAWrongByte) {
  WriteTrace(40);
  const Finished demo = RunProgram(Demo(trace_, {}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.out, ContainsRegex("requests +40 +of 40"));
  // 40 requests of 4. Those of one that had to be repeated, when a block was gone, count again.
  EXPECT_THAT(demo.out, ContainsRegex("blocks +1[6-9][0-9]"));
  EXPECT_THAT(demo.out, HasSubstr("\nerrors: 0\nwrong bytes: 0\n"));
  EXPECT_THAT(demo.out, HasSubstr("all 5 processes are stopped"));
}

TEST_F(DemoTest, AllBytesGoBySharedMemoryWhereTheKernelHasIt) {
  const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (self < 0) GTEST_SKIP() << "no pidfd_open here, so that processes share no memory";
  close(self);
  WriteTrace(40);
  // Puts that lose their master are copied twice.
  const Finished demo = RunProgram(Demo(trace_, {"--kill-master-after", "0"}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  ExpectAllPutBy("shm", demo.out);
  EXPECT_THAT(demo.out, ContainsRegex("got, shm .* 160 +100.0 %"));
  EXPECT_THAT(demo.out, HasSubstr("by shared memory: 100.0 %"));
}

TEST_F(DemoTest, BlocksOutliveTheWorkerThatPutThem) {
  WriteTrace(200);
  const Finished demo = RunProgram(Demo(trace_, {"--restart-after", "50"}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(
      demo.out, found, std::regex("prefill \\(process (\\d+)\\) was killed, process (\\d+)")))
      << demo.out;
  EXPECT_NE(found[1], found[2]);
  // All requests share a block, which the first worker has put.
  ASSERT_TRUE(std::regex_search(demo.out, found, std::regex("kept +(\\d+) +of (\\d+) blocks")));
  EXPECT_EQ(found[1], found[2]);
  EXPECT_GT(std::stoi(found[1]), 100);
  EXPECT_LT(std::stoi(found[1]), 150);
  EXPECT_THAT(demo.out, HasSubstr("\nerrors: 0\nwrong bytes: 0\n"));
}

TEST_F(DemoTest, NothingIsRestartedWhenNotWanted) {
  WriteTrace(40);
  const Finished demo =
      RunProgram(Demo(trace_, {"--restart-after", "0", "--kill-master-after", "0"}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.out, Not(HasSubstr("restart")));
  EXPECT_THAT(demo.out, Not(HasSubstr("killed")));
}

TEST_F(DemoTest, BlocksOutliveTheMasterThatIsKilledAtWork) {
  WriteTrace(200);
  const Finished demo = RunProgram(Demo(trace_, {"--kill-master-after", "50"}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.out, ContainsRegex("the master \\(process [0-9]+\\) was killed"));
  EXPECT_THAT(demo.out, ContainsRegex("lost +0 +blocks"));
  EXPECT_THAT(demo.out, HasSubstr("\nerrors: 0\nwrong bytes: 0\n"));
}

// What tools/kill-master does, and what a service manager would do then.
TEST_F(DemoTest, WhoIsKilledByHandIsStartedAgain) {
  WriteTrace(200);
  ChildProcess demo(Demo(trace_, {"--for", "5m", "--replicas", "2"}));
  ASSERT_TRUE(demo.WaitForLine("replaying", seconds(60))) << demo.output();
  for (const std::string tool : {"kill-master", "kill-node"}) {
    const Finished killed =
        RunProgram({KVSTORE_TOOLS_FOLDER "/" + tool, "--demo", std::to_string(demo.pid())});
    EXPECT_EQ(killed.code, 0) << killed.out << killed.err;
    EXPECT_THAT(killed.out, HasSubstr("took over"));
  }
  demo.Signal(SIGINT);
  EXPECT_EQ(demo.WaitForExit(seconds(30)), 130) << demo.output();
}

TEST_F(DemoTest, NoDemoNothingToKill) {
  const Finished killed = RunProgram({KVSTORE_TOOLS_FOLDER "/kill-master", "--demo", "1"});
  EXPECT_EQ(killed.code, 1);
  EXPECT_THAT(killed.err, HasSubstr("no demo runs here"));
}

TEST_F(DemoTest, WithoutSharedMemoryAllBytesGoByTcp) {
  WriteTrace(40);
  const Finished demo = RunProgram(Demo(trace_, {"--ways", "tcp", "--kill-master-after", "0"}));
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  ExpectAllPutBy("tcp", demo.out);
  EXPECT_THAT(demo.out, ContainsRegex("got, tcp .* 160 +100.0 %"));
  EXPECT_THAT(demo.out, HasSubstr("by shared memory: 0.0 %"));
}

TEST_F(DemoTest, OptionsThatLeadNowhereAreRefusedBeforeAnythingIsStarted) {
  WriteTrace(40);
  const std::pair<std::vector<std::string>, std::string> refusals[] = {
      {{"--lend", "0"}, "--lend is 0"},
      {{"--lend", "4KiB"}, "too little for the largest request's blocks, 16.0 KiB"},
      {{"--restart-after", "40"}, "--restart-after is 40"},
      {{"--ways", "cuda"}, "'cuda' is no way"},
      {{"--ways", "local"}, "--ways is local"},
      {{"more"}, "'more' is no option"},
  };
  for (const auto& [options, problem] : refusals) {
    const Finished demo = RunProgram(Demo(trace_, options));
    EXPECT_EQ(demo.code, 2) << problem;
    EXPECT_EQ(demo.out, "");
    EXPECT_THAT(demo.err, HasSubstr(problem));
  }
}

TEST_F(DemoTest, InterruptedItStopsAllThatItStarted) {
  WriteTrace(100'000);
  ChildProcess demo(Demo(trace_, {"--requests", "0"}));
  ASSERT_TRUE(demo.WaitForLine("replaying", seconds(60))) << demo.output();
  std::vector<pid_t> children = ChildrenOf(demo.pid(), "");
  EXPECT_EQ(children.size(), 5u);
  demo.Signal(SIGINT);
  EXPECT_EQ(demo.WaitForExit(seconds(30)), 130) << demo.output();
  EXPECT_THAT(demo.output(), HasSubstr("interrupted"));
  for (const pid_t pid : children) EXPECT_FALSE(IsRunning(pid));
}

TEST_F(DemoTest, AProcessThatDiesEndsItWithThatProcesssName) {
  WriteTrace(100'000);
  ChildProcess demo(Demo(trace_, {"--requests", "0"}));
  ASSERT_TRUE(demo.WaitForLine("replaying", seconds(60))) << demo.output();
  std::vector<pid_t> children = ChildrenOf(demo.pid(), "");
  const std::vector<pid_t> masters = ChildrenOf(demo.pid(), "kvstore_master");
  ASSERT_EQ(masters.size(), 1u);
  kill(masters[0], SIGKILL);
  EXPECT_EQ(demo.WaitForExit(seconds(30)), 1) << demo.output();
  EXPECT_THAT(demo.output(), HasSubstr("master (process"));
  EXPECT_THAT(demo.output(), HasSubstr("status 137"));
  for (const pid_t pid : children) EXPECT_FALSE(IsRunning(pid));
}

TEST_F(DemoTest, WhatCanNotBeFinishedInTimeIsStopped) {
  WriteTrace(100'000);
  const Finished demo = RunProgram(Demo(trace_, {"--requests", "0", "--deadline", "2s"}));
  EXPECT_EQ(demo.code, 1);
  EXPECT_THAT(demo.err, HasSubstr("deadline_exceeded"));
}

TEST_F(DemoTest, AFileThatIsNoTraceIsRefused) {
  WriteFile(trace_, "hello\n");
  const Finished demo = RunProgram(Demo(trace_, {}));
  EXPECT_EQ(demo.code, 2);
  EXPECT_THAT(demo.err, HasSubstr("line 1"));
}

}  // namespace
}  // namespace kvstore::cluster
