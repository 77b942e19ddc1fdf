#include "master/copy_queue.h"

#include <algorithm>
#include <cassert>

namespace kvstore::master {

CopyWork* CopyQueue::Find(const PutId& put) {
  const auto it = works_.find(put);
  return it == works_.end() ? nullptr : &it->second;
}

const CopyWork* CopyQueue::Find(const PutId& put) const {
  const auto it = works_.find(put);
  return it == works_.end() ? nullptr : &it->second;
}

CopyWork& CopyQueue::Want(const PutId& put, TimePoint now) {
  const auto [it, added] = works_.try_emplace(put);
  if (added) {
    it->second.due = now;
    by_due_.emplace(now, put);
  }
  return it->second;
}

void CopyQueue::SetLacking(CopyWork* work, bool lacking) {
  if (work->lacking == lacking) return;
  work->lacking = lacking;
  if (lacking) {
    ++lacking_;
  } else {
    --lacking_;
  }
}

void CopyQueue::Postpone(const PutId& put, TimePoint due) {
  CopyWork& work = works_.at(put);
  assert(!running_.contains(put));
  by_due_.erase({work.due, put});
  work.due = due;
  by_due_.emplace(due, put);
}

void CopyQueue::Forget(const PutId& put) {
  const auto it = works_.find(put);
  if (it == works_.end()) return;
  SetLacking(&it->second, false);
  if (const auto running = running_.find(put); running != running_.end()) {
    Count(running->second, -1);
    running_.erase(running);
  }
  by_due_.erase({it->second.due, put});
  works_.erase(it);
}

std::optional<PutId> CopyQueue::FirstDue(TimePoint now) const {
  if (by_due_.empty() || by_due_.begin()->first > now) return std::nullopt;
  return by_due_.begin()->second;
}

void CopyQueue::Start(const PutId& put, RunningCopy copy) {
  by_due_.erase({works_.at(put).due, put});
  Count(copy, 1);
  running_.emplace(put, std::move(copy));
}

void CopyQueue::End(const PutId& put, TimePoint due) {
  const auto running = running_.find(put);
  Count(running->second, -1);
  running_.erase(running);
  works_.at(put).due = due;
  by_due_.emplace(due, put);
}

const RunningCopy* CopyQueue::Running(const PutId& put) const {
  const auto it = running_.find(put);
  return it == running_.end() ? nullptr : &it->second;
}

size_t CopyQueue::RunningAt(const Incarnation& node) const {
  const auto it = running_at_.find(node);
  return it == running_at_.end() ? 0 : static_cast<size_t>(it->second);
}

void CopyQueue::Count(const RunningCopy& copy, int by) {
  // The replica's segment may be lost already: its holder is kept by name.
  for (const Incarnation& node : {copy.to.holder, copy.from.segment.holder}) {
    const auto it = running_at_.try_emplace(node).first;
    it->second += by;
    if (it->second == 0) running_at_.erase(it);
  }
}

bool ByteBudget::IsLeft(TimePoint now, uint64_t per_second) {
  const double most = static_cast<double>(per_second);
  const std::chrono::duration<double> passed = now - filled_;
  filled_ = now;
  left_ = std::min(most, left_ + most * passed.count());
  return left_ > 0;
}

}  // namespace kvstore::master
