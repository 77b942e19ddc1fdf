#ifndef KVSTORE_SRC_MASTER_SERVICE_H_
#define KVSTORE_SRC_MASTER_SERVICE_H_

#include "master/calls.h"
#include "master/metrics.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// kvstore.v1.Master: decode, ask the switchboard, encode; an item which waits holds no thread. The
// verbs are here, session and heartbeat in session.h. All outlive every stream.
void ServeMaster(Switchboard& switchboard, StreamTable& streams, Metrics& metrics, Calls* calls);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SERVICE_H_
