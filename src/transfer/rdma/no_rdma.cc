// In place of all others of this folder, where KVSTORE_WITH_RDMA is off.

#include "transfer/rdma/rdma.h"

namespace kvstore::transfer {

Result<std::unique_ptr<Rdma>> Rdma::Create(const EngineOptions&, const Verbs*, const MachineMap*) {
  return FailedPreconditionError("this build has no RDMA (KVSTORE_WITH_RDMA is off)");
}

}  // namespace kvstore::transfer
