#ifndef KVSTORE_TOOLS_KVBENCH_PAPER_CROWD_H_
#define KVSTORE_TOOLS_KVBENCH_PAPER_CROWD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/result.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/paper_node.h"
#include "tools/kvbench/pool.h"

namespace kvstore::bench {

// A master with very many objects that exist nowhere else. Confined to one thread.
class PaperCrowd {
 public:
  static Result<std::unique_ptr<PaperCrowd>> Gather(const std::string& programs, uint64_t objects);

  // Rounds of one call after the other, p50 in microseconds; this outlives them.
  Round AskExists(uint64_t keys);
  Round PutOne();  // which is removed again

 private:
  explicit PaperCrowd(uint64_t objects) : objects_(objects) {}

  const uint64_t objects_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<PaperNode> node_;  // ends before the pool
  uint64_t next_ = 0;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_PAPER_CROWD_H_
