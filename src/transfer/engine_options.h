#ifndef KVSTORE_SRC_TRANSFER_ENGINE_OPTIONS_H_
#define KVSTORE_SRC_TRANSFER_ENGINE_OPTIONS_H_

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "transfer/guards.h"
#include "transfer/lane_pool.h"
#include "transfer/tcp/connection.h"

namespace kvstore::transfer {

// invalid_argument: which option, and what it may be.
Status CheckOptions(const EngineOptions& options);

// Whether copies may go that way, there and here.
bool Allows(const EngineOptions& options, Way way);

// Of all ways over a network.
LaneOptions LanesOf(const EngineOptions& options, const TransferGuards& guards);
ConnectionTimeouts TimeoutsOf(const EngineOptions& options);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_ENGINE_OPTIONS_H_
