#ifndef KVSTORE_TOOLS_DEMO_TRACE_H_
#define KVSTORE_TOOLS_DEMO_TRACE_H_

// tools/demo: a cluster of processes on this machine, and a real trace replayed on it.
//
//   kvdemo         the scheduler: starts everything, replays, shows the table, stops everything
//   demo_cluster   the processes: a master, two nodes that lend memory, a prefill and a decode
//   worker child          one of them: its pipes, its end replay         requests in flight: to
//   both workers, back from both, again if evicted between results        what is counted, and the
//   table replay_worker  a worker's process; prefill and decode are its two roles report the lines
//   in which a worker tells what it did trace          requests of a trace file program        the
//   command line that kvdemo and replay_worker share block_content  the bytes of a block, computed
//   from its id

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/result.h"

namespace kvstore::demo {

// The ids of the blocks of one request's prompt, in order. Equal ids: equal content.
struct TraceRequest {
  std::vector<uint64_t> blocks;
};

// The first `limit` requests (0: all) of a trace in Mooncake's format, see data/README.md.
// invalid_argument names the line that is none; not_found: no such file.
Result<std::vector<TraceRequest>> ReadTrace(const std::string& path, size_t limit);

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_TRACE_H_
