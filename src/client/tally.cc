#include "client/tally.h"

namespace kvstore::client {
namespace {

// Most of what a call might add is nothing, and a shared cache line costs more than a look.
void Add(std::atomic<uint64_t>* sum, uint64_t n) {
  if (n > 0) *sum += n;
}

struct Outcomes {
  uint64_t ok = 0, missed = 0, failed = 0;

  void Count(const Status& status) {
    ++(status.ok() ? ok : status.code() == StatusCode::kNotFound ? missed : failed);
  }
};

}  // namespace

void Tally::CountPut(const Status& status, uint64_t bytes) {
  ++(status.ok() ? puts_ok_ : puts_failed_);
  if (status.ok()) Add(&bytes_put_, bytes);
}

void Tally::CountGets(std::span<const GetResult> results, const GetCounters& met, Duration took) {
  Outcomes outcomes;
  uint64_t bytes = 0;
  for (const GetResult& result : results) {
    outcomes.Count(result.status);
    if (result.status.ok()) bytes += result.size;
  }
  Add(&gets_ok_, outcomes.ok);
  Add(&gets_missed_, outcomes.missed);
  Add(&gets_failed_, outcomes.failed);
  Add(&bytes_got_, bytes);
  Add(&gets_remembered_, met.remembered);
  Add(&reads_refused_, met.refused);
  Add(&checksum_mismatches_, met.checksum_mismatches);
  get_time_ += took.count();
}

void Tally::CountViews(std::span<const Result<std::unique_ptr<ObjectView>>> views,
                       const GetCounters& met) {
  Outcomes outcomes;
  for (const auto& view : views) outcomes.Count(view.status());
  Add(&views_ok_, outcomes.ok);
  Add(&views_missed_, outcomes.missed);
  Add(&views_failed_, outcomes.failed);
  Add(&reads_refused_, met.refused);
}

ClientCounters Tally::Read() const {
  ClientCounters counters;
  counters.puts_ok = puts_ok_;
  counters.puts_failed = puts_failed_;
  counters.gets_ok = gets_ok_;
  counters.gets_missed = gets_missed_;
  counters.gets_failed = gets_failed_;
  counters.reads_refused = reads_refused_;
  counters.checksum_mismatches = checksum_mismatches_;
  counters.gets_remembered = gets_remembered_;
  counters.views_ok = views_ok_;
  counters.views_missed = views_missed_;
  counters.views_failed = views_failed_;
  counters.bytes_got = bytes_got_;
  counters.bytes_put = bytes_put_;
  counters.get_time = Duration(get_time_);
  counters.put_time = Duration(put_time_);
  return counters;
}

}  // namespace kvstore::client
