#include "cluster/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace kvstore::cluster {
namespace {

int MillisecondsUntil(TimePoint until) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - BootClock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    std::perror("pipe2");
    std::abort();
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(pipe_ends[1], STDOUT_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(pipe_ends[1]);
  output_fd_ = pipe_ends[0];
}

ChildProcess::~ChildProcess() {
  if (!exit_) {
    kill(pid_, SIGKILL);
    kill(pid_, SIGCONT);
    waitpid(pid_, nullptr, 0);
  }
  close(output_fd_);
}

void ChildProcess::Signal(int signal) {
  if (!exit_) kill(pid_, signal);
}

bool ChildProcess::ReadSome(TimePoint until) {
  pollfd waiting{.fd = output_fd_, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, MillisecondsUntil(until)) <= 0) return true;
  std::array<char, 4096> buffer{};
  const ssize_t got = read(output_fd_, buffer.data(), buffer.size());
  if (got > 0) output_.append(buffer.data(), static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

std::optional<std::string> ChildProcess::WaitForLine(const std::string& text, Duration timeout) {
  const TimePoint until = BootClock::now() + timeout;
  while (true) {
    const size_t at = output_.find(text);
    if (at != std::string::npos) {
      const size_t end = output_.find('\n', at);
      if (end != std::string::npos) {
        const size_t before = output_.rfind('\n', at);
        const size_t begin = before == std::string::npos ? 0 : before + 1;
        return output_.substr(begin, end - begin);
      }
    }
    if (BootClock::now() >= until || !ReadSome(until)) return std::nullopt;
  }
}

std::optional<int> ChildProcess::TakeExit() {
  int status = 0;
  if (!exit_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_;
}

std::optional<int> ChildProcess::WaitForExit(Duration timeout) {
  const TimePoint until = BootClock::now() + timeout;
  // The end of its output wakes us; a process that has closed its output early is looked at every
  // 10 ms.
  bool open = true;
  while (!TakeExit() && BootClock::now() < until) {
    if (open) {
      open = ReadSome(until);
    } else {
      poll(nullptr, 0, 10);
    }
  }
  while (exit_ && open && ReadSome(BootClock::now())) {
    pollfd more{.fd = output_fd_, .events = POLLIN, .revents = 0};
    if (poll(&more, 1, 0) <= 0) break;
  }
  return exit_;
}

}  // namespace kvstore::cluster
