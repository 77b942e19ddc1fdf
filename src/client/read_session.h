#ifndef KVSTORE_SRC_CLIENT_READ_SESSION_H_
#define KVSTORE_SRC_CLIENT_READ_SESSION_H_

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/locate.h"
#include "client/parts.h"
#include "kvstore/client.h"

namespace kvstore::client {

// A session's objects: where its opening found them. Locations of its own, as many as it has keys,
// so that other calls displace none.
struct OpenedObjects {
  explicit OpenedObjects(size_t keys) : locations(std::make_unique<Locations>(keys)) {}

  std::unique_ptr<Locations> locations;  // what LocateObjects was given to fill
  std::vector<Located> found;            // one per key
};

// GetObjects with these locations and of these puts, on the client's behalf.
using ReadOfPuts =
    std::function<std::vector<GetResult>(std::span<const GetItem> items, Duration timeout,
                                         Locations* locations, std::span<const PutId> of_puts)>;

// See kvstore::ReadSession. What `read` needs outlives the session.
std::unique_ptr<ReadSession> MakeReadSession(std::span<const std::string_view> keys,
                                             OpenedObjects opened, ReadOfPuts read);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_READ_SESSION_H_
