#ifndef KVSTORE_SRC_MASTER_WATCH_STREAM_H_
#define KVSTORE_SRC_MASTER_WATCH_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "kvstore/clock.h"
#include "kvstore/v1/admin.pb.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// The reactor of one Watch: writes the events that its queue holds, as fast as the watcher reads.
// What a slow one has no room for is left out, and told as a count. It owns itself until gRPC is
// done with it; switchboard and table outlive it. `began`: when the master started.
grpc::ServerWriteReactor<v1::WatchReply>* OpenWatch(const v1::WatchRequest& request,
                                                    Switchboard& switchboard, StreamTable& streams,
                                                    TimePoint began);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_WATCH_STREAM_H_
