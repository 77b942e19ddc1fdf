#ifndef KVSTORE_TOOLS_DEMO_RESULTS_H_
#define KVSTORE_TOOLS_DEMO_RESULTS_H_

#include <sys/types.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "tools/demo/report.h"

namespace kvstore::demo {

// How long the calls of one kind took.
class Latencies {
 public:
  void Add(uint64_t microseconds) { samples_.push_back(microseconds); }
  size_t count() const { return samples_.size(); }
  // The smallest sample that `share` (0 to 1) of all don't exceed; 0 without samples.
  Duration Percentile(double share) const;

 private:
  std::vector<uint64_t> samples_;
};

// Of the prefill worker, or of the master.
struct Restart {
  uint64_t after = 0;  // requests; 0: none
  pid_t killed = 0;
  pid_t started = 0;
};

// What a replay has come to. Thread-compatible.
struct Results {
  uint64_t block_bytes = 0;
  uint64_t requests = 0;       // in the replay
  uint64_t requests_done = 0;  // stored, read and checked
  uint64_t repeated = 0;       // sent again, since a block was evicted before it was read
  uint64_t blocks = 0;         // asked for by prefill, hits included
  uint64_t hits = 0;
  uint64_t outrun = 0;     // missing, and put by two threads at once; one of them was refused
  uint64_t got_bytes = 0;  // read and checked
  uint64_t wrong_bytes = 0;
  uint64_t errors = 0;
  std::string first_problem;
  Latencies put, get, wait;
  Report prefill_totals, decode_totals;  // of all processes in these roles
  Duration elapsed{};

  Restart restart;
  uint64_t old_blocks = 0;       // read after the restart, of those put before it, or put again
  uint64_t old_blocks_read = 0;  // of these: as they were put before it

  Restart master_restart;
  Duration master_away{};    // from its death until the next one was ready
  uint64_t put_again = 0;    // blocks after that which the same prefill worker had put before
  size_t started_again = 0;  // masters and nodes that ended, and were started again

  bool shm_expected = false;  // the machine and the options allow it

  void AddPrefill(const Report& report);
  void AddDecode(const Report& report);
  void AddProblem(const std::string& problem, uint64_t count = 1);
  double hit_rate() const;   // in per cent
  double shm_share() const;  // of all bytes put and got, in per cent
  // No errors, no wrong bytes, where shared memory is expected nearly all bytes went by it, and a
  // restart has kept something (of the master: all).
  bool good() const;
  bool too_little_shm() const;
  // Blocks put before the restart were asked for after it, and not one was still there. Some may
  // well have been evicted meanwhile; but not all.
  bool kept_nothing() const;
  // The master was restarted, and blocks had to be put again. (The demo lends enough for all.)
  bool master_lost_some() const { return master_restart.after > 0 && put_again > 0; }

  // One line while it runs.
  std::string Progress() const;
  // The table at the end.
  void Print(std::ostream& out) const;

 private:
  void PrintSummary(std::ostream& out) const;
  void PrintMoved(std::ostream& out) const;
  void PrintCalls(std::ostream& out) const;
};

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_RESULTS_H_
