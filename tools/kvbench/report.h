#ifndef KVSTORE_TOOLS_KVBENCH_REPORT_H_
#define KVSTORE_TOOLS_KVBENCH_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "tools/kvbench/row.h"

namespace kvstore::bench {

// The table's head; and a line of it, with "met" or "missed" where there is a target.
std::string TableHead();
std::string TableLine(const Row& row, const Outcome& outcome);

// An array of {row, value, unit, limit, ratio, target}.
std::string ToJson(const std::vector<std::pair<Row, Outcome>>& done);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_REPORT_H_
