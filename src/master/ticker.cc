#include "master/ticker.h"

#include <utility>

namespace kvstore::master {

Ticker::Ticker(Duration interval, std::function<void()> tick)
    : interval_(interval), tick_(std::move(tick)), thread_([this] { Run(); }) {}

Ticker::~Ticker() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Ticker::Run() {
  for (;;) {
    {
      MutexLock lock(mu_);
      const TimePoint next = BootClock::now() + interval_;
      while (!stopping_ && BootClock::now() < next) changed_.WaitUntil(mu_, next);
      if (stopping_) return;
    }
    tick_();
  }
}

}  // namespace kvstore::master
