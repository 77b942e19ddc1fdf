#ifndef KVSTORE_SRC_MASTER_EVENT_NAMES_H_
#define KVSTORE_SRC_MASTER_EVENT_NAMES_H_

#include <cstddef>
#include <string_view>

#include "master/catalog.h"

namespace kvstore::master {

// What scripts know events by, in the log and where they are watched: "node_gone",
// "evicted_for_room". No two are equal.
std::string_view EventName(NodeEvent::What what);
std::string_view EventName(ObjectEvent::What what);

inline constexpr size_t kNodeEvents = static_cast<size_t>(NodeEvent::What::kDrained) + 1;
inline constexpr size_t kObjectEvents = static_cast<size_t>(ObjectEvent::What::kUnpinned) + 1;

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_EVENT_NAMES_H_
