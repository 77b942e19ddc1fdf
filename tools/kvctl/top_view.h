#ifndef KVSTORE_TOOLS_KVCTL_TOP_VIEW_H_
#define KVSTORE_TOOLS_KVCTL_TOP_VIEW_H_

#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "tools/kvctl/pool_rows.h"

namespace kvstore::kvctl {

// The pool at one moment.
struct Sample {
  TimePoint when{};
  PoolStatus status;
  std::vector<NodeRow> nodes;
};

// What happened per second between two samples of one reign; 0 for whoever is not in both.
struct Rates {
  double puts = 0, hits = 0, misses = 0, evictions = 0;  // as the master counts them
};
struct NodeRates {
  double hits = 0, misses = 0;          // as the master counts them
  double bytes_got = 0, bytes_put = 0;  // as the node counts them
};
Rates RatesOf(const Sample& before, const Sample& now);
NodeRates RatesOf(const NodeRow& before, const NodeRow& now, Duration elapsed);

// A block of text, and one JSON object in a line.
std::string TopText(const Sample& before, const Sample& now);
std::string TopJson(const Sample& before, const Sample& now);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_TOP_VIEW_H_
