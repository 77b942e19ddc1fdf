#ifndef KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
#define KVSTORE_SRC_CLIENT_OPEN_PEERS_H_

#include <unordered_map>

#include "client/parts.h"
#include "kvstore/clock.h"
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
  struct Opened {
    transfer::PeerId peer = 0;
    TimePoint at;
  };
  // After this a call asks again: the engine forgets peers that are idle for much longer.
  static constexpr Duration kOpenedFor = std::chrono::minutes(1);

  Result<transfer::PeerId> OpenAnew(const Incarnation& holder) const;

  const Parts& parts_;
  std::unordered_map<Incarnation, Opened> opened_;  // a failure is tried again
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
