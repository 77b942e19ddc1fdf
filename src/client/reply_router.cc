#include "client/reply_router.h"

#include <utility>

namespace kvstore::client {

void Inbox::Put(VerbReply reply) {
  {
    MutexLock lock(mu_);
    replies_.push_back(std::move(reply));
  }
  wakeup_->Notify();
}

std::vector<VerbReply> Inbox::TakeAll() {
  MutexLock lock(mu_);
  return std::exchange(replies_, {});
}

void ReplyRouter::Deliver(VerbReply reply) {
  std::shared_ptr<Inbox> inbox;
  {
    MutexLock lock(mu_);
    Learn(std::move(reply.peers));
    const auto found = inboxes_.find(reply.id);
    if (found == inboxes_.end()) return;
    inbox = found->second;
  }
  inbox->Put(std::move(reply));
}

void ReplyRouter::Expect(uint64_t request, std::shared_ptr<Inbox> inbox) {
  MutexLock lock(mu_);
  inboxes_[request] = std::move(inbox);
}

void ReplyRouter::Forget(uint64_t request) {
  MutexLock lock(mu_);
  inboxes_.erase(request);
}

std::optional<Peer> ReplyRouter::FindPeer(const Incarnation& incarnation) const {
  MutexLock lock(mu_);
  const auto found = peers_.find(incarnation);
  if (found == peers_.end()) return std::nullopt;
  return found->second;
}

void ReplyRouter::Learn(std::vector<Peer> peers) {
  for (Peer& peer : peers) {
    const Incarnation incarnation = peer.incarnation;
    if (peers_.insert_or_assign(incarnation, std::move(peer)).second) {
      oldest_first_.push_back(incarnation);
    }
  }
  while (oldest_first_.size() > kPeersKept) {
    peers_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
}

}  // namespace kvstore::client
