#ifndef KVSTORE_SRC_CLIENT_RDMA_NOTICE_H_
#define KVSTORE_SRC_CLIENT_RDMA_NOTICE_H_

#include "kvstore/client.h"

namespace kvstore::client {

// Says in the log which RDMA devices are used, or why none is: each thing once per process, and
// nothing where RDMA is forbidden. A warning where RDMA was asked for by name, or a device is there
// and is of no use. Thread-safe.
void TellOfRdma(const ClientOptions& options, const transfer::Reach& reach);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_RDMA_NOTICE_H_
