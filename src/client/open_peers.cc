#include "client/open_peers.h"

#include <optional>

namespace kvstore::client {

Result<transfer::PeerId> OpenPeers::Open(const Incarnation& holder) {
  const TimePoint now = BootClock::now();
  const auto known = opened_.find(holder);
  if (known != opened_.end() && now - known->second.at < kOpenedFor) return known->second.peer;
  Result<transfer::PeerId> opened = OpenAnew(holder);
  if (opened.ok()) opened_[holder] = {.peer = *opened, .at = now};
  return opened;
}

Result<transfer::PeerId> OpenPeers::OpenAnew(const Incarnation& holder) const {
  const std::optional<Peer> peer = parts_.master.FindPeer(holder);
  if (!peer) {
    return UnavailableError("the master did not say how node " + holder.ToString() +
                            " is reached; try again");
  }
  Result<transfer::PeerId> opened = parts_.engine.Open(peer->descriptor);
  if (opened.ok()) return opened;
  return UnavailableError("node '" + peer->name +
                          "' can't be reached: " + opened.status().message());
}

}  // namespace kvstore::client
