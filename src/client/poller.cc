#include "client/poller.h"

#include <algorithm>
#include <chrono>

namespace kvstore::client {
namespace {

// Callers that follow one another find the queue as the last one left it; what comes meanwhile for
// others, orders of the master's above all, waits for two of these at most.
constexpr Duration kQuiet = std::chrono::milliseconds(1);
// Others may bring about more as fast as it is told; it is not the caller's to carry all of them.
constexpr int kToldInPassing = 64;
constexpr Duration kLongestPoll = std::chrono::hours(1);

gpr_timespec In(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(
      std::clamp(duration, Duration::zero(), kLongestPoll));
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(us.count(), GPR_TIMESPAN));
}

}  // namespace

Poller::Poller() : stand_by_([this] { StandBy(); }) {}

Poller::~Poller() {
  {
    MutexLock lock(mu_);
    while (under_way_ > 0) all_done_.Wait(mu_);  // cancelled, all of them, which needs no peer
    closing_ = true;
    quiet_.NotifyAll();
    if (polled_) Interrupt();
  }
  stand_by_.join();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;  // a kick that came too late
}

void* Poller::Tag(Operation* operation) {
  MutexLock lock(mu_);
  ++under_way_;
  return operation;
}

void Poller::PollReady() {
  MutexLock lock(mu_);
  if (polled_) return;
  polled_ = true;
  polls_ = std::this_thread::get_id();
  mu_.Unlock();
  for (int told = 0; told < kToldInPassing && PollOnce(BootClock::now()); ++told) continue;
  mu_.Lock();
  polled_ = false;
  LeaveQueue();
}

void Poller::Wait(Waiter* waiter, TimePoint until) {
  MutexLock lock(mu_);
  ++waits_;
  while (!waiter->notified_ && BootClock::now() < until) {
    if (polled_) {
      const auto place = waiting_.insert(waiting_.end(), waiter);
      waiter->awake_.WaitUntil(mu_, until);
      waiting_.erase(place);
      continue;
    }
    polled_ = waiter->leads_ = true;
    polls_ = std::this_thread::get_id();
    mu_.Unlock();
    PollOnce(until);
    mu_.Lock();
    polled_ = waiter->leads_ = false;
  }
  waiter->notified_ = false;
  if (!polled_) LeaveQueue();
}

void Poller::Wake(Waiter* waiter) {
  MutexLock lock(mu_);
  waiter->notified_ = true;
  if (!waiter->leads_) {
    waiter->awake_.NotifyOne();
  } else if (polls_ != std::this_thread::get_id()) {
    Interrupt();
  }
}

bool Poller::PollOnce(TimePoint until) {
  void* tag = nullptr;
  bool ok = false;
  const gpr_timespec deadline = In(until - BootClock::now());
  if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
  auto* const operation = static_cast<Operation*>(tag);
  const bool counts = operation != &kick_;
  {
    // Before it is touched: gRPC orders this after its start, but only a mutex of ours shows
    // ThreadSanitizer so.
    MutexLock lock(mu_);
  }
  operation->Done(ok);
  if (!counts) return true;
  MutexLock lock(mu_);
  if (--under_way_ == 0) all_done_.NotifyAll();
  return true;
}

// Whoever waits next polls; without any, the own thread soon does.
void Poller::LeaveQueue() {
  if (!waiting_.empty()) {
    waiting_.front()->awake_.NotifyOne();
  } else if (rests_) {
    quiet_.NotifyAll();
  }
}

void Poller::Interrupt() {
  if (kicked_) return;
  kicked_ = true;
  alarm_.Set(&queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), static_cast<Operation*>(&kick_));
}

void Poller::Kick::Done(bool) {
  MutexLock lock(poller_.mu_);
  poller_.kicked_ = false;
}

void Poller::StandBy() {
  MutexLock lock(mu_);
  while (!closing_) {
    if (!polled_) {
      mu_.Unlock();
      PollWhileNobodyWaits();
      mu_.Lock();
    }
    AwaitQuiet();
  }
}

void Poller::PollWhileNobodyWaits() {
  MutexLock lock(mu_);
  if (polled_) return;
  polled_ = true;
  polls_ = std::this_thread::get_id();
  const uint64_t before = waits_;
  // Who comes now is served once by this thread, and polls from then on.
  while (!closing_ && waits_ == before) {
    mu_.Unlock();
    PollOnce(TimePoint::max());
    mu_.Lock();
  }
  polled_ = false;
  LeaveQueue();
}

// Until nobody has begun to wait, or polled, for kQuiet.
void Poller::AwaitQuiet() {
  uint64_t before = 0;
  do {
    before = waits_;
    const TimePoint until = BootClock::now() + kQuiet;
    while (!closing_ && BootClock::now() < until) quiet_.WaitUntil(mu_, until);
    while (!closing_ && polled_ && waits_ == before) {
      rests_ = true;
      quiet_.Wait(mu_);
      rests_ = false;
    }
  } while (!closing_ && waits_ != before);
}

}  // namespace kvstore::client
