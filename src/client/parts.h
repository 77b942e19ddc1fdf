#ifndef KVSTORE_SRC_CLIENT_PARTS_H_
#define KVSTORE_SRC_CLIENT_PARTS_H_

#include "client/master.h"
#include "kvstore/clock.h"
#include "kvstore/transfer.h"

namespace kvstore::client {

// What a Put or a Get works with; all outlive the call.
struct Parts {
  Master& master;
  transfer::Engine& engine;
  const Clock& clock;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_PARTS_H_
