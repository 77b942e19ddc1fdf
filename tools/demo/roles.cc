#include "tools/demo/roles.h"

namespace kvstore::demo {

void BusyTime::Enter() {
  const TimePoint now = BootClock::now();
  const MutexLock lock(mu_);
  if (inside_++ == 0) since_ = now;
}

void BusyTime::Leave() {
  const TimePoint now = BootClock::now();
  const MutexLock lock(mu_);
  if (--inside_ == 0) total_ += now - since_;
}

Duration BusyTime::total() const {
  const MutexLock lock(mu_);
  return total_;
}

uint64_t WholeMicroseconds(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

Duration TimedCall::End() {
  if (busy_ != nullptr) busy_->Leave();
  busy_ = nullptr;
  return BootClock::now() - begin_;
}

void AddProblem(Report* report, const Status& status) {
  ++report->numbers["errors"];
  if (report->problem.empty()) report->problem = status.ToString();
}

}  // namespace kvstore::demo
