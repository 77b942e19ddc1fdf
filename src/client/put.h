#ifndef KVSTORE_SRC_CLIENT_PUT_H_
#define KVSTORE_SRC_CLIENT_PUT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "client/parts.h"
#include "guard_switch.h"
#include "kvstore/client.h"

namespace kvstore::client {

// The sum of its pieces, in bytes.
uint64_t SizeOf(const PutItem& item);

// Guards of the rules that a Put keeps: see guard_switch.h.
struct PutGuards {
  KVSTORE_GUARD(commit_after_last_copy);    // rule 6: nothing is committed that was not written
  KVSTORE_GUARD(nothing_is_said_in_doubt);  // rule 6: no abort while a copy may still land
  KVSTORE_GUARD(grants_end_here_first);     // rule 9: before they end at the master
  KVSTORE_GUARD(source_is_as_it_was);       // PutOptions::check_source
};

// One whole Put, see Client::Put. Keys and options have been checked.
std::vector<Status> PutObjects(const Parts& parts, std::span<const PutItem> items,
                               const PutOptions& options);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_PUT_H_
