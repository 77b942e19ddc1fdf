#ifndef KVSTORE_TOOLS_KVBENCH_RUN_H_
#define KVSTORE_TOOLS_KVBENCH_RUN_H_

#include <string>
#include <vector>

#include "tools/kvbench/bench.h"

namespace kvstore::bench {

struct RunOptions {
  BenchOptions bench;
  std::vector<std::string> rows;  // names, or patterns of them with * and ?; "all"
  std::string json;               // file to write; empty: none
};

// Prints the names of all rows, each with what it is.
int ListRows();

// Runs rows in the order of the list and prints a line for each. The exit status: 0, 1 when one
// failed, 2 when a name fits no row.
int RunRows(const RunOptions& options);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_RUN_H_
