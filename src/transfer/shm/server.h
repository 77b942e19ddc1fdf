#ifndef KVSTORE_SRC_TRANSFER_SHM_SERVER_H_
#define KVSTORE_SRC_TRANSFER_SHM_SERVER_H_

#include <poll.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/guards.h"
#include "transfer/shm/served_connection.h"
#include "transfer/shm/shared_regions.h"

namespace kvstore::transfer {

// The holder's end of shared memory: a socket by which processes of this host ask for regions, and
// one thread, which never waits for any of them. Thread-safe.
class ShmServer final : private ShmDoor {
 public:
  struct Options {
    std::string name;  // as PeerDescriptor::shm_socket; nobody else's
    Incarnation incarnation;
    uint32_t max_peers = 1024;
    Duration hello_timeout = std::chrono::seconds(3);
    Duration stall_timeout = std::chrono::seconds(5);
    TransferGuards guards{};
  };

  // Listens from here on. unavailable: this kernel, or this namespace, has no such sockets.
  static Result<std::unique_ptr<ShmServer>> Create(const Options& options);
  // Closes all regions, ends all connections, waits for others' copies as Unshare does. Calls no
  // guard any more.
  ~ShmServer() override;

  const std::string& name() const { return options_.name; }

  // Opens the region to peers. `memory` and `guard` (null: none) live until Unshare.
  Status Share(RegionId id, const SharedMemory& memory, RegionGuard* guard);
  // Refuses new copies and mappings of it.
  void Close(RegionId id) { regions_.Close(id); }
  // As Engine::Unregister: refuses new copies, waits for others' within the stall timeout.
  void Unshare(RegionId id);
  // As Engine::TouchedByOthers.
  std::vector<Stretch> Touched(RegionId id);

  // Hellos for another incarnation are refused from now on; when it returns, nothing begins any
  // more over a connection that was admitted before.
  void Rename(const Incarnation& incarnation);

  void AddTo(ServedCounters* counters);

 private:
  using Paths = std::list<std::unique_ptr<ShmServedConnection>>;
  // What the thread waits for, and whose it is.
  struct Watched {
    std::vector<pollfd> fds;
    std::vector<ShmServedConnection*> owners;  // null: the server's own
    TimePoint until;
  };

  ShmServer(ShmSocket listener, FileDescriptor wake, const Options& options);

  Status Admit(const ShmHello& hello) override REQUIRES(mu_);

  void Work();
  Watched Watch() REQUIRES(mu_);
  // These say whether others may touch less than before.
  bool React(const Watched& watched) REQUIRES(mu_);
  bool ServeOne(ShmServedConnection& path) REQUIRES(mu_);
  bool DropWhatIsOver() REQUIRES(mu_);
  bool AcceptAll() REQUIRES(mu_);
  void Wake() const;
  void AppendTouched(SlotKind kind, RegionId id, std::vector<Stretch>* touched) REQUIRES(mu_);
  void WaitForCopies(RegionId id, TimePoint until) EXCLUDES(mu_);
  size_t CountAdmitted() const REQUIRES(mu_);

  const ShmSocket listener_;
  const FileDescriptor wake_;  // an eventfd, for the thread
  const Options options_;
  SharedRegions regions_;

  Mutex mu_;
  CondVar left_;  // others may touch less than before
  Incarnation incarnation_ GUARDED_BY(mu_);
  Paths paths_ GUARDED_BY(mu_);  // only the thread takes one out
  TimePoint accept_from_ GUARDED_BY(mu_){};
  uint64_t refused_ GUARDED_BY(mu_) = 0;
  bool ending_ GUARDED_BY(mu_) = false;

  std::thread thread_;  // joined by the destructor
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SERVER_H_
