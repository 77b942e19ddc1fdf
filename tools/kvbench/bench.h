#ifndef KVSTORE_TOOLS_KVBENCH_BENCH_H_
#define KVSTORE_TOOLS_KVBENCH_BENCH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "tools/kvbench/grpc_limit.h"
#include "tools/kvbench/pool.h"
#include "tools/kvbench/socket_limit.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {

class Crowd;
class PaperCrowd;

struct BenchOptions {
  std::string programs;  // the folder of kvbench, kvstore_master and kvstore_node
  Duration row_time = std::chrono::seconds(3);  // of measuring, about; making ready comes on top
  // Much less of everything: shows that all rows work. Its figures mean nothing.
  bool quick = false;
};

// How a client differs from what one is by default.
enum class Habit : uint8_t {
  kDefault,
  kTrusting,   // computes no checksum of what it has read
  kForgetful,  // remembers no location
};

// What rows share, each made when it is first asked for. Confined to one thread.
class Bench {
 public:
  explicit Bench(BenchOptions options);
  ~Bench();

  const BenchOptions& options() const { return options_; }
  Duration time() const { return options_.row_time; }
  uint64_t Scaled(uint64_t full, uint64_t quick) const { return options_.quick ? quick : full; }

  // More than any cache holds: what is walked through is cold.
  uint64_t walk_bytes() const { return Scaled(uint64_t{1} << 30, uint64_t{32} << 20); }
  // All of it is hot after the first time.
  uint64_t hot_bytes() const { return uint64_t{4} << 20; }
  // This process's buffers, walk_bytes() of them.
  Result<Walk*> buffers();
  // As much of such memory as nodes lend, for the limits.
  Result<Walk*> lent();

  // A pool whose node lends more than twice walk_bytes(); rows leave it empty.
  Result<Pool*> pool();
  // A client of it in this process that lends nothing: whatever it puts lies in the node. `ways`:
  // as on the command line of kvstore_node.
  Result<Client*> client(std::string_view ways, Habit habit = Habit::kDefault);
  // A client of a pool of its own, which has nothing but the memory that this client lends.
  Result<Client*> lending_client();

  Result<SocketLimit*> sockets();
  Result<GrpcLimit*> grpc();

  // A pool of its own with so many objects.
  Result<Crowd*> crowd(uint64_t objects);
  // A master of its own with so many objects, and no memory behind them.
  Result<PaperCrowd*> paper_crowd(uint64_t objects);
  // Ends all crowds, and the memory that they take.
  void Disperse();

 private:
  const BenchOptions options_;
  std::optional<Walk> buffers_, lent_;
  // Pools outlive their clients.
  std::unique_ptr<Pool> pool_, lone_pool_;
  std::map<std::pair<std::string, Habit>, std::unique_ptr<Client>> clients_;
  std::unique_ptr<Client> lending_client_;
  std::unique_ptr<SocketLimit> sockets_;
  std::unique_ptr<GrpcLimit> grpc_;
  std::map<uint64_t, std::unique_ptr<Crowd>> crowds_;
  std::map<uint64_t, std::unique_ptr<PaperCrowd>> paper_crowds_;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_BENCH_H_
