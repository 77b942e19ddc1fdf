#ifndef KVSTORE_TOOLS_KVBENCH_ROUNDS_WORKER_H_
#define KVSTORE_TOOLS_KVBENCH_ROUNDS_WORKER_H_

#include <cstdint>
#include <string>

namespace kvstore::bench {

// A client that another program tells what to measure, so that it can measure other stores by
// turns.
struct RoundsWork {
  std::string master;
  std::string ways;         // as kvstore_node has them
  uint64_t lend_bytes = 0;  // 0: what it puts lies with others
  bool forgetful = false;   // it remembers no location
};

// Says "waits for orders", then answers each line of its standard input until that ends:
//   put|get|exists SIZE COUNT OVER MILLISECONDS   calls of COUNT objects of SIZE bytes each,
//   walking
//                                                 through OVER bytes of them
//     -> "done KEYS P50": keys a second, and the median call in microseconds
//   fill COUNT     puts so many objects of 64 bytes, of which `exists` asks; SIZE and OVER don't
//                  matter then
//     -> "done COUNT 0"
// or "failed: WHY".
int WorkInRounds(const RoundsWork& work);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_ROUNDS_WORKER_H_
