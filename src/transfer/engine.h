#ifndef KVSTORE_SRC_TRANSFER_ENGINE_H_
#define KVSTORE_SRC_TRANSFER_ENGINE_H_

#include <memory>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/guards.h"

namespace kvstore::transfer {

// As Engine::Create, for tests that switch a check off.
Result<std::unique_ptr<Engine>> CreateEngine(const EngineOptions& options,
                                             const TransferGuards& guards);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_ENGINE_H_
