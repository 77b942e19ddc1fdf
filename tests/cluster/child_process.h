#ifndef KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_
#define KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/clock.h"

namespace kvstore::cluster {

// A program that a test has started: its output is collected, and it ends with the object (SIGKILL)
// or with the test's own process, whichever comes first. Confined to one thread.
class ChildProcess {
 public:
  // `arguments[0]` is the program's path. A program that can't be executed exits with 127.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // The first line of output so far, stdout or stderr, that contains `text`; waits for it. None
  // when the output ends or time runs out first.
  std::optional<std::string> WaitForLine(const std::string& text, Duration timeout);

  // The exit status (128 + signal for a killed one), none when it still runs after `timeout`.
  std::optional<int> WaitForExit(Duration timeout);

  // Everything read so far, stdout and stderr as they came.
  const std::string& output() const { return output_; }

 private:
  // Takes what is there by `until`; false when the output has ended.
  bool ReadSome(TimePoint until);
  std::optional<int> TakeExit();

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
  std::optional<int> exit_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_CHILD_PROCESS_H_
