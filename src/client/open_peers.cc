#include "client/open_peers.h"

#include <optional>

namespace kvstore::client {

Result<transfer::PeerId> OpenPeers::Open(const Incarnation& holder) {
  const TimePoint now = BootClock::now();
  {
    MutexLock lock(mu_);
    const auto known = opened_.find(holder);
    if (known != opened_.end() && now - known->second.at < kOpenedFor) return known->second.peer;
  }
  Result<transfer::PeerId> opened = OpenAnew(holder);
  if (!opened.ok()) return opened;
  MutexLock lock(mu_);
  if (opened_.size() >= kMostKept) opened_.clear();
  opened_[holder] = {.peer = *opened, .at = now};
  return opened;
}

Result<transfer::PeerId> OpenPeers::OpenAnew(const Incarnation& holder) const {
  const std::optional<Peer> peer = master_.FindPeer(holder);
  if (!peer) {
    return UnavailableError("the master did not say how node " + holder.ToString() +
                            " is reached; try again");
  }
  Result<transfer::PeerId> opened = engine_.Open(peer->descriptor);
  if (opened.ok()) return opened;
  return UnavailableError("node '" + peer->name +
                          "' can't be reached: " + opened.status().message());
}

}  // namespace kvstore::client
