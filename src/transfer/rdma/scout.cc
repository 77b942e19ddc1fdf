#include "transfer/rdma/scout.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace kvstore::transfer {
namespace {

// Peers that are looked at at once; one that can't be reached takes seconds.
constexpr size_t kThreads = 4;

}  // namespace

Scout::Scout(Look look) : look_(std::move(look)) {
  try {
    while (threads_.size() < kThreads) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    End();
    throw;
  }
}

Scout::~Scout() { End(); }

void Scout::Send(const Target& target, Haste haste) {
  MutexLock lock(mu_);
  if (ending_ || tasks_.contains(target.peer)) return;
  auto task = std::make_shared<Task>();
  task->target = target;
  task->began = BootClock::now();
  tasks_[target.peer] = task;
  (haste == Haste::kFirstLook ? first_ : another_).push_back(std::move(task));
  others_wait_ = true;
  changed_.NotifyAll();
}

Status Scout::Await(PeerId peer, std::optional<Duration> patience, TimePoint until) {
  MutexLock lock(mu_);
  const auto found = tasks_.find(peer);
  if (found == tasks_.end()) return Status::Ok();
  const std::shared_ptr<Task> task = found->second;
  const TimePoint end =
      patience ? task->began + std::min(*patience, (until - task->began) / 2) : until;
  while (!task->over && !ending_ && BootClock::now() < end) changed_.WaitUntil(mu_, end);
  return task->over ? task->result : UnavailableError("it isn't known yet whether a device does");
}

void Scout::End() {
  {
    MutexLock lock(mu_);
    ending_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Scout::Work() {
  for (;;) {
    std::shared_ptr<Task> task;
    {
      MutexLock lock(mu_);
      while (!ending_ && first_.empty() && another_.empty()) changed_.Wait(mu_);
      if (ending_) return;
      auto& waiting = first_.empty() ? another_ : first_;
      task = std::move(waiting.front());
      waiting.pop_front();
      others_wait_ = !first_.empty() || !another_.empty();
    }
    Status result = look_(task->target);
    MutexLock lock(mu_);
    task->over = true;
    task->result = std::move(result);
    tasks_.erase(task->target.peer);
    changed_.NotifyAll();
  }
}

}  // namespace kvstore::transfer
