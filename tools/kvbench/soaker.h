#ifndef KVSTORE_TOOLS_KVBENCH_SOAKER_H_
#define KVSTORE_TOOLS_KVBENCH_SOAKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/transfer.h"

namespace kvstore::bench {

struct SoakerOptions {
  std::string master;
  uint32_t who = 0;      // below `soakers`
  uint32_t life = 0;     // how many of that number there were before, below 4096
  uint32_t soakers = 3;  // whose keys are read
  uint32_t keys = 36;    // of each
  size_t least_cells = 1024;
  size_t most_cells = 17'408;
  size_t batch = 1;                   // keys of a Get
  bool slow = false;                  // it takes its time between two steps
  std::vector<transfer::Way> ways{};  // empty: all
};

// A client that does what comes to its mind until standard input ends, and checks every byte: it
// alone puts, makes in place and removes the keys "WHO/0" .. , with versions that grow from one
// life to the next; it gets, views and reads in parts its own and those of the other soakers. Says
// "soaking" once it has put something, "right N" now and then (objects and parts that were as they
// had to be, so far), and at the end what it did: "counts NAME=N ...". The exit status: 1, and a
// line "WRONG: WHY" as soon as a byte was wrong or a version came back.
int RunSoaker(const SoakerOptions& options);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_SOAKER_H_
