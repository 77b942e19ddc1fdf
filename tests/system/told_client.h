#ifndef KVSTORE_TESTS_SYSTEM_TOLD_CLIENT_H_
#define KVSTORE_TESTS_SYSTEM_TOLD_CLIENT_H_

#include <signal.h>

#include <cstdint>
#include <string>

#include "cluster/cluster.h"

namespace kvstore::cluster {

// A client in a process of its own that does what the test says, one step at a time: see
// told_client_main.cc for the steps. Every wait has a deadline, beyond which the test fails.
// Confined to one thread.
class ToldClient {
 public:
  // Whether its Gets compare checksums: without them only the holder's word guards what is read.
  enum class Checksums : uint8_t { kChecked, kUnchecked };

  ToldClient(const MasterProcess& master, const std::string& name, uint64_t lend_bytes = 0,
             Checksums checksums = Checksums::kChecked, const std::string& way = "any");

  // Begins a step, and says under which number.
  int Begin(const std::string& step);
  // Waits until that step has stopped there.
  void AwaitStop(int number, const std::string& where);
  // Lets a step that has stopped go on.
  void GoOn();
  // Waits for what became of the step; "" with a failed expectation when nothing did.
  std::string Result(int number);
  // Whether it is over by now.
  bool HasAnswered(int number) const;
  // The whole step.
  std::string Do(const std::string& step) { return Result(Begin(step)); }

  // One of the numbers of the step "counters".
  uint64_t Counter(const std::string& name);

  void Stop() { process_.Signal(SIGSTOP); }
  void Continue() { process_.Signal(SIGCONT); }
  // Returns when it is dead and its parent knows.
  void Kill();
  // Tells it that there is no more to do; its exit status, or -1 with a failed expectation.
  int End();

  ChildProcess& process() { return process_; }

 private:
  std::string AwaitLine(const std::string& text);

  ChildProcess process_;
  int last_ = 0;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_TOLD_CLIENT_H_
