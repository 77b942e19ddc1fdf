#ifndef KVSTORE_TESTS_TRANSFER_CHILD_PROCESS_H_
#define KVSTORE_TESTS_TRANSFER_CHILD_PROCESS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/clock.h"

namespace kvstore::transfer {

// A program that a test runs, talks to by pipes, and stops or kills. Confined to one thread.
class ChildProcess {
 public:
  ChildProcess(const std::string& program, const std::vector<std::string>& arguments) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    EXPECT_EQ(pipe2(in.data(), O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  ChildProcess(const ChildProcess&) = delete;
  ~ChildProcess() {
    CloseInput();
    Kill();
    close(from_);
  }

  pid_t pid() const { return pid_; }

  // The next line that it says; empty: it has ended, or said none for 20 seconds.
  std::string ReadLine() {
    const TimePoint until = BootClock::now() + std::chrono::seconds(20);
    while (said_.find('\n') == std::string::npos) {
      pollfd entry{.fd = from_, .events = POLLIN, .revents = 0};
      if (poll(&entry, 1, 100) > 0) {
        std::array<char, 4096> part;
        const ssize_t got = read(from_, part.data(), part.size());
        if (got <= 0) return "";
        said_.append(part.data(), static_cast<size_t>(got));
      } else if (BootClock::now() >= until) {
        return "";
      }
    }
    const size_t end = said_.find('\n');
    std::string line = said_.substr(0, end);
    said_.erase(0, end + 1);
    return line;
  }

  // For it to read the end of its input.
  void CloseInput() {
    if (to_ >= 0) close(std::exchange(to_, -1));
  }

  // Waits until it has stopped itself. False: it has ended instead, or goes on after a minute.
  bool WaitUntilStopped() {
    const TimePoint until = BootClock::now() + std::chrono::seconds(60);
    int status = 0;
    pid_t changed = 0;
    while ((changed = waitpid(pid_, &status, WUNTRACED | WNOHANG)) == 0) {
      if (BootClock::now() >= until) return false;
      usleep(1000);
    }
    if (changed != pid_) return false;
    if (WIFSTOPPED(status)) return true;
    pid_ = -1;
    return false;
  }
  void Stop() {
    kill(pid_, SIGSTOP);
    EXPECT_TRUE(WaitUntilStopped());
  }
  void Continue() const { kill(pid_, SIGCONT); }
  // Returns when the process has ended.
  void Kill() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string said_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_CHILD_PROCESS_H_
