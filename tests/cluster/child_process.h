#ifndef KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_
#define KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kvstore/clock.h"
#include "thread_annotations.h"

namespace kvstore::cluster {

// A program that a test has started: its output is collected by a thread, so that a talkative one
// never waits for its reader, and it ends with the object (SIGKILL) or with the test's own process,
// whichever comes first. Confined to one thread.
class ChildProcess {
 public:
  // What the program reads on its standard input: nothing, or what Tell is given.
  enum class Input : uint8_t { kNone, kTold };

  // `arguments[0]` is the program's path. A program that can't be executed exits with 127.
  explicit ChildProcess(const std::vector<std::string>& arguments, Input input = Input::kNone);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // SIGSTOP: returns when all of its threads have stopped.
  void Signal(int signal);

  // Writes to its standard input as much as a pipe takes; false: not all of it, or it reads none.
  bool Tell(std::string_view text);
  // It reads the end of its input.
  void EndInput();

  // The first line of output so far, stdout or stderr, that contains `text`; waits for it. None
  // when the output ends or time runs out first.
  std::optional<std::string> WaitForLine(const std::string& text, Duration timeout) EXCLUDES(mu_);

  // The exit status (128 + signal for a killed one), none when it still runs after `timeout`. All
  // that it wrote is in output() then, unless children of its own hold its output open.
  std::optional<int> WaitForExit(Duration timeout) EXCLUDES(mu_);

  // Everything written so far, stdout and stderr as they came.
  std::string output() const EXCLUDES(mu_);

 private:
  void Collect() EXCLUDES(mu_);
  std::optional<int> TakeExit();

  const std::string program_;
  pid_t pid_ = -1;
  int input_fd_ = -1;  // our end of its standard input; -1: it has none, or was told the end
  int output_fd_ = -1;
  int stop_fd_ = -1;  // its closing ends the collector although others hold the output open
  std::optional<int> exit_;

  mutable Mutex mu_;
  CondVar news_;
  std::string output_ GUARDED_BY(mu_);
  bool ended_ GUARDED_BY(mu_) = false;  // of the output
  std::thread collector_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_
