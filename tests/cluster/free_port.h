#ifndef KVSTORE_TESTS_CLUSTER_FREE_PORT_H_
#define KVSTORE_TESTS_CLUSTER_FREE_PORT_H_

// Ports for programs that must be told one before they start.

#include <cstdint>

namespace kvstore::cluster {

// A TCP port of loopback that nobody listens on, and that nobody else who asks here is given: no
// other thread, no other process. One thread at a time.
uint16_t FreePort();

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_FREE_PORT_H_
