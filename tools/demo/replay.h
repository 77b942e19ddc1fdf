#ifndef KVSTORE_TOOLS_DEMO_REPLAY_H_
#define KVSTORE_TOOLS_DEMO_REPLAY_H_

#include <functional>
#include <vector>

#include "tools/demo/demo_cluster.h"
#include "tools/demo/results.h"
#include "tools/demo/trace.h"

namespace kvstore::demo {

struct ReplayOptions {
  size_t window = 8;             // requests in flight
  size_t restart_after = 0;      // requests; 0: never
  size_t kill_master_after = 0;  // requests; 0: never
  TimePoint again_until{};       // until then the trace is replayed over and over
  TimePoint deadline;
};

// Sends every request to both workers, in the order of the trace; decode's reads begin while
// prefill still stores. A request with a block that was evicted before decode had read it is sent
// again, three times in all. Once `restart_after` requests are done and prefill has nothing to do,
// it is killed and another one takes its place. Once `kill_master_after` are done the master is
// killed, in the midst of what is going on, and started again. Ends with the workers' totals.
// `progress` is called after every change.
//
// Not OK: it was not finished; as DemoCluster::Watch, or deadline_exceeded.
Status Replay(DemoCluster* cluster, const std::vector<TraceRequest>& requests,
              const ReplayOptions& options, Results* results,
              const std::function<void(const Results&)>& progress);

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_REPLAY_H_
