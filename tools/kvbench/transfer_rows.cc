// Large objects between this process and a node, cold: by each way, and as a client goes by itself.

#include <string>
#include <utility>

#include "tools/kvbench/bench.h"
#include "tools/kvbench/limits.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/row.h"
#include "tools/kvbench/transfers.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kKiB = 1u << 10;
constexpr uint64_t kMiB = 1u << 20;

constexpr double kTarget = 0.85;

enum class Verb : uint8_t { kGet, kPut };

// `ways`: as kvstore_node has them. By TCP the limit are sockets, else memcpy of single objects.
Row TransferRow(std::string name, Verb verb, const char* ways, Load load,
                std::optional<double> target) {
  const bool by_tcp = std::string(ways) == "tcp";
  const Direction direction = verb == Verb::kGet ? Direction::kReceive : Direction::kSend;
  std::string about = std::to_string(load.count) + " x " + std::to_string(load.size / kKiB) +
                      " KiB a call, cold, two processes";
  return {
      .name = std::move(name),
      .about = std::move(about),
      .unit = "GB/s",
      .against = by_tcp ? "sockets" : "memcpy",
      .better = Better::kMore,
      .target = target,
      .run = [=](Bench& bench) -> Result<Outcome> {
        KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
        KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
        KVSTORE_ASSIGN_OR_RETURN(const Round store, (verb == Verb::kGet ? Gets : Puts)(
                                                        buffers, client, load, bench.walk_bytes(),
                                                        GigabytesPerSecond(load)));
        KVSTORE_ASSIGN_OR_RETURN(const Round limit, by_tcp ? Sockets(bench, direction)
                                                           : ColdCopy(bench, direction, load.size));
        return Alternate(Better::kMore, bench.time(), store, limit);
      }};
}

// What the checksum of a Get costs: with it, against without.
Row ChecksumRow(std::string name, const char* ways, Load load) {
  return {.name = std::move(name),
          .about = "get with verify_checksums (the default) against without, cold",
          .unit = "GB/s",
          .against = "without",
          .better = Better::kMore,
          .target = std::nullopt,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(Client* const with, bench.client(ways));
            KVSTORE_ASSIGN_OR_RETURN(Client* const without, bench.client(ways, Habit::kTrusting));
            const Figure figure = GigabytesPerSecond(load);
            const uint64_t over = bench.walk_bytes();
            KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
            KVSTORE_ASSIGN_OR_RETURN(const Round store, Gets(buffers, with, load, over, figure));
            KVSTORE_ASSIGN_OR_RETURN(const Round limit, Gets(buffers, without, load, over, figure));
            return Alternate(Better::kMore, bench.time(), store, limit);
          }};
}

}  // namespace

std::vector<Row> TransferRows() {
  return {
      TransferRow("shm-get-1MiB", Verb::kGet, "shm", {1, kMiB}, kTarget),
      TransferRow("shm-get-32x1MiB", Verb::kGet, "shm", {32, kMiB}, kTarget),
      TransferRow("shm-get-16MiB", Verb::kGet, "shm", {1, 16 * kMiB}, kTarget),
      TransferRow("shm-put-32x1MiB", Verb::kPut, "shm", {32, kMiB}, kTarget),
      TransferRow("shm-put-16MiB", Verb::kPut, "shm", {1, 16 * kMiB}, kTarget),
      TransferRow("shm-put-512x64KiB", Verb::kPut, "shm", {512, 64 * kKiB}, kTarget),
      TransferRow("tcp-get-32x1MiB", Verb::kGet, "tcp", {32, kMiB}, kTarget),
      TransferRow("tcp-get-16MiB", Verb::kGet, "tcp", {1, 16 * kMiB}, kTarget),
      TransferRow("tcp-put-32x1MiB", Verb::kPut, "tcp", {32, kMiB}, kTarget),
      TransferRow("tcp-put-16MiB", Verb::kPut, "tcp", {1, 16 * kMiB}, kTarget),
      TransferRow("default-get-1MiB", Verb::kGet, "all", {1, kMiB}, std::nullopt),
      TransferRow("default-get-16MiB", Verb::kGet, "all", {1, 16 * kMiB}, std::nullopt),
      TransferRow("default-put-1MiB", Verb::kPut, "all", {1, kMiB}, std::nullopt),
      TransferRow("default-put-16MiB", Verb::kPut, "all", {1, 16 * kMiB}, std::nullopt),
      ChecksumRow("checksum-get-32x1MiB-shm", "shm", {32, kMiB}),
      ChecksumRow("checksum-get-32x1MiB-tcp", "tcp", {32, kMiB}),
  };
}

}  // namespace kvstore::bench
