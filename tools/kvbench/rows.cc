#include <iterator>
#include <utility>

#include "tools/kvbench/row.h"

namespace kvstore::bench {

std::vector<Row> AllRows() {
  std::vector<Row> all;
  for (const auto& group : {&LimitRows, &TransferRows, &SmallRows, &ScatterRows, &RdmaRows,
                            &ClientRows, &AllocatorRows, &CrowdRows, &ScaleRows}) {
    std::vector<Row> rows = group();
    std::move(rows.begin(), rows.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace kvstore::bench
