#ifndef KVSTORE_TESTS_SIMULATION_FIBER_H_
#define KVSTORE_TESTS_SIMULATION_FIBER_H_

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace kvstore::simulation {

// A stack of its own to run a body on, within one thread of the operating system: going from one to
// the other is a call, where threads would cost a wakeup each. Address and thread sanitizer are
// told.
class Fiber {
 public:
  // The stack that the calling thread runs on.
  Fiber();
  // Runs `body` once it is first switched to. It may not return: its last word is Leave.
  explicit Fiber(std::function<void()> body);
  // It has left, or never run, or is the thread's own.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From this one, which runs, to `next`; comes back when another one switches to this.
  void SwitchTo(Fiber* next);
  // The same, and nobody switches to this one any more.
  [[noreturn]] void LeaveTo(Fiber* next);

 private:
  static void Enter(unsigned low, unsigned high);
  void Go(Fiber* next, bool for_good);
  void Arrived();

  ucontext_t context_{};
  std::byte* stack_ = nullptr;  // null: the thread's own
  const std::function<void()> body_;

  // For the sanitizers.
  [[maybe_unused]] const void* bottom_ = nullptr;
  [[maybe_unused]] size_t size_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] void* tsan_ = nullptr;
  Fiber* from_ = nullptr;  // who switched to this one last
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_FIBER_H_
