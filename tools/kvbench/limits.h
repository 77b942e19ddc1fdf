#ifndef KVSTORE_TOOLS_KVBENCH_LIMITS_H_
#define KVSTORE_TOOLS_KVBENCH_LIMITS_H_

#include <cstdint>

#include "kvstore/result.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/measure.h"

namespace kvstore::bench {

// Rounds of what the machine can do, for rows to be measured against. The bench outlives them.

// memcpy of so many bytes at a time between the bench's buffers and memory as nodes lend it, in
// GB/s. Cold: walking through all of both; hot: to and fro in Bench::hot_bytes() of each.
Result<Round> ColdCopy(Bench& bench, Direction direction, uint64_t size);
Result<Round> HotCopy(Bench& bench, Direction direction, uint64_t size);
// How long a hot memcpy takes, p50 or another share, in microseconds.
Result<Round> HotCopyTime(Bench& bench, Direction direction, uint64_t size, double share = 0.5);

// Loopback TCP: GB/s, walking through the bench's buffers; and a small request's round trip, in
// microseconds.
Result<Round> Sockets(Bench& bench, Direction direction);
Result<Round> SocketTrip(Bench& bench, uint64_t reply_bytes, double share = 0.5);

// A call that does nothing, p50 in microseconds.
Result<Round> GrpcUnary(Bench& bench, MessageSizes sizes);
Result<Round> GrpcStream(Bench& bench, MessageSizes sizes);

// Of a round in microseconds for so much work: how much that is per second.
Round PerSecond(Round microseconds, double amount);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_LIMITS_H_
