#ifndef KVSTORE_SRC_CLIENT_REPLY_ROUTER_H_
#define KVSTORE_SRC_CLIENT_REPLY_ROUTER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "client/verb_channel.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// The replies to one call that it has not read yet, and what it sleeps on. Thread-safe, but only
// the call takes and waits.
class Inbox {
 public:
  explicit Inbox(std::unique_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

  void Put(VerbReply reply) EXCLUDES(mu_);
  std::vector<VerbReply> TakeAll() EXCLUDES(mu_);
  // Returns after a Put, at `until`, or spuriously.
  void WaitUntil(TimePoint until) { wakeup_->WaitUntil(until); }

 private:
  const std::unique_ptr<Wakeup> wakeup_;
  Mutex mu_;
  std::vector<VerbReply> replies_ GUARDED_BY(mu_);
};

// Brings each reply to the call that waits for it, by request id, drops those that nobody waits for
// (any more), and keeps the addresses of peers that replies name. Thread-safe; never blocks.
class ReplyRouter {
 public:
  void Deliver(VerbReply reply) EXCLUDES(mu_);

  // Replies to `request` go to `inbox` until Forget.
  void Expect(uint64_t request, std::shared_ptr<Inbox> inbox) EXCLUDES(mu_);
  void Forget(uint64_t request) EXCLUDES(mu_);

  std::optional<Peer> FindPeer(const Incarnation& incarnation) const EXCLUDES(mu_);

 private:
  // Twice as many as a pool has members, so that those that matter are always among the newest.
  static constexpr size_t kPeersKept = 8192;

  void Learn(std::vector<Peer> peers) REQUIRES(mu_);

  mutable Mutex mu_;
  std::unordered_map<uint64_t, std::shared_ptr<Inbox>> inboxes_ GUARDED_BY(mu_);
  std::unordered_map<Incarnation, Peer> peers_ GUARDED_BY(mu_);
  std::deque<Incarnation> oldest_first_ GUARDED_BY(mu_);  // of peers_
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_REPLY_ROUTER_H_
