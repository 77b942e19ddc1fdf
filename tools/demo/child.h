#ifndef KVSTORE_TOOLS_DEMO_CHILD_H_
#define KVSTORE_TOOLS_DEMO_CHILD_H_

#include <sys/types.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/result.h"

namespace kvstore::demo {

// A program that the demo has started, with pipes to its standard streams. It ends with this
// object, or with the demo's own process, however that ends. In a process group of its own, so that
// Ctrl-C reaches the demo alone, which then stops its programs in order. Confined to the thread
// that started it.
class Child {
 public:
  // `arguments[0]` is the program's path; `name` is for people.
  static Result<std::unique_ptr<Child>> Start(std::string name, std::vector<std::string> arguments);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  const std::string& name() const { return name_; }
  pid_t pid() const { return pid_; }
  // To poll for reading; -1 once they have ended.
  int output_fd() const { return output_.fd; }
  int error_fd() const { return error_.fd; }

  // Takes what both pipes hold, without waiting.
  void ReadPipes();
  // The next whole line of standard output that has been read.
  std::optional<std::string> TakeLine();
  // The first line with `text` among those of both pipes that are still kept.
  std::optional<std::string> FindLine(const std::string& text) const;
  // The last lines of standard error, for a person to read.
  std::string ErrorTail() const;

  // A line to its standard input; unavailable when it no longer reads, or has fallen far behind.
  Status Tell(const std::string& line);
  void CloseInput();
  void Signal(int signal);

  // Its exit status once it has ended, 128 + signal for a killed one.
  std::optional<int> TakeExit();

 private:
  struct Pipe {
    int fd = -1;
    std::string unfinished_line;
    std::deque<std::string> lines;
  };

  Child(std::string name, pid_t pid, int input_fd, int output_fd, int error_fd);
  static void Read(Pipe* pipe);

  const std::string name_;
  const pid_t pid_;
  int input_fd_;
  Pipe output_;
  Pipe error_;
  std::optional<int> exit_;
};

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_CHILD_H_
