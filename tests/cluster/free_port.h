// Ports for programs that must be told one before they start.
#pragma once

#include <cstdint>

namespace kvstore::cluster {

// A TCP port of loopback that nobody listens on, and that nobody else who asks here is given: no
// other thread, no other process. One thread at a time.
uint16_t FreePort();

}  // namespace kvstore::cluster
