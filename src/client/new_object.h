#ifndef KVSTORE_SRC_CLIENT_NEW_OBJECT_H_
#define KVSTORE_SRC_CLIENT_NEW_OBJECT_H_

#include <memory>
#include <span>
#include <vector>

#include "client/parts.h"
#include "kvstore/client.h"
#include "kvstore/result.h"

namespace kvstore::client {

// One whole Create, see Client::Create. Keys and options have been checked, save that there is one
// replica: invalid_argument. What `parts` names outlives the new objects too.
std::vector<Result<std::unique_ptr<NewObject>>> CreateObjects(const Parts& parts,
                                                              std::span<const CreateItem> items,
                                                              const PutOptions& options);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_NEW_OBJECT_H_
