#ifndef KVSTORE_TOOLS_KVBENCH_GRPC_LIMIT_H_
#define KVSTORE_TOOLS_KVBENCH_GRPC_LIMIT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/kvbench/measure.h"

namespace kvstore::bench {

// What a message to the master and its answer take on the wire, so that a call that does nothing
// can be as long.
struct MessageSizes {
  uint64_t request = 0;  // bytes, at least 8
  uint64_t reply = 0;
};

// What gRPC can do between this process and another one that only answers: one call at a time.
// Confined to one thread.
class GrpcLimit {
 public:
  static Result<std::unique_ptr<GrpcLimit>> Start(const std::string& programs);
  ~GrpcLimit();

  // A call for each request.
  Result<Times> Unary(MessageSizes sizes, Duration time);
  // All on one stream, as the verbs of a client are.
  Result<Times> Stream(MessageSizes sizes, Duration time);

 private:
  struct Works;
  explicit GrpcLimit(std::unique_ptr<Works> works);

  std::unique_ptr<Works> works_;
};

// The other process: says "serving on PORT", and serves until its standard input ends.
int ServeGrpc();

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_GRPC_LIMIT_H_
