#ifndef KVSTORE_TOOLS_KVCTL_DOCTOR_POOL_H_
#define KVSTORE_TOOLS_KVCTL_DOCTOR_POOL_H_

#include <string>

#include "kvstore/clock.h"
#include "tools/kvctl/doctor/views.h"

namespace kvstore::kvctl::doctor {

// Goes to the master, HOST:PORT, and to all nodes that lend memory, and comes back within a few
// times `timeout`.
PoolView LookAtPool(const std::string& master, Duration timeout);

}  // namespace kvstore::kvctl::doctor

#endif  // KVSTORE_TOOLS_KVCTL_DOCTOR_POOL_H_
