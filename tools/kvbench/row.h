#ifndef KVSTORE_TOOLS_KVBENCH_ROW_H_
#define KVSTORE_TOOLS_KVBENCH_ROW_H_

// What `kvbench run` measures. In reading order:
//
//   row          what a row is; rows.cc lists all of them, in the order in which they run
//   measure      rounds of the store and of its limit in turn, and what their spread is
//   bench        what rows share: memory to walk through, a pool, the other ends of the limits
//   pool         a master and a node that lends, as processes; crowd: one with very many objects
//   memory_limit, socket_limit, grpc_limit, rdma_limit   what the machine itself can do
//   *_rows       the rows, each a small declaration
//   report       the table and the JSON

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/result.h"

namespace kvstore::bench {

class Bench;

enum class Better : uint8_t { kMore, kLess };

// Of several rounds.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};

// What a row has come to, in its unit.
struct Outcome {
  double value = 0;  // the median
  double limit = 0;  // the median of the limit's own rounds; or the figure that is demanded
  // The share of the limit that was reached, round by round: larger is better, whatever the unit.
  Spread ratio;
};

struct Row {
  std::string name;
  std::string about;    // one line
  std::string unit;     // "GB/s", "us", ...
  std::string against;  // what the limit is
  Better better = Better::kMore;
  std::optional<double> target;  // least ratio demanded; none: judged against a peer, or absolute
  std::function<Result<Outcome>(Bench&)> run;
};

// All of them, those that measure the machine first.
std::vector<Row> AllRows();

// The groups that AllRows is made of, each in a file of its own.
std::vector<Row> LimitRows();
std::vector<Row> TransferRows();
std::vector<Row> SmallRows();
std::vector<Row> ScatterRows();
std::vector<Row> RdmaRows();  // none where there is no RDMA device
std::vector<Row> CrowdRows();
std::vector<Row> ScaleRows();
std::vector<Row> ClientRows();
std::vector<Row> AllocatorRows();

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_ROW_H_
