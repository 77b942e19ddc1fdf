#include "capi/handles.h"

#include <string>

kvstore::Status kvclient::CheckProcess() const {
  if (!InChild()) return kvstore::Status::Ok();
  return kvstore::FailedPreconditionError("this client was made by process " +
                                          std::to_string(maker) + " before it forked process " +
                                          std::to_string(getpid()) + "; fork before the first client is made, or start the child by exec");
}

namespace kvstore::capi {

Status CheckClient(const kvclient* client) {
  KVSTORE_RETURN_IF_ERROR(CheckGiven(client, "client"));
  return client->CheckProcess();
}

}  // namespace kvstore::capi
