#include "transfer/rdma/lane_closer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvstore::transfer {
namespace {

// How long an engine that ends goes on trying.
constexpr Duration kLastTries = std::chrono::seconds(1);

void KeepForEver(LaneRemains remains) {
  static Mutex mu;
  static auto* const kept = new std::vector<LaneRemains>();
  MutexLock lock(mu);
  kept->push_back(std::move(remains));
}

}  // namespace

LaneCloser::LaneCloser(StagingPool& staging)
    : shared_(std::make_shared<Shared>(staging)),
      thread_([shared = shared_] { Work(shared.get()); }) {}

LaneCloser::~LaneCloser() {
  bool over = false;
  {
    MutexLock lock(shared_->mu);
    shared_->ending = true;
    shared_->changed.NotifyAll();
    const TimePoint until = BootClock::now() + 2 * kLastTries;
    while (!shared_->over && BootClock::now() < until) {
      shared_->changed.WaitUntil(shared_->mu, until);
    }
    over = shared_->over;
    shared_->abandoned = !over;
  }
  if (over) {
    thread_.join();
  } else {
    thread_.detach();  // the device doesn't come back from what it was told
  }
}

LaneCloser::TaskPtr LaneCloser::Enqueue(LaneRemains remains) {
  auto task = std::make_shared<Task>();
  task->remains = std::move(remains);
  MutexLock lock(shared_->mu);
  shared_->tasks.push_back(task);
  shared_->changed.NotifyAll();
  return task;
}

void LaneCloser::Take(LaneRemains remains) { Enqueue(std::move(remains)); }

bool LaneCloser::TakeAndWait(LaneRemains remains, TimePoint until, Patience& patience) {
  const TaskPtr task = Enqueue(std::move(remains));
  for (;;) {
    {
      MutexLock lock(shared_->mu);
      const TimePoint step = std::min(until, BootClock::now() + kWaitStep);
      while (!task->closed && BootClock::now() < step) {
        shared_->changed.WaitUntil(shared_->mu, step);
      }
      if (task->closed || BootClock::now() >= until) return task->closed;
    }
    (void)patience.Ended();
  }
}

bool LaneCloser::ClosePairs(LaneRemains* remains) {
  std::erase_if(remains->pairs, [](const auto& pair) { return pair->Close().ok(); });
  if (!remains->pairs.empty()) return false;
  remains->completions.reset();
  return true;
}

void LaneCloser::Release(Task* task, Shared* shared) {
  LaneRemains& remains = task->remains;
  if (remains.staging != nullptr) shared->staging.GiveBack(std::move(remains.staging));
  remains.held.clear();
  task->closed = true;
}

bool LaneCloser::AwaitWork(Shared* shared, std::list<TaskPtr>* open) {
  MutexLock lock(shared->mu);
  if (!shared->ending && shared->tasks.empty() && open->empty()) {
    shared->changed.Wait(shared->mu);
  } else if (shared->tasks.empty() && !open->empty()) {
    shared->changed.WaitUntil(shared->mu, BootClock::now() + kWaitStep);
  }
  open->splice(open->end(), shared->tasks);
  return shared->ending;
}

void LaneCloser::Work(Shared* shared) {
  std::list<TaskPtr> open;
  TimePoint give_up_at = TimePoint::max();
  for (;;) {
    const bool ending = AwaitWork(shared, &open);
    if (ending) give_up_at = std::min(give_up_at, BootClock::now() + kLastTries);
    std::list<TaskPtr> closed;
    for (auto it = open.begin(); it != open.end();) {  // without the lock: that may take long
      const auto next = std::next(it);
      if (ClosePairs(&(*it)->remains)) closed.splice(closed.end(), open, it);
      it = next;
    }
    MutexLock lock(shared->mu);
    if (shared->abandoned) {
      // There is nobody left to whom to give anything back.
      open.splice(open.end(), closed);
      open.splice(open.end(), shared->tasks);
    }
    for (const TaskPtr& task : closed) Release(task.get(), shared);
    if (!closed.empty()) shared->changed.NotifyAll();
    const bool over = ending && open.empty() && shared->tasks.empty();
    if (!over && !shared->abandoned && BootClock::now() < give_up_at) continue;
    for (const TaskPtr& task : open) KeepForEver(std::move(task->remains));
    shared->over = true;
    shared->changed.NotifyAll();
    return;
  }
}

}  // namespace kvstore::transfer
