#include "tools/demo/roles.h"

#include <string>

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

Report TotalsOf(const Client& client, const BusyTime& busy) {
  Report totals{.what = "totals", .numbers = {}, .problem = ""};
  for (const transfer::Way way :
       {transfer::Way::kLocal, transfer::Way::kShm, transfer::Way::kTcp, transfer::Way::kRdma}) {
    const transfer::WayCounters counters = client.counters(way);
    const std::string name(transfer::WayName(way));
    totals.numbers[name + "_put"] = counters.bytes_written;
    totals.numbers[name + "_got"] = counters.bytes_read;
    totals.numbers[name + "_us"] = WholeMicroseconds(counters.time);
  }
  const ClientCounters counters = client.counters();
  totals.numbers["busy_us"] = WholeMicroseconds(busy.total());
  totals.numbers["gets"] = counters.gets_ok;
  totals.numbers["gets_remembered"] = counters.gets_remembered;
  totals.numbers["master_requests"] = counters.master_requests;
  return totals;
}

void AddProblem(Report* report, const Status& status) {
  ++report->numbers["errors"];
  if (report->problem.empty()) report->problem = status.ToString();
}

}  // namespace kvstore::demo
