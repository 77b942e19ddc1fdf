#include "cluster/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

namespace kvstore::cluster {
namespace {

// tests/run_tests fails for it, whatever the test made of it.
void NoteCrash(const std::string& program, pid_t pid, int status) {
  const char* const folder = std::getenv("KVSTORE_CRASHES");
  if (folder == nullptr || !WIFSIGNALED(status)) return;
  const int signal = WTERMSIG(status);
  if (signal != SIGSEGV && signal != SIGABRT && signal != SIGBUS && signal != SIGILL &&
      signal != SIGFPE) {
    return;
  }
  std::ofstream(std::string(folder) + "/crash." + std::to_string(pid))
      << program << " ended with signal " << signal << '\n';
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, Input input)
    : program_(arguments.at(0)) {
  std::array<int, 2> pipe_ends{};
  // A socket, since writing to a pipe whose reader was killed raises a signal.
  std::array<int, 2> input_ends{-1, -1};
  const bool told = input == Input::kTold;
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0 ||
      (told && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input_ends.data()) != 0)) {
    std::perror("a child's input and output");
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
    dup2(told ? input_ends[1] : open("/dev/null", O_RDONLY), STDIN_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(pipe_ends[1]);
  if (told) close(input_ends[1]);
  input_fd_ = input_ends[0];
  output_fd_ = pipe_ends[0];
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  collector_ = std::thread([this] { Collect(); });
}

ChildProcess::~ChildProcess() {
  if (!exit_) {
    kill(pid_, SIGKILL);
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_) NoteCrash(program_, pid_, status);
  }
  eventfd_write(stop_fd_, 1);
  collector_.join();
  EndInput();
  close(stop_fd_);
  close(output_fd_);
}

void ChildProcess::Signal(int signal) {
  if (exit_ || kill(pid_, signal) != 0 || signal != SIGSTOP) return;
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);
}

bool ChildProcess::Tell(std::string_view text) {
  if (input_fd_ < 0) return false;
  const ssize_t sent = send(input_fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent == static_cast<ssize_t>(text.size());
}

void ChildProcess::EndInput() {
  const int fd = std::exchange(input_fd_, -1);
  if (fd >= 0) close(fd);
}

std::string ChildProcess::output() const {
  MutexLock lock(mu_);
  return output_;
}

void ChildProcess::Collect() {
  std::array<pollfd, 2> waiting = {{{output_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
  std::array<char, 4096> buffer{};
  while (poll(waiting.data(), waiting.size(), -1) < 0 || waiting[1].revents == 0) {
    if (waiting[0].revents == 0) continue;
    const ssize_t got = read(output_fd_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    MutexLock lock(mu_);
    if (got > 0) output_.append(buffer.data(), static_cast<size_t>(got));
    ended_ = got <= 0;
    news_.NotifyAll();
    if (ended_) return;
  }
}

std::optional<std::string> ChildProcess::WaitForLine(const std::string& text, Duration timeout) {
  const TimePoint until = BootClock::now() + timeout;
  MutexLock lock(mu_);
  while (true) {
    const size_t at = output_.find(text);
    const size_t end = at == std::string::npos ? at : output_.find('\n', at);
    if (end != std::string::npos) {
      const size_t before = output_.rfind('\n', at);
      const size_t begin = before == std::string::npos ? 0 : before + 1;
      return output_.substr(begin, end - begin);
    }
    if (ended_ || BootClock::now() >= until) return std::nullopt;
    news_.WaitUntil(mu_, until);
  }
}

std::optional<int> ChildProcess::TakeExit() {
  int status = 0;
  if (!exit_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    NoteCrash(program_, pid_, status);
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_;
}

std::optional<int> ChildProcess::WaitForExit(Duration timeout) {
  const TimePoint until = BootClock::now() + timeout;
  constexpr Duration kLook = std::chrono::milliseconds(10);
  MutexLock lock(mu_);
  // The end of its output mostly comes with its exit, which nothing wakes us for.
  while (!TakeExit() && BootClock::now() < until) {
    news_.WaitUntil(mu_, std::min(until, BootClock::now() + kLook));
  }
  const TimePoint last_words = BootClock::now() + std::chrono::seconds(1);
  while (exit_ && !ended_ && BootClock::now() < last_words) news_.WaitUntil(mu_, last_words);
  return exit_;
}

}  // namespace kvstore::cluster
