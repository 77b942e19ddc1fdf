// Several client processes at once: in all they do no less than one does.

#include <memory>
#include <string>
#include <utility>

#include "tools/kvbench/bench.h"
#include "tools/kvbench/client_worker.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kMiB = 1u << 20;
constexpr double kTarget = 1;

Row ClientsRow(size_t clients, bool puts) {
  const uint64_t size = puts ? 4096 : kMiB;
  const double per_call = puts ? 1 : static_cast<double>(size) / 1e9;
  return {.name = "clients-" + std::to_string(clients) + (puts ? "-put-4KiB" : "-get-1MiB"),
          .about = "so many client processes, one call at a time each, in all",
          .unit = puts ? "keys/s" : "GB/s",
          .against = "one client",
          .better = Better::kMore,
          .target = kTarget,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(Pool* const pool, bench.pool());
            const uint64_t objects = puts ? bench.Scaled(4096, 64) : bench.Scaled(64, 2);
            KVSTORE_ASSIGN_OR_RETURN(const std::shared_ptr<ClientWorkers> workers,
                                     ClientWorkers::Start(bench.options().programs,
                                                          {.master = pool->address(),
                                                           .puts = puts,
                                                           .size = size,
                                                           .objects = objects,
                                                           .who = 0},
                                                          clients));
            const auto round = [&](size_t count) {
              return [=](Duration time) -> Result<double> {
                KVSTORE_ASSIGN_OR_RETURN(const double calls, workers->Work(count, time));
                return calls * per_call;
              };
            };
            return Alternate(Better::kMore, bench.time(), round(clients), round(1));
          }};
}

}  // namespace

std::vector<Row> ClientRows() {
  std::vector<Row> rows;
  for (const bool puts : {false, true}) {
    for (const size_t clients : {2, 4, 8}) rows.push_back(ClientsRow(clients, puts));
  }
  return rows;
}

}  // namespace kvstore::bench
