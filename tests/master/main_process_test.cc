// kvstore_master as operators meet it: a process with arguments, output and an exit status.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "tools/json_value.h"

extern char** environ;

namespace kvstore::master {
namespace {

// One run of the program, its two outputs taken through pipes. Killed if it is still there at the
// end of the test.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments) {
    int out[2], err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), KVSTORE_MASTER_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }

  ~Process() {
    if (!ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(out_);
    close(err_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The line that says it is ready, without its end.
  std::string AwaitReady() {
    std::string line;
    while (line.empty() || line.back() != '\n') {
      const std::string more = ReadSome(out_, 1);
      if (more.empty()) break;
      line += more;
    }
    if (!line.empty()) line.pop_back();
    EXPECT_NE(line.find(" ready on "), std::string::npos) << line << ReadAll(err_);
    return line;
  }

  pid_t pid() const { return pid_; }
  void Signal(int number) { kill(pid_, number); }

  // Its outputs and its exit status, once it has ended; -1: it did not, in time, or by a signal.
  int Wait() {
    output_ += ReadAll(out_);
    errors_ += ReadAll(err_);
    int status = 0;
    const TimePoint end = BootClock::now() + std::chrono::seconds(8);
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (BootClock::now() > end) return -1;
      poll(nullptr, 0, 5);  // its pipes are closed: it is about to end
    }
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const std::string& output() const { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  // At least one byte, or none at the end of the output or of eight seconds.
  static std::string ReadSome(int fd, size_t most) {
    pollfd ready{fd, POLLIN, 0};
    std::string bytes(most, '\0');
    if (poll(&ready, 1, 8000) <= 0) return {};
    const ssize_t got = read(fd, bytes.data(), bytes.size());
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  static std::string ReadAll(int fd) {
    std::string all;
    for (std::string more; !(more = ReadSome(fd, 4096)).empty();) all += more;
    return all;
  }

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  bool ended_ = false;
  std::string output_, errors_;
};

// The number after `before` in the ready line.
std::string PortIn(const std::string& line, const std::string& before) {
  const size_t begin = line.find(before);
  if (begin == std::string::npos) return "";
  const size_t digits = begin + before.size();
  return line.substr(digits, line.find_first_not_of("0123456789", digits) - digits);
}

void ExpectOneLine(const Process& process, const std::string& words) {
  EXPECT_NE(process.errors().find(words), std::string::npos) << process.errors();
  EXPECT_EQ(std::count(process.errors().begin(), process.errors().end(), '\n'), 1)
      << process.errors();
  EXPECT_EQ(process.output(), "");
}

TEST(MasterProcess, HelpIsItsOwnAndExitsWithZero) {
  Process process({"--help"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_NE(process.output().find("--metrics_port"), std::string::npos);
  EXPECT_EQ(process.output().find("stderrthreshold"), std::string::npos);  // no glog
  EXPECT_EQ(process.errors(), "");
}

TEST(MasterProcess, VersionExitsWithZero) {
  Process process({"--version"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_EQ(process.output(), "kvstore_master " KVSTORE_VERSION "\n");
}

TEST(MasterProcess, PrintsTheConfigThatItWouldUse) {
  Process process({"-port", "50052", "-max_threads", "16", "--print_config"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_NE(process.output().find("\nport: 50052\n"), std::string::npos) << process.output();
  EXPECT_NE(process.output().find("\nmax_threads: 16\n"), std::string::npos);
}

TEST(MasterProcess, BadFlagIsAUsageError) {
  Process process({"--prot", "1"});
  EXPECT_EQ(process.Wait(), 2);
  ExpectOneLine(process, "unknown flag --prot; did you mean --port?");
}

TEST(MasterProcess, BadFileIsAUsageErrorThatNamesTheNearestKey) {
  const std::string name = testing::TempDir() + "bad_" + std::to_string(getpid()) + ".yaml";
  std::ofstream(name) << "port: 0\nmetrics_prot: 1\n";
  Process process({"--config", name});
  EXPECT_EQ(process.Wait(), 2);
  ExpectOneLine(process, name + ":2: unknown key 'metrics_prot'; did you mean 'metrics_port'?");
  unlink(name.c_str());
}

TEST(MasterProcess, ListeningBeyondLoopbackNeedsPermission) {
  Process refused({"--listen", "0.0.0.0", "-port", "0", "-metrics_port", "0"});
  EXPECT_EQ(refused.Wait(), 2);
  ExpectOneLine(refused, "--insecure_allow_remote");
  Process allowed(
      {"--listen", "0.0.0.0", "-port", "0", "-metrics_port", "0", "--insecure_allow_remote"});
  allowed.AwaitReady();
  allowed.Signal(SIGTERM);
  EXPECT_EQ(allowed.Wait(), 0);
  EXPECT_NE(allowed.errors().find("without credentials"), std::string::npos) << allowed.errors();
}

TEST(MasterProcess, TellsWhereItIsReadyAndEndsOnSigterm) {
  Process process({"-port", "0", "-metrics_port", "0", "-max_threads", "64"});
  const std::string line = process.AwaitReady();
  EXPECT_TRUE(line.starts_with("kvstore_master " KVSTORE_VERSION " ready on 127.0.0.1:")) << line;
  EXPECT_GT(std::stoi(PortIn(line, "127.0.0.1:")), 0) << line;
  EXPECT_NE(line.find(", pool "), std::string::npos) << line;
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0) << process.errors();
}

TEST(MasterProcess, LogsAnObjectALineWhereThatIsWanted) {
  Process process({"-port", "0", "-metrics_port", "0", "--log_format", "json"});
  process.AwaitReady();
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0) << process.errors();
  std::istringstream lines(process.errors());
  std::string told;
  for (std::string line; std::getline(lines, line);) {
    const auto value = text::JsonValue::Parse(line);
    ASSERT_TRUE(value) << line;
    EXPECT_EQ((*value)["level"].text(), "info") << line;
    told += (*value)["msg"].text();
  }
  EXPECT_NE(told.find("shutting down"), std::string::npos) << process.errors();
}

TEST(MasterProcess, EndsOnSigint) {
  Process process({"-port", "0", "-metrics_port", "0", "--listen", "::1"});
  EXPECT_NE(process.AwaitReady().find("ready on [::1]:"), std::string::npos);
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 0) << process.errors();
}

TEST(MasterProcess, EndsGracefullyWhenItsTerminalHangsUp) {
  Process process({"-port", "0", "-metrics_port", "0"});
  process.AwaitReady();
  process.Signal(SIGHUP);
  EXPECT_EQ(process.Wait(), 0) << process.errors();
  EXPECT_NE(process.errors().find("shutting down"), std::string::npos) << process.errors();
}

TEST(MasterProcess, PortInUseIsARuntimeErrorInOneLine) {
  Process first({"-port", "0", "-metrics_port", "0"});
  const std::string port = PortIn(first.AwaitReady(), "127.0.0.1:");
  Process second({"-port", port, "-metrics_port", "0"});
  EXPECT_EQ(second.Wait(), 1);
  ExpectOneLine(second, "127.0.0.1:" + port + ": Address already in use");
  Process metrics({"-port", "0", "-metrics_port", port});
  EXPECT_EQ(metrics.Wait(), 1);
  ExpectOneLine(metrics, "port " + port + " for metrics: Address already in use");
}

TEST(MasterProcess, StateFileIsKeptFromReignToReignAndByOneMasterAtATime) {
  const std::string folder = testing::TempDir() + "/master_state." + std::to_string(getpid());
  const std::string file = folder + "/master.state";
  const std::vector<std::string> flags = {"-port",           "0", "-metrics_port", "0",
                                          "-quiet_start_ms", "0", "-state_file",   file};
  const auto pool_of = [](const std::string& line) {
    return line.substr(line.find(", pool "), 39);
  };
  std::string pool;
  {
    Process first(flags);
    const std::string line = first.AwaitReady();
    pool = pool_of(line);
    EXPECT_NE(line.find(", term 1, state in " + file + ", 0 members to report"), std::string::npos)
        << line;
    Process second(flags);
    EXPECT_EQ(second.Wait(), 1);
    EXPECT_NE(second.errors().find("in use by another kvstore_master (process " +
                                   std::to_string(first.pid()) + ")"),
              std::string::npos)
        << second.errors();
    first.Signal(SIGKILL);
    first.Wait();
  }
  {
    Process next(flags);
    const std::string line = next.AwaitReady();
    EXPECT_EQ(pool_of(line), pool);
    EXPECT_NE(line.find(", term 2, "), std::string::npos) << line;
  }
  std::ofstream(file, std::ios::trunc) << "kvstore master sta";
  Process torn(flags);
  EXPECT_EQ(torn.Wait(), 1);
  EXPECT_NE(torn.errors().find(file + " can't be used: it is cut off"), std::string::npos)
      << torn.errors();
  std::filesystem::remove_all(folder);
}

TEST(MasterProcess, WithoutAPortOfItsOwnItKeepsNothing) {
  Process process({"-port", "0", "-metrics_port", "0", "-quiet_start_ms", "0"});
  EXPECT_NE(process.AwaitReady().find(", term 1, state kept nowhere"), std::string::npos);
}

}  // namespace
}  // namespace kvstore::master
