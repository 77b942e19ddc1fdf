#ifndef KVSTORE_TOOLS_KVBENCH_SOCKET_LIMIT_H_
#define KVSTORE_TOOLS_KVBENCH_SOCKET_LIMIT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/demo/child.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {

// As seen by this process.
enum class Direction : uint8_t { kReceive, kSend };

// How bytes are spread over plain TCP connections.
struct SocketShape {
  uint32_t streams = 1;
  uint64_t block = 0;  // bytes handed to the kernel at a time
};

// What loopback TCP can do between this process and another one, without a store: bytes go from one
// walk to another. Confined to one thread.
class SocketLimit {
 public:
  // The other process walks through `walk_bytes`.
  static Result<std::unique_ptr<SocketLimit>> Start(const std::string& programs,
                                                    uint64_t walk_bytes);

  // GB/s with the best of several shapes, which are tried when a direction is first asked for,
  // each twice, for a quarter of `time`.
  Result<double> Move(Direction direction, Duration time, Walk* walk);
  // Requests of 64 bytes on one connection, each answered by so many before the next.
  Result<Times> RoundTrips(uint64_t reply_bytes, Duration time);

  // The shape that was best, once there is one.
  std::optional<SocketShape> best(Direction direction) const;

 private:
  SocketLimit(std::unique_ptr<demo::Child> peer, uint16_t port)
      : peer_(std::move(peer)), port_(port) {}

  Result<SocketShape> FindBest(Direction direction, Duration time, Walk* walk);
  Result<double> MoveShaped(Direction direction, SocketShape shape, Duration time, Walk* walk);

  std::unique_ptr<demo::Child> peer_;
  const uint16_t port_;
  std::optional<SocketShape> best_[2];
};

// The other process: says "serving on PORT", and serves until its standard input ends.
int ServeSockets(uint64_t walk_bytes);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_SOCKET_LIMIT_H_
