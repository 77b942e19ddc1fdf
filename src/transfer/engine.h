#ifndef KVSTORE_SRC_TRANSFER_ENGINE_H_
#define KVSTORE_SRC_TRANSFER_ENGINE_H_

#include <memory>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/guards.h"

namespace kvstore::transfer {

struct MachineMap;
struct Verbs;

// As Engine::Create, for tests that switch a check off, or bring RDMA devices of their own, and
// where these are; null: those of the machine.
Result<std::unique_ptr<Engine>> CreateEngine(const EngineOptions& options,
                                             const TransferGuards& guards,
                                             const Verbs* verbs = nullptr,
                                             const MachineMap* map = nullptr);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_ENGINE_H_
