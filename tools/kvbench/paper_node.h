#ifndef KVSTORE_TOOLS_KVBENCH_PAPER_NODE_H_
#define KVSTORE_TOOLS_KVBENCH_PAPER_NODE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kvstore/result.h"

namespace kvstore::bench {

// A node that speaks the protocol and has no memory: it lends what is on paper only, confirms all
// orders at once, and commits what it has not written. So a master has more objects than the
// machine has memory for, and is measured alone. Confined to one thread.
class PaperNode {
 public:
  static Result<std::unique_ptr<PaperNode>> Join(const std::string& master, uint64_t lend_bytes);
  ~PaperNode();

  // At most 4096 keys each, as one message (Put: two), of which all must come out well. Objects are
  // of 64 bytes.
  Status Put(std::span<const std::string_view> keys);
  Status Exists(std::span<const std::string_view> keys);
  Status Remove(std::span<const std::string_view> keys);

 private:
  class Talk;
  explicit PaperNode(std::unique_ptr<Talk> talk);

  std::unique_ptr<Talk> talk_;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_PAPER_NODE_H_
