#ifndef KVSTORE_TESTS_CLUSTER_FREE_PORT_H_
#define KVSTORE_TESTS_CLUSTER_FREE_PORT_H_

// Ports for programs that must be told one before they start.

#include <cstdint>

namespace kvstore::cluster {

// A TCP port of loopback that nobody listens on, and that nobody is given who asks here later, in
// whatever process, as long as this one lives. One thread at a time.
uint16_t FreePort();

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_FREE_PORT_H_
