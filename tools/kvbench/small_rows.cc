// Small objects, hot: what a call costs beside its bytes.

#include <string>
#include <utility>

#include "tools/kvbench/bench.h"
#include "tools/kvbench/limits.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/objects.h"
#include "tools/kvbench/row.h"
#include "tools/kvbench/transfers.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kSize = 4096;
constexpr uint64_t kHot = 100 * kSize;              // of single gets
constexpr uint64_t kHotBatches = 256 * kSize;       // eight batches
constexpr uint64_t kPutBytes = uint64_t{64} << 20;  // between two removals
constexpr Load kOne = {1, kSize};
constexpr Load kBatch = {32, kSize};
constexpr double kTcpTarget = 1 / 1.3;

// What one key, or one location, adds to a message.
constexpr uint64_t kPerKey = kKeyBytes + 2;
constexpr uint64_t kPerLocation = 110;
constexpr uint64_t kMessage = 24;  // without its items

using MakeRound = std::function<Result<Round>(Bench&)>;

Row AgainstLimit(std::string name, std::string about, std::string unit, std::string against,
                 std::optional<double> target, MakeRound store, MakeRound limit) {
  const Better better = unit == "us" ? Better::kLess : Better::kMore;
  return {.name = std::move(name),
          .about = std::move(about),
          .unit = std::move(unit),
          .against = std::move(against),
          .better = better,
          .target = target,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(const Round of_store, store(bench));
            KVSTORE_ASSIGN_OR_RETURN(const Round of_limit, limit(bench));
            return Alternate(better, bench.time(), of_store, of_limit);
          }};
}

MakeRound HotGets(const char* ways, double share) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
    KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
    return Gets(buffers, client, kOne, kHot, TakesUs(share));
  };
}

MakeRound HotGetsAfterExists(const char* ways, uint64_t asked) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
    KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
    return GetsAfterExists(buffers, client, kOne, kHotBatches, asked, TakesUs(0.5));
  };
}

MakeRound BatchGets(const char* ways) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
    KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
    return Gets(buffers, client, kBatch, kHotBatches, KeysPerSecond(kBatch));
  };
}

MakeRound BatchGetsAnew(const char* ways) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways, Habit::kForgetful));
    KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
    return Gets(buffers, client, kBatch, kHotBatches, KeysPerSecond(kBatch));
  };
}

MakeRound SmallPuts(bool two_processes, Load load, Figure figure) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Client* const client,
                             two_processes ? bench.client("all") : bench.lending_client());
    const uint64_t over = bench.Scaled(kPutBytes, uint64_t{1} << 20);
    KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
    return Puts(buffers, client, load, over, figure);
  };
}

MakeRound CopyTime(uint64_t bytes, double share) {
  return [=](Bench& bench) { return HotCopyTime(bench, Direction::kReceive, bytes, share); };
}

MakeRound Trip(uint64_t bytes, double share) {
  return [=](Bench& bench) { return SocketTrip(bench, bytes, share); };
}

MakeRound StreamTrip(uint64_t items, uint64_t per_request, uint64_t per_reply) {
  return [=](Bench& bench) {
    return GrpcStream(bench, {kMessage + items * per_request, kMessage + items * per_reply});
  };
}

// Keys a second, from a round in microseconds.
MakeRound KeysIn(MakeRound trip, uint64_t keys) {
  return [=](Bench& bench) -> Result<Round> {
    KVSTORE_ASSIGN_OR_RETURN(Round round, trip(bench));
    return PerSecond(std::move(round), static_cast<double>(keys));
  };
}

}  // namespace

std::vector<Row> SmallRows() {
  const uint64_t batch_bytes = kBatch.bytes();
  const MakeRound put_trip = StreamTrip(1, kPerKey + 12, kPerLocation);
  const MakeRound batch_trip = StreamTrip(kBatch.count, kPerKey + 12, kPerLocation);
  return {
      AgainstLimit("get-4KiB-hot-shm", "one of 100 objects, 0 RPC, p50", "us", "memcpy",
                   std::nullopt, HotGets("shm", 0.5), CopyTime(kSize, 0.5)),
      AgainstLimit("get-4KiB-hot-shm-p99", "the same, p99", "us", "memcpy's p99", std::nullopt,
                   HotGets("shm", 0.99), CopyTime(kSize, 0.99)),
      AgainstLimit("get-4KiB-after-exists-shm", "gets of 32 objects that one Exists located, p50",
                   "us", "memcpy", std::nullopt, HotGetsAfterExists("shm", kBatch.count),
                   CopyTime(kSize, 0.5)),
      AgainstLimit("get-4KiB-after-one-exists-shm", "an Exists of one object before each get, p50",
                   "us", "memcpy", std::nullopt, HotGetsAfterExists("shm", 1),
                   CopyTime(kSize, 0.5)),
      AgainstLimit("get-4KiB-hot-tcp", "one of 100 objects, 0 RPC, p50", "us", "sockets' trip",
                   kTcpTarget, HotGets("tcp", 0.5), Trip(kSize, 0.5)),
      AgainstLimit("get-4KiB-hot-tcp-p99", "the same, p99", "us", "sockets' p99", std::nullopt,
                   HotGets("tcp", 0.99), Trip(kSize, 0.99)),
      AgainstLimit("get-32x4KiB-hot-shm", "batches at remembered locations", "keys/s", "memcpy",
                   std::nullopt, BatchGets("shm"),
                   KeysIn(CopyTime(batch_bytes, 0.5), kBatch.count)),
      AgainstLimit("get-32x4KiB-hot-tcp", "the same", "keys/s", "sockets' trip", std::nullopt,
                   BatchGets("tcp"), KeysIn(Trip(batch_bytes, 0.5), kBatch.count)),
      AgainstLimit("get-32x4KiB-anew", "batches, every key located anew", "keys/s", "gRPC stream",
                   std::nullopt, BatchGetsAnew("all"),
                   KeysIn(StreamTrip(kBatch.count, kPerKey, kPerLocation), kBatch.count)),
      AgainstLimit("put-4KiB-two-processes", "one at a time, p50", "us", "gRPC stream",
                   std::nullopt, SmallPuts(true, kOne, TakesUs(0.5)), put_trip),
      AgainstLimit("put-4KiB-one-process", "the same into memory that the writer lends, p50", "us",
                   "gRPC stream", std::nullopt, SmallPuts(false, kOne, TakesUs(0.5)), put_trip),
      AgainstLimit("put-32x4KiB-two-processes", "batches", "keys/s", "gRPC stream", std::nullopt,
                   SmallPuts(true, kBatch, KeysPerSecond(kBatch)),
                   KeysIn(batch_trip, kBatch.count)),
      AgainstLimit("put-32x4KiB-one-process", "batches into memory that the writer lends", "keys/s",
                   "gRPC stream", std::nullopt, SmallPuts(false, kBatch, KeysPerSecond(kBatch)),
                   KeysIn(batch_trip, kBatch.count)),
  };
}

}  // namespace kvstore::bench
