#ifndef KVSTORE_TOOLS_KVBENCH_SOAK_H_
#define KVSTORE_TOOLS_KVBENCH_SOAK_H_

#include <cstdint>
#include <string>

#include "kvstore/clock.h"

namespace kvstore::bench {

struct SoakOptions {
  std::string programs;  // the folder of kvstore_master, kvstore_node and kvbench
  Duration time = std::chrono::seconds(60);
  uint64_t reads =
      0;  // ends when so many were right; too few within the time is a failure. 0: time
};

// A pool of processes on loopback, half as large as what soakers (soaker.h) keep putting in it, of
// which some reach it by shared memory and some by TCP, one each of which is slow, and one or
// another is paused all the time. Prints what was read and what was refused. The exit status: 1
// when a byte was wrong, reads were too few, a guard never refused, or a process ended.
int RunSoak(const SoakOptions& options);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_SOAK_H_
