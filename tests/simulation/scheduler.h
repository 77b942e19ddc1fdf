#ifndef KVSTORE_TESTS_SIMULATION_SCHEDULER_H_
#define KVSTORE_TESTS_SIMULATION_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "simulation/fiber.h"
#include "simulation/process.h"
#include "simulation/random.h"

namespace kvstore::simulation {

// Virtual time, the queue of what happens next, and the one baton.
//
// Code that never blocks (the master, sessions, the holder, frames) runs as actions of the queue.
// Code that blocks (the product's Put and Get) runs in simulated threads, which are fibers of the
// thread that made the scheduler; each runs only while it holds the baton. One that has to wait
// runs the queue itself until it comes to the thread to go on with, so that a change of threads
// costs one hand-over, and none where the thread wakes itself. So the order of everything is that
// of the queue, which depends on the seed alone.
//
// All methods are for the holder of the baton, at first the thread that made the scheduler.
class Scheduler {
 public:
  explicit Scheduler(uint64_t seed);
  // Every thread has ended: see Drain.
  ~Scheduler() = default;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Instant now() const { return now_; }
  Random& random() { return random_; }

  // A process with a clock of its own that lives (as an object) as long as the scheduler.
  Process* NewProcess(std::string name);

  // Does `action` at `when`, in the life of `process`: later while it is paused, never if it is
  // dead by then. Null: it belongs to no process.
  void At(Instant when, Process* process, std::function<void()> action);
  void After(Duration delay, Process* process, std::function<void()> action) {
    At(now_ + delay, process, std::move(action));
  }

  // A thread of `process` that runs `body` to its end.
  void Spawn(Process* process, std::function<void()> body);

  // Names a wait of the calling thread: the one that it begins next.
  struct Waiter {
    size_t thread = 0;
    uint64_t wait = 0;
  };
  Waiter NextWait() const;
  // Ends that wait at `now() + delay`; nothing if it has ended.
  void Wake(Waiter waiter, Duration delay);
  // Gives the baton away until the wait is woken, `until` has come, or the process has died.
  void WaitUntil(Instant until);

  // The process ends here and now, and so do its threads' waits.
  void Kill(Process* process);

  // Runs the queue until all threads have ended; their processes have been killed or they end soon.
  void Drain();

  uint64_t actions_done() const { return order_done_; }
  uint64_t hand_overs() const { return hand_overs_; }

 private:
  struct Thread {
    Process* process = nullptr;
    uint64_t wait = 0;  // number of its current or next wait
    bool ended = false;
    std::unique_ptr<Fiber> fiber;
  };
  static constexpr size_t kNoThread = SIZE_MAX;

  struct Step {
    Instant when;
    uint64_t order;
    Process* process;
    std::function<void()> action;  // or, if empty, a thread is woken
    Waiter waiter;
  };
  static bool Later(const Step& a, const Step& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }

  void Push(Step step);
  // Takes steps until one names a thread to go on with.
  size_t NextThread();

  Random random_;
  Instant now_{};
  uint64_t order_ = 0;
  uint64_t order_done_ = 0;
  uint64_t hand_overs_ = 0;
  std::vector<Step> queue_;  // a heap
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Thread>> threads_;  // 0 is the thread that made the scheduler
  size_t current_ = 0;
  size_t unfinished_ = 0;
  std::unique_ptr<Fiber> ended_;  // of the thread that ended last
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SCHEDULER_H_
