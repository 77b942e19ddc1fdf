// The machine itself: each of these is its own limit.

#include <cstring>
#include <string>
#include <utility>

#include "tools/kvbench/bench.h"
#include "tools/kvbench/limits.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {
namespace {

// Rounds of the limit alone.
Result<Outcome> Measure(Bench& bench, const Round& limit) {
  std::vector<double> values;
  for (size_t round = 0; round < kRounds; ++round) {
    KVSTORE_ASSIGN_OR_RETURN(const double value, limit(bench.time() / (2 * kRounds)));
    values.push_back(value);
  }
  const double median = SpreadOf(values).median;
  const Spread spread = SpreadOf(values);
  return Outcome{
      .value = median, .limit = median, .ratio = {1, spread.least / median, spread.most / median}};
}

Row LimitRow(std::string name, std::string about, std::string unit,
             Result<Round> (*limit)(Bench&)) {
  const Better better = unit == "us" ? Better::kLess : Better::kMore;
  return {.name = std::move(name),
          .about = std::move(about),
          .unit = std::move(unit),
          .against = "itself",
          .better = better,
          .target = std::nullopt,
          .run = [limit](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(const Round round, limit(bench));
            return Measure(bench, round);
          }};
}

constexpr uint64_t kMiB = 1u << 20;

}  // namespace

std::vector<Row> LimitRows() {
  return {
      LimitRow("limit-memcpy-hot", "copies of 1 MiB within the cache, lent to private memory",
               "GB/s", [](Bench& bench) { return HotCopy(bench, Direction::kReceive, kMiB); }),
      LimitRow("limit-memcpy-cold", "copies of 1 MiB, walking through both memories", "GB/s",
               [](Bench& bench) { return ColdCopy(bench, Direction::kReceive, kMiB); }),
      LimitRow("limit-memcpy-cold-out", "the same, private to lent memory", "GB/s",
               [](Bench& bench) { return ColdCopy(bench, Direction::kSend, kMiB); }),
      LimitRow("limit-sockets-in",
               "received by loopback TCP, best of 1, 2, 4 streams and 4 block sizes", "GB/s",
               [](Bench& bench) { return Sockets(bench, Direction::kReceive); }),
      LimitRow("limit-sockets-out", "the same, sent", "GB/s",
               [](Bench& bench) { return Sockets(bench, Direction::kSend); }),
      LimitRow("limit-sockets-trip", "64 bytes sent, 4 KiB received, p50", "us",
               [](Bench& bench) { return SocketTrip(bench, 4096); }),
      LimitRow("limit-grpc-unary", "a call that does nothing, 128 bytes each way, p50", "us",
               [](Bench& bench) {
                 return GrpcUnary(bench, {128, 128});
               }),
      LimitRow("limit-grpc-stream", "the same as messages on one stream", "us",
               [](Bench& bench) {
                 return GrpcStream(bench, {128, 128});
               }),
  };
}

}  // namespace kvstore::bench
