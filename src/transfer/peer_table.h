#ifndef KVSTORE_SRC_TRANSFER_PEER_TABLE_H_
#define KVSTORE_SRC_TRANSFER_PEER_TABLE_H_

#include <atomic>
#include <map>
#include <memory>
#include <unordered_map>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/descriptor.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// The peers that an engine has opened, by id and by incarnation. Time is passed in. Thread-safe.
class PeerTable {
 public:
  // A peer that was neither opened nor looked for during `idle_timeout` may be forgotten.
  explicit PeerTable(Duration idle_timeout) : idle_timeout_(idle_timeout) {}

  // As Engine::Open.
  PeerId Open(PeerDescriptor peer, TimePoint now) EXCLUDES(mu_);
  // invalid_argument: no such peer is open.
  Result<Target> Find(PeerId id, TimePoint now) EXCLUDES(mu_);
  // Whoever has its target learns that it is closed. False: it is unknown.
  bool Close(PeerId id) EXCLUDES(mu_);

 private:
  struct OpenPeer {
    Target target;
    std::shared_ptr<std::atomic<bool>> closed;  // target.closed
    TimePoint last_used;
  };

  // Peers come and go for as long as the process lives; those nobody asks for must not pile up.
  void ForgetIdle(TimePoint now) REQUIRES(mu_);

  const Duration idle_timeout_;
  Mutex mu_;
  std::map<PeerId, OpenPeer> peers_ GUARDED_BY(mu_);
  std::unordered_map<Incarnation, PeerId> ids_ GUARDED_BY(mu_);  // of peers_
  PeerId next_ GUARDED_BY(mu_) = 1;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_PEER_TABLE_H_
