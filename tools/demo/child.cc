#include "tools/demo/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kvstore::demo {
namespace {

constexpr size_t kTailLines = 20;

struct PipeEnds {
  int read = -1;
  int write = -1;
};

Result<PipeEnds> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return ResourceExhaustedError(std::string("no pipe: ") + std::strerror(errno));
  }
  return PipeEnds{.read = ends[0], .write = ends[1]};
}

// In the forked child; only async-signal-safe calls.
[[noreturn]] void Become(char* const* argv, pid_t parent, int in, int out, int error) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
  execv(argv[0], argv);
  constexpr std::string_view kMessage = "can't be executed; is everything built?\n";
  [[maybe_unused]] const ssize_t said = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  _exit(127);
}

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void Close(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

}  // namespace

Result<std::unique_ptr<Child>> Child::Start(std::string name, std::vector<std::string> arguments) {
  KVSTORE_ASSIGN_OR_RETURN(PipeEnds in, MakePipe());
  KVSTORE_ASSIGN_OR_RETURN(PipeEnds out, MakePipe());
  KVSTORE_ASSIGN_OR_RETURN(PipeEnds error, MakePipe());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), parent, in.read, out.write, error.write);
  for (int* fd : {&in.read, &out.write, &error.write}) Close(fd);
  if (pid < 0) {
    for (int* fd : {&in.write, &out.read, &error.read}) Close(fd);
    return ResourceExhaustedError(std::string("can't fork: ") + std::strerror(errno));
  }
  for (const int fd : {in.write, out.read, error.read}) SetNonBlocking(fd);
  return std::unique_ptr<Child>(new Child(std::move(name), pid, in.write, out.read, error.read));
}

Child::Child(std::string name, pid_t pid, int input_fd, int output_fd, int error_fd)
    : name_(std::move(name)), pid_(pid), input_fd_(input_fd) {
  output_.fd = output_fd;
  error_.fd = error_fd;
}

Child::~Child() {
  if (!TakeExit()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Close(&input_fd_);
  Close(&output_.fd);
  Close(&error_.fd);
}

void Child::Read(Pipe* pipe) {
  std::array<char, 1 << 16> buffer{};
  while (pipe->fd >= 0) {
    const ssize_t got = read(pipe->fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      Close(&pipe->fd);
      if (!pipe->unfinished_line.empty()) {
        pipe->lines.push_back(std::exchange(pipe->unfinished_line, {}));
      }
      return;
    }
    for (const char c : std::string_view(buffer.data(), static_cast<size_t>(got))) {
      if (c != '\n') {
        pipe->unfinished_line += c;
      } else {
        pipe->lines.push_back(std::exchange(pipe->unfinished_line, {}));
      }
    }
  }
}

void Child::ReadPipes() {
  Read(&output_);
  Read(&error_);
  while (error_.lines.size() > kTailLines) error_.lines.pop_front();
}

std::optional<std::string> Child::TakeLine() {
  if (output_.lines.empty()) return std::nullopt;
  std::string line = std::move(output_.lines.front());
  output_.lines.pop_front();
  return line;
}

std::optional<std::string> Child::FindLine(const std::string& text) const {
  for (const Pipe* pipe : {&output_, &error_}) {
    for (const std::string& line : pipe->lines) {
      if (line.find(text) != std::string::npos) return line;
    }
  }
  return std::nullopt;
}

std::string Child::ErrorTail() const {
  std::string tail;
  for (const std::string& line : error_.lines) tail += "    " + line + "\n";
  return tail;
}

Status Child::Tell(const std::string& line) {
  const std::string text = line + "\n";
  // At most PIPE_BUF bytes: written whole or not at all.
  const ssize_t written = write(input_fd_, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return Status::Ok();
  return UnavailableError("the " + name_ +
                          " worker does not read its input: " + std::strerror(errno));
}

void Child::CloseInput() { Close(&input_fd_); }

void Child::Signal(int signal) {
  if (!TakeExit()) kill(pid_, signal);
}

std::optional<int> Child::TakeExit() {
  int status = 0;
  if (!exit_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_;
}

}  // namespace kvstore::demo
