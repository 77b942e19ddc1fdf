#ifndef KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_
#define KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_

#include <string>

#include "kvstore/client.h"

namespace kvstore::client {

// The given name, else "<hostname>-<pid>".
std::string NodeName(const ClientOptions& options);

// Equal for all processes that this kernel runs, different after a reboot and on every other
// machine.
std::string HostIdentity();

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_CLIENT_OPTIONS_H_
