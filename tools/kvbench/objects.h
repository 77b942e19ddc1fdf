#ifndef KVSTORE_TOOLS_KVBENCH_OBJECTS_H_
#define KVSTORE_TOOLS_KVBENCH_OBJECTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {

// Keys as serving engines have them, 74 bytes.
std::string KeyOf(std::string_view group, uint64_t number);
inline constexpr uint64_t kKeyBytes = 74;

// A batch of objects of one size: keys, and for each a stretch of a walk as its one piece.
// Confined to one thread.
class Batch {
 public:
  // The objects first, first + 1, ... of the group.
  Batch(std::string_view group, uint64_t first, uint64_t count, uint64_t size, Walk* walk);

  Status Put(Client& client, const PutOptions& options = {}) const;
  // Also data_loss: an object has another size than it should.
  Status Get(Client& client) const;
  // not_found: one isn't there.
  Status Exists(Client& client) const;
  std::span<const std::string_view> keys() const { return names_; }

 private:
  uint64_t size_;
  std::vector<std::string> keys_;
  std::vector<std::string_view> names_;
  std::vector<Piece> in_;
  std::vector<ConstPiece> out_;
  std::vector<PutItem> puts_;
  std::vector<GetItem> gets_;
};

// not_found: one isn't there.
Status AllExist(Client& client, std::span<const std::string_view> keys);

// The first status that is not OK.
Status FirstOf(std::span<const Status> statuses);

// Removes all of the group.
Status RemoveGroup(Client& client, std::string_view group);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_OBJECTS_H_
