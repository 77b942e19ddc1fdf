#ifndef KVSTORE_SRC_MASTER_TOOL_SERVICES_H_
#define KVSTORE_SRC_MASTER_TOOL_SERVICES_H_

#include "master/calls.h"
#include "master/stream_table.h"

namespace kvstore::master {

// What tools that know any gRPC server ask for: grpc.health.v1.Health, which says that this one
// serves, and grpc.reflection.v1alpha.ServerReflection, which tells how kvstore.v1 is spoken. gRPC
// brings both along, but with threads of their own that poll: see Poller. The table outlives every
// call.
void ServeTools(StreamTable& streams, Calls* calls);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_TOOL_SERVICES_H_
