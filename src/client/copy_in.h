#ifndef KVSTORE_SRC_CLIENT_COPY_IN_H_
#define KVSTORE_SRC_CLIENT_COPY_IN_H_

#include <functional>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

// Fetches a replica into memory of this node that the order grants: a read of the source, validated
// by its word after the last byte and by the checksum, straight into the ranges, which count as
// written to from before the first byte until this returns. `source` is the holder's descriptor,
// `engine` has the segment. OK: the ranges hold the object. aborted: they have another owner by
// now. unavailable: the source can't be read, or holds the object no more; data_loss: its bytes
// don't match; cancelled: `wanted`, asked now and then, said no; deadline_exceeded.
Status CopyIn(transfer::Engine& engine, std::string_view source, const CopyOrder& order,
              TimePoint deadline, const Clock& clock, const std::function<bool()>& wanted);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_COPY_IN_H_
