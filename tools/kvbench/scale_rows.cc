// From 10^4 objects on: whether a call takes longer when the master has more of them.

#include <string>
#include <utility>

#include "tools/kvbench/asking.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/crowd.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/paper_crowd.h"
#include "tools/kvbench/row.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kFew = 10'000;
constexpr double kSingleTarget = 1 / 1.2;
constexpr double kExistsTarget = 1 / 2.0;

struct Call {
  const char* name;
  double target;
  Round (*ask)(Crowd*);
};

constexpr Call kCalls[] = {
    {"get", kSingleTarget, &GetOne},
    {"put", kSingleTarget, &PutOne},
    {"exists", kExistsTarget, [](Crowd* crowd) { return AskExists(crowd, 4096); }},
};

Row ScaleRow(const Call& call, std::string digits, uint64_t objects) {
  return {.name = "scale-" + std::string(call.name) + '-' + digits,
          .about = "a call with so many objects, p50; exists: of 4096 keys",
          .unit = "us",
          .against = "with 1e4",
          .better = Better::kLess,
          .target = call.target,
          .run = [=](Bench& bench) -> Result<Outcome> {
            constexpr uint64_t kLess = 100;
            KVSTORE_ASSIGN_OR_RETURN(Crowd* const many,
                                     bench.crowd(bench.Scaled(objects, objects / kLess)));
            KVSTORE_ASSIGN_OR_RETURN(Crowd* const few,
                                     bench.crowd(bench.Scaled(kFew, kFew / kLess)));
            return Alternate(Better::kLess, bench.time(), call.ask(many), call.ask(few));
          }};
}

// 10^7 objects take more memory than the machine has: the master is alone with a node on paper.
Row PaperRow(std::string call, double target, Round (*ask)(PaperCrowd*)) {
  return {.name = "scale-" + call + "-1e7",
          .about = "the same, the master alone: nobody has the objects",
          .unit = "us",
          .against = "with 1e4",
          .better = Better::kLess,
          .target = target,
          .run = [=](Bench& bench) -> Result<Outcome> {
            bench.Disperse();
            KVSTORE_ASSIGN_OR_RETURN(PaperCrowd* const many,
                                     bench.paper_crowd(bench.Scaled(10'000'000, 100'000)));
            KVSTORE_ASSIGN_OR_RETURN(PaperCrowd* const few,
                                     bench.paper_crowd(bench.Scaled(kFew, 1'000)));
            return Alternate(Better::kLess, bench.time(), ask(many), ask(few));
          }};
}

}  // namespace

std::vector<Row> ScaleRows() {
  std::vector<Row> rows;
  for (const Call& call : kCalls) {
    rows.push_back(ScaleRow(call, "1e5", 100'000));
    rows.push_back(ScaleRow(call, "1e6", 1'000'000));
  }
  rows.push_back(PaperRow("put", kSingleTarget, [](PaperCrowd* crowd) { return crowd->PutOne(); }));
  rows.push_back(
      PaperRow("exists", kExistsTarget, [](PaperCrowd* crowd) { return crowd->AskExists(4096); }));
  return rows;
}

}  // namespace kvstore::bench
