#ifndef KVSTORE_SRC_MASTER_WATCH_STREAM_H_
#define KVSTORE_SRC_MASTER_WATCH_STREAM_H_

#include <memory>

#include "kvstore/clock.h"
#include "master/calls.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// One Watch: writes the events that its queue holds, as fast as the watcher reads. What a slow one
// has no room for is left out, and told as a count. It owns itself until gRPC is done with it;
// switchboard and table outlive it. `began`: when the master started.
void OpenWatch(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
               TimePoint began);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_WATCH_STREAM_H_
