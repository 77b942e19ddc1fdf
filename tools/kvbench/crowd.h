#ifndef KVSTORE_TOOLS_KVBENCH_CROWD_H_
#define KVSTORE_TOOLS_KVBENCH_CROWD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/pool.h"

namespace kvstore::bench {

// A pool with very many objects of 64 bytes, durable, whose keys have 74. Its state file lies in a
// folder of its own. Confined to one thread.
class Crowd {
 public:
  static Result<std::unique_ptr<Crowd>> Gather(Bench& bench, uint64_t objects);
  ~Crowd();

  uint64_t objects() const { return objects_; }
  Pool& pool() { return *pool_; }
  // Remembers no location.
  Client& client() { return *client_; }

  // What one object takes, in bytes: of all that the master has; and of what the node has beside
  // the memory that it lends.
  double master_bytes() const { return master_bytes_; }
  double holder_bytes() const { return holder_bytes_; }

  // So many keys of objects, of which each call gives others.
  std::vector<std::string> SomeKeys(uint64_t count);
  // How many of all objects the master does not know.
  Result<uint64_t> CountLost();

 private:
  explicit Crowd(uint64_t objects) : objects_(objects) {}
  Status MakeFolder();
  Status Start(Bench& bench);
  Status Fill(Bench& bench);

  const uint64_t objects_;
  std::string folder_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Client> client_;
  uint64_t next_ = 0;
  double master_bytes_ = 0;
  double holder_bytes_ = 0;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_CROWD_H_
