#ifndef KVSTORE_SRC_CLIENT_GET_H_
#define KVSTORE_SRC_CLIENT_GET_H_

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/locations.h"
#include "client/parts.h"
#include "guard_switch.h"
#include "kvstore/client.h"

namespace kvstore::client {

// Guards of the reuse rules that a test can switch off; see master/limits.h.
struct ReadGuards {
  KVSTORE_GUARD_OPTION(verify_checksum);  // rule 4, and the user's own option
  // Rule 8: a remembered location is not used beyond its lease, though its word may still stand.
  KVSTORE_GUARD(remembered_locations_end_with_their_lease);
  // Rule 4: only what is compared with its checksum may do without the word after its last byte.
  KVSTORE_GUARD(only_checksums_prove);
};

struct GetCounters {
  uint64_t refused = 0;  // a location no longer stood
  uint64_t checksum_mismatches = 0;
  uint64_t other_replicas = 0;  // a read that went on to another replica
  uint64_t located_anew = 0;
  uint64_t remembered = 0;  // items that were served without asking the master
};

// What is remembered of the key and may serve a call that began then; null: nothing.
std::shared_ptr<const Location> RecallLocation(const Parts& parts, const ReadGuards& guards,
                                               std::string_view key, TimePoint began);

// One whole Get, see Client::Get. Adds to `counters`. `of_puts`: none, or one per item: the put
// whose bytes alone may be returned; where the key is no longer that put's, `aborted`.
std::vector<GetResult> GetObjects(const Parts& parts, std::span<const GetItem> items,
                                  Duration timeout, const ReadGuards& guards, GetCounters* counters,
                                  std::span<const PutId> of_puts = {});

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_GET_H_
