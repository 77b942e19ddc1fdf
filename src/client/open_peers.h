#ifndef KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
#define KVSTORE_SRC_CLIENT_OPEN_PEERS_H_

#include <cstddef>
#include <unordered_map>

#include "client/parts.h"
#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "thread_annotations.h"

namespace kvstore::client {

// The holders that copies go to or come from, each opened at the transfer engine once a minute at
// most. Thread-safe.
class OpenPeers {
 public:
  OpenPeers(Master& master, transfer::Engine& engine) : master_(master), engine_(engine) {}
  explicit OpenPeers(const Parts& parts) : OpenPeers(parts.master, parts.engine) {}

  // unavailable: nobody has said how this holder is reached, or that can't be understood.
  Result<transfer::PeerId> Open(const Incarnation& holder) EXCLUDES(mu_);

 private:
  struct Opened {
    transfer::PeerId peer = 0;
    TimePoint at;
  };
  // After this a call asks again: the engine forgets peers that are idle for much longer.
  static constexpr Duration kOpenedFor = std::chrono::minutes(1);
  static constexpr size_t kMostKept = 8192;  // twice as many as a pool has members

  Result<transfer::PeerId> OpenAnew(const Incarnation& holder) const;

  Master& master_;
  transfer::Engine& engine_;

  Mutex mu_;
  std::unordered_map<Incarnation, Opened> opened_ GUARDED_BY(mu_);  // a failure is tried again
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_OPEN_PEERS_H_
