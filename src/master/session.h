#ifndef KVSTORE_SRC_MASTER_SESSION_H_
#define KVSTORE_SRC_MASTER_SESSION_H_

#include <memory>

#include "master/calls.h"
#include "master/metrics.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// A node's session: its hello, then orders to it and acks from it, until goodbye or the end of the
// stream, which makes the node suspected. Both streams own themselves; what they are given outlives
// them.
void OpenSession(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                 Metrics& metrics);

// A node's heartbeats, each answered at once without the catalog's lock.
void OpenHeartbeat(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                   Metrics& metrics);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SESSION_H_
