#include "transfer/peer_table.h"

#include <iterator>
#include <string>
#include <utility>

namespace kvstore::transfer {

PeerId PeerTable::Open(PeerDescriptor peer, TimePoint now) {
  MutexLock lock(mu_);
  if (const auto known = ids_.find(peer.incarnation); known != ids_.end()) {
    OpenPeer& open = peers_.at(known->second);
    open.last_used = now;
    // It may have begun to share memory since.
    if (*open.target.descriptor != peer) {
      open.target.descriptor = std::make_shared<const PeerDescriptor>(std::move(peer));
    }
    return known->second;
  }
  ForgetIdle(now);
  const PeerId id = next_++;
  ids_[peer.incarnation] = id;
  const auto closed = std::make_shared<std::atomic<bool>>(false);
  peers_[id] = {.target = {.peer = id,
                           .descriptor = std::make_shared<const PeerDescriptor>(std::move(peer)),
                           .closed = closed},
                .closed = closed,
                .last_used = now};
  return id;
}

Result<Target> PeerTable::Find(PeerId id, TimePoint now) {
  MutexLock lock(mu_);
  const auto found = peers_.find(id);
  if (found == peers_.end()) {
    return InvalidArgumentError("peer " + std::to_string(id) +
                                " isn't open at this engine; call Open first");
  }
  found->second.last_used = now;
  return found->second.target;
}

bool PeerTable::Close(PeerId id) {
  MutexLock lock(mu_);
  const auto found = peers_.find(id);
  if (found == peers_.end()) return false;
  *found->second.closed = true;
  ids_.erase(found->second.target.descriptor->incarnation);
  peers_.erase(found);
  return true;
}

void PeerTable::ForgetIdle(TimePoint now) {
  for (auto it = peers_.begin(); it != peers_.end();) {
    const auto next = std::next(it);
    if (now - it->second.last_used > idle_timeout_) {
      ids_.erase(it->second.target.descriptor->incarnation);
      peers_.erase(it);
    }
    it = next;
  }
}

}  // namespace kvstore::transfer
