#ifndef KVSTORE_SRC_MASTER_SESSION_H_
#define KVSTORE_SRC_MASTER_SESSION_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "kvstore/v1/kvstore.pb.h"
#include "master/metrics.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// A node's session: its hello, then orders to it and acks from it, until goodbye or the end of the
// stream, which makes the node suspected. `address` is shown in logs. Both streams own themselves;
// what they are given outlives them.
grpc::ServerBidiReactor<v1::NodeMessage, v1::MasterMessage>* OpenSession(std::string address,
                                                                         Switchboard& switchboard,
                                                                         StreamTable& streams,
                                                                         Metrics& metrics);

// A node's heartbeats, each answered at once without the catalog's lock.
grpc::ServerBidiReactor<v1::Beat, v1::BeatReply>* OpenHeartbeat(Switchboard& switchboard,
                                                                StreamTable& streams,
                                                                Metrics& metrics);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SESSION_H_
