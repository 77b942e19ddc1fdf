#ifndef KVSTORE_TOOLS_KVCTL_INTERRUPT_H_
#define KVSTORE_TOOLS_KVCTL_INTERRUPT_H_

#include "kvstore/clock.h"

namespace kvstore::kvctl {

// SIGINT, SIGTERM and SIGHUP as something to wait for, instead of the end of the process, for verbs
// that go on until they are told to stop. Made before any other thread, and once: the signals stay
// blocked. Thread-safe.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  enum class Why { kTime, kSignal, kWoken };
  // Until then, or until a signal or a Wake has come; both count also when they came before. A
  // signal counts for all calls, a Wake for one.
  Why WaitUntil(TimePoint end) const;
  void Wake();

 private:
  int signals_ = -1;
  int wake_ = -1;
};

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_INTERRUPT_H_
