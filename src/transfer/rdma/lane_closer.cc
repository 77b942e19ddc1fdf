#include "transfer/rdma/lane_closer.h"

#include <algorithm>
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

LaneCloser::LaneCloser(StagingPool& staging) : staging_(staging), thread_([this] { Work(); }) {}

LaneCloser::~LaneCloser() {
  {
    MutexLock lock(mu_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

LaneCloser::TaskPtr LaneCloser::Enqueue(LaneRemains remains) {
  auto task = std::make_shared<Task>();
  task->remains = std::move(remains);
  MutexLock lock(mu_);
  tasks_.push_back(task);
  changed_.NotifyAll();
  return task;
}

void LaneCloser::Take(LaneRemains remains) { Enqueue(std::move(remains)); }

bool LaneCloser::TakeAndWait(LaneRemains remains, TimePoint until, Patience& patience) {
  const TaskPtr task = Enqueue(std::move(remains));
  for (;;) {
    {
      MutexLock lock(mu_);
      const TimePoint step = std::min(until, BootClock::now() + kWaitStep);
      while (!task->closed && BootClock::now() < step) changed_.WaitUntil(mu_, step);
      if (task->closed || BootClock::now() >= until) return task->closed;
    }
    (void)patience.Ended();
  }
}

bool LaneCloser::TryToClose(LaneRemains* remains) {
  std::erase_if(remains->pairs, [](const auto& pair) { return pair->Close().ok(); });
  if (!remains->pairs.empty()) return false;
  remains->completions.reset();
  if (remains->staging != nullptr) staging_.GiveBack(std::move(remains->staging));
  remains->held.clear();
  return true;
}

void LaneCloser::Work() {
  std::list<TaskPtr> open;
  TimePoint give_up_at = TimePoint::max();
  for (;;) {
    {
      MutexLock lock(mu_);
      if (ending_ && give_up_at == TimePoint::max()) give_up_at = BootClock::now() + kLastTries;
      if (!ending_ && tasks_.empty() && open.empty()) {
        changed_.Wait(mu_);
      } else if (tasks_.empty() && !open.empty()) {
        changed_.WaitUntil(mu_, BootClock::now() + kWaitStep);
      }
      open.splice(open.end(), tasks_);
      if (ending_ && open.empty()) return;
    }
    std::vector<TaskPtr> closed;
    for (auto it = open.begin(); it != open.end();) {
      const bool done = TryToClose(&(*it)->remains);
      if (done) closed.push_back(std::move(*it));
      it = done ? open.erase(it) : std::next(it);
    }
    if (!closed.empty()) {
      MutexLock lock(mu_);
      for (const TaskPtr& task : closed) task->closed = true;
      changed_.NotifyAll();
    }
    if (BootClock::now() < give_up_at) continue;
    for (const TaskPtr& task : open) KeepForEver(std::move(task->remains));
    return;
  }
}

}  // namespace kvstore::transfer
