#include "master/gatherer.h"

#include <algorithm>
#include <utility>

namespace kvstore::master {

Gatherer::Gatherer(Duration time) : time_(time), at_once_(time == Duration::zero()) {
  if (time_ > Duration::zero()) thread_ = std::thread([this] { Run(); });
}

Gatherer::~Gatherer() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Gatherer::Add(std::shared_ptr<OrderQueue> queue) {
  if (!Keep(queue)) queue->Send();
}

bool Gatherer::Keep(const std::shared_ptr<OrderQueue>& queue) {
  MutexLock lock(mu_);
  if (at_once_) return false;
  if (std::find(queues_.begin(), queues_.end(), queue) != queues_.end()) return true;
  queues_.push_back(queue);
  if (queues_.size() == 1) changed_.NotifyAll();
  return true;
}

void Gatherer::SendAll() {
  std::vector<std::shared_ptr<OrderQueue>> due;
  {
    MutexLock lock(mu_);
    at_once_ = true;
    due.swap(queues_);
  }
  for (const auto& queue : due) queue->Send();
}

void Gatherer::Run() {
  for (;;) {
    std::vector<std::shared_ptr<OrderQueue>> due;
    {
      MutexLock lock(mu_);
      while (!stopping_ && queues_.empty()) changed_.Wait(mu_);
      const TimePoint until = BootClock::now() + time_;
      while (!stopping_ && BootClock::now() < until) changed_.WaitUntil(mu_, until);
      if (stopping_) return;
      due.swap(queues_);
    }
    for (const auto& queue : due) queue->Send();
  }
}

}  // namespace kvstore::master
