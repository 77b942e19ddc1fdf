#include "simulation/scheduler.h"

#include <algorithm>
#include <utility>

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

Scheduler::Scheduler(uint64_t seed) : random_(seed) {
  threads_.push_back(std::make_unique<Thread>());
  threads_.back()->fiber = std::make_unique<Fiber>();
}

Process* Scheduler::NewProcess(std::string name) {
  const Duration origin = random_.Between(seconds(1), seconds(1000));
  const double rate = 1.0 + (static_cast<double>(random_.Below(401)) - 200.0) * 1e-6;
  processes_.push_back(std::make_unique<Process>(&now_, std::move(name), origin, rate));
  return processes_.back().get();
}

void Scheduler::Push(Step step) {
  queue_.push_back(std::move(step));
  std::push_heap(queue_.begin(), queue_.end(), Later);
}

void Scheduler::At(Instant when, Process* process, std::function<void()> action) {
  Push({std::max(when, now_), order_++, process, std::move(action), {}});
}

void Scheduler::Spawn(Process* process, std::function<void()> body) {
  const size_t id = threads_.size();
  threads_.push_back(std::make_unique<Thread>());
  Thread* thread = threads_.back().get();
  thread->process = process;
  ++unfinished_;
  thread->fiber = std::make_unique<Fiber>([this, thread, body = std::move(body)] {
    body();
    thread->ended = true;
    --unfinished_;
    ++hand_overs_;
    Fiber* const next = threads_[NextThread()]->fiber.get();
    ended_ = std::move(thread->fiber);
    ended_->LeaveTo(next);
  });
  Wake({id, thread->wait}, Duration(0));
}

Scheduler::Waiter Scheduler::NextWait() const { return {current_, threads_[current_]->wait}; }

void Scheduler::Wake(Waiter waiter, Duration delay) {
  Push({now_ + delay, order_++, threads_[waiter.thread]->process, nullptr, waiter});
}

void Scheduler::WaitUntil(Instant until) {
  const size_t me = current_;
  Thread* self = threads_[me].get();
  if (self->process != nullptr && self->process->dead()) return;
  Push({std::max(until, now_), order_++, self->process, nullptr, {me, self->wait}});
  const size_t next = NextThread();
  if (next == me) return;
  ++hand_overs_;
  self->fiber->SwitchTo(threads_[next]->fiber.get());
}

void Scheduler::Kill(Process* process) {
  process->Die();
  for (size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i]->process == process && !threads_[i]->ended) {
      Wake({i, threads_[i]->wait}, Duration(0));
    }
  }
}

void Scheduler::Drain() {
  while (unfinished_ > 0) WaitUntil(now_ + milliseconds(1));
}

size_t Scheduler::NextThread() {
  while (true) {
    // Never empty: the thread that made the scheduler always waits for a time.
    std::pop_heap(queue_.begin(), queue_.end(), Later);
    Step step = std::move(queue_.back());
    queue_.pop_back();
    now_ = step.when;
    const bool dead = step.process != nullptr && step.process->dead();
    if (!dead && step.process != nullptr && step.process->paused_until() > now_) {
      step.when = step.process->paused_until();
      step.order = order_++;
      Push(std::move(step));
      continue;
    }
    ++order_done_;
    if (step.action) {
      if (!dead) step.action();
      continue;
    }
    Thread* thread = threads_[step.waiter.thread].get();
    if (thread->ended || thread->wait != step.waiter.wait) continue;  // woken before
    ++thread->wait;
    current_ = step.waiter.thread;
    return current_;
  }
}

}  // namespace kvstore::simulation
