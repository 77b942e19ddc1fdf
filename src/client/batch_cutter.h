#ifndef KVSTORE_SRC_CLIENT_BATCH_CUTTER_H_
#define KVSTORE_SRC_CLIENT_BATCH_CUTTER_H_

#include <cstdint>
#include <vector>

#include "proto/verbs.h"

namespace kvstore::client {

using Verb = decltype(VerbRequest::verb);

size_t ItemCount(const Verb& verb);

// One message's worth of a batch.
struct Message {
  uint32_t first = 0;   // index of its first item in the batch
  uint32_t count = 0;   // items
  VerbRequest request;  // without id and patience
};

// Cuts a batch of any size into messages that are within the contract's limits, in order. Pure.
// None for an empty batch.
std::vector<Message> CutBatch(Verb batch);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_BATCH_CUTTER_H_
