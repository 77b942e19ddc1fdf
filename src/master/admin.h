#ifndef KVSTORE_SRC_MASTER_ADMIN_H_
#define KVSTORE_SRC_MASTER_ADMIN_H_

#include "master/calls.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// kvstore.v1.Admin: the catalog's numbers and lists, and what operators have it do. Switchboard and
// table outlive every call.
void ServeAdmin(Switchboard& switchboard, StreamTable& streams, Calls* calls);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ADMIN_H_
