// A master with 10^6 objects: asked for many, its memory, and its next life.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/kvbench/asking.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/crowd.h"
#include "tools/kvbench/limits.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/objects.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {
namespace {

constexpr double kMasterBytes = 300;
constexpr double kHolderBytes = 200;
constexpr double kRestartSeconds = 3;

uint64_t Million(Bench& bench) { return bench.Scaled(1'000'000, 10'000); }

Row ExistsRow(std::string name, uint64_t keys) {
  return {.name = std::move(name),
          .about = "keys of 74 bytes, 10^6 objects in the master, nothing located or leased",
          .unit = "keys/s",
          .against = "gRPC stream",
          .better = Better::kMore,
          .target = std::nullopt,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(Crowd* const crowd, bench.crowd(Million(bench)));
            const auto many = static_cast<double>(keys);
            // An answer names each key by its index.
            KVSTORE_ASSIGN_OR_RETURN(
                Round trip, GrpcStream(bench, {24 + keys * (kKeyBytes + 1), 24 + keys * 2}));
            return Alternate(Better::kMore, bench.time(), PerSecond(AskExists(crowd, keys), many),
                             PerSecond(std::move(trip), many));
          }};
}

Row MemoryRow(std::string name, std::string about, double demanded, double (*bytes)(const Crowd&)) {
  return {.name = std::move(name),
          .about = std::move(about),
          .unit = "B",
          .against = "demanded",
          .better = Better::kLess,
          .target = std::nullopt,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(Crowd* const crowd, bench.crowd(Million(bench)));
            return Demand(Better::kLess, bytes(*crowd), demanded);
          }};
}

// From the start of the process to the first answers, and nothing may be missing.
Result<Outcome> Restart(Bench& bench) {
  KVSTORE_ASSIGN_OR_RETURN(Crowd* const crowd, bench.crowd(Million(bench)));
  const std::vector<std::string> keys = crowd->SomeKeys(512);
  const std::vector<std::string_view> names(keys.begin(), keys.end());
  const TimePoint began = BootClock::now();
  KVSTORE_RETURN_IF_ERROR(crowd->pool().ReplaceMaster());
  const TimePoint patience = began + std::chrono::minutes(2);
  while (true) {
    Status status;
    for (const Result<bool>& there : crowd->client().Exists(names)) {
      if (status.ok() && !there.ok()) status = there.status();
    }
    if (status.ok()) break;
    if (BootClock::now() > patience) return status;
  }
  const std::chrono::duration<double> took = BootClock::now() - began;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t lost, crowd->CountLost());
  if (lost > 0) return DataLossError(std::to_string(lost) + " durable objects were lost");
  return Demand(Better::kLess, took.count(), kRestartSeconds);
}

}  // namespace

std::vector<Row> CrowdRows() {
  return {
      ExistsRow("exists-512", 512),
      ExistsRow("exists-4096", 4096),
      MemoryRow("memory-master", "per object, all in, keys of 74 bytes", kMasterBytes,
                [](const Crowd& crowd) { return crowd.master_bytes(); }),
      MemoryRow("memory-holder", "per object, beside what is lent", kHolderBytes,
                [](const Crowd& crowd) { return crowd.holder_bytes(); }),
      {.name = "restart-1e6",
       .about = "killed with 10^6 durable objects; until it answers, none lost",
       .unit = "s",
       .against = "demanded",
       .better = Better::kLess,
       .target = std::nullopt,
       .run = &Restart},
  };
}

}  // namespace kvstore::bench
