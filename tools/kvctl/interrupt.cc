#include "tools/kvctl/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace kvstore::kvctl {

Interrupt::Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct sigaction hangup {};  // nohup has it ignored, and it stays so
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category());
}

Interrupt::~Interrupt() {
  close(signals_);
  close(wake_);
}

Interrupt::Why Interrupt::WaitUntil(TimePoint end) const {
  using std::chrono::milliseconds;
  constexpr Duration kLongest = std::chrono::hours(1);  // fits poll's argument
  while (true) {
    const Duration left = std::clamp(end - BootClock::now(), Duration::zero(), kLongest);
    pollfd events[] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}};
    const int ready =
        poll(events, 2, static_cast<int>(std::chrono::ceil<milliseconds>(left).count()));
    if (ready > 0 && events[0].revents != 0) return Why::kSignal;
    if (ready > 0) {
      eventfd_t count = 0;
      eventfd_read(wake_, &count);
      return Why::kWoken;
    }
    if (ready < 0 && errno != EINTR) return Why::kSignal;  // never seen; rather end than spin
    if (BootClock::now() >= end) return Why::kTime;
  }
}

void Interrupt::Wake() { eventfd_write(wake_, 1); }

}  // namespace kvstore::kvctl
