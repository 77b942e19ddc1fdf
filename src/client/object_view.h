#ifndef KVSTORE_SRC_CLIENT_OBJECT_VIEW_H_
#define KVSTORE_SRC_CLIENT_OBJECT_VIEW_H_

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/get.h"
#include "client/parts.h"
#include "kvstore/client.h"
#include "kvstore/result.h"

namespace kvstore::client {

// Objects in place, see Client::View. Adds to `counters`. The views must be gone before what
// `parts` names.
std::vector<Result<std::unique_ptr<ObjectView>>> ViewObjects(const Parts& parts,
                                                             std::span<const std::string_view> keys,
                                                             Duration timeout,
                                                             const ReadGuards& guards,
                                                             GetCounters* counters);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_OBJECT_VIEW_H_
