#ifndef KVSTORE_SRC_CLIENT_PUT_H_
#define KVSTORE_SRC_CLIENT_PUT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "client/parts.h"
#include "kvstore/client.h"

namespace kvstore::client {

// The sum of its pieces, in bytes.
uint64_t SizeOf(const PutItem& item);

// One whole Put, see Client::Put. Keys and options have been checked.
std::vector<Status> PutObjects(const Parts& parts, std::span<const PutItem> items,
                               const PutOptions& options);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_PUT_H_
