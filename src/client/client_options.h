#ifndef KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_
#define KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_

#include <string>

#include "kvstore/client.h"

namespace kvstore::client {

// What the environment says in place of options that say nothing (KVSTORE_RDMA_*).
// invalid_argument names the variable.
Status TakeEnvironment(ClientOptions* options);

// The given name, else "<hostname>-<pid>".
std::string NodeName(const ClientOptions& options);

// Equal for all processes that reach each other's memory in place: of one machine since its start,
// one user, one network and pid namespace, and permitted to. What is placed on "this host" can then
// be filled and read there.
std::string HostIdentity(const ClientOptions& options);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_
