#ifndef KVSTORE_SRC_CLIENT_LOCATE_H_
#define KVSTORE_SRC_CLIENT_LOCATE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/locations.h"
#include "client/parts.h"
#include "kvstore/result.h"

namespace kvstore::client {

// How far a replica is from this node.
enum class Distance : uint8_t { kSameProcess, kSameHost, kElsewhere };
Distance DistanceTo(const Replica& replica, const Parts& parts);

using Located = Result<std::shared_ptr<const Location>>;

// Asks the master where the objects lie, whatever is remembered of them, each key once; remembers
// what it learns. One answer per key. `how`: the question, but for its keys.
std::vector<Located> LocateObjects(const Parts& parts, std::span<const std::string_view> keys,
                                   TimePoint deadline, Locate how = {});

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_LOCATE_H_
