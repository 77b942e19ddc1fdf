#ifndef KVSTORE_SRC_TRANSFER_SHM_PEER_H_
#define KVSTORE_SRC_TRANSFER_SHM_PEER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "thread_annotations.h"
#include "transfer/descriptor.h"
#include "transfer/shm/region.h"

namespace kvstore::transfer {

// What this process shares with one holder: a connection, made when needed, and the regions that it
// brought. Thread-safe.
class ShmPeer {
 public:
  // `connected` is called after each connect, by the thread that did it.
  ShmPeer(std::shared_ptr<const PeerDescriptor> descriptor, std::function<void()> connected);

  // The region, asking for it and connecting first if need be. Takes at most until `deadline`, and
  // a second; what failed is not tried again for a while, and its error is told at once.
  Result<std::shared_ptr<ShmRegion>> Find(RegionId region, Access access, TimePoint deadline);

  // Ends the connection. What is being touched stays mapped until it is left.
  void Close();

  // For the keeper: unmaps what is over, or was not used since then. True: there is no connection,
  // and nobody has asked for one since `peer_since`.
  bool DropIdle(TimePoint window_since, TimePoint peer_since);
  // The connection, for its end to be watched; null: there is none.
  std::shared_ptr<ShmConnection> connection();

 private:
  using Key = std::pair<RegionId, Access>;
  struct Entry {
    std::shared_ptr<ShmRegion> region;  // null: it was refused
    Status refusal;
    TimePoint retry_at;  // a refusal holds until then
  };

  // What is known without waiting: a region, or an error; nothing: to be asked for.
  std::optional<Result<std::shared_ptr<ShmRegion>>> Known(const Key& key) REQUIRES(mu_);
  // One step, without the lock, by one thread at a time: connects, or asks for the region.
  void Connect(TimePoint until) EXCLUDES(mu_);
  void Ask(const Key& key, std::shared_ptr<ShmConnection> connection, TimePoint until)
      EXCLUDES(mu_);
  void DropConnection() REQUIRES(mu_);
  void NoteFailure(const Status& why) REQUIRES(mu_);

  const std::shared_ptr<const PeerDescriptor> descriptor_;
  const std::function<void()> connected_;

  Mutex mu_;
  CondVar asked_;
  bool asking_ GUARDED_BY(mu_) = false;  // a thread is in Connect or Ask
  bool closed_ GUARDED_BY(mu_) = false;
  std::shared_ptr<ShmConnection> connection_ GUARDED_BY(mu_);
  std::map<Key, Entry> regions_ GUARDED_BY(mu_);            // of connection_
  bool used_ GUARDED_BY(mu_) = false;                       // since DropIdle looked last
  TimePoint last_used_ GUARDED_BY(mu_) = BootClock::now();  // as DropIdle saw it
  Status failure_ GUARDED_BY(mu_);                          // why there is no connection
  TimePoint retry_at_ GUARDED_BY(mu_){};
  Duration back_off_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_PEER_H_
