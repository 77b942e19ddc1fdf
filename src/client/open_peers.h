#ifndef KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
#define KVSTORE_SRC_CLIENT_OPEN_PEERS_H_

#include <unordered_map>

#include "client/parts.h"
#include "kvstore/result.h"

namespace kvstore::client {

// The holders that one call copies to or from, each opened at the transfer engine once. Confined to
// the call.
class OpenPeers {
 public:
  explicit OpenPeers(const Parts& parts) : parts_(parts) {}

  // unavailable: nobody has said how this holder is reached, or that can't be understood.
  Result<transfer::PeerId> Open(const Incarnation& holder);

 private:
  Result<transfer::PeerId> OpenAnew(const Incarnation& holder) const;

  const Parts& parts_;
  std::unordered_map<Incarnation, transfer::PeerId> opened_;  // a failure is tried again
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
