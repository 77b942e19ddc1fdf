#ifndef KVSTORE_SRC_TRANSFER_SHM_SHM_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_SHM_SHM_TRANSPORT_H_

// Shared memory between processes of one host (docs/decisions/0004-shared-memory.md). The holder's
// end is `server`: it serves each process by a `served_connection` and hands out `shared_regions`.
// The client's end is this file, a `peer` for each holder, a `connection` to it, and `region`s,
// read whole and written through `windows`; `copier` moves the bytes. What is said over the socket
// stands in `frame`, what is said in memory in `ledger`.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "thread_annotations.h"
#include "transfer/carrier.h"
#include "transfer/guards.h"
#include "transfer/shm/copier.h"
#include "transfer/shm/file_descriptor.h"
#include "transfer/shm/peer.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

struct ShmClientOptions {
  std::string host;  // this machine's identity
  Duration window_idle = std::chrono::seconds(5);
  Duration peer_idle = std::chrono::minutes(10);
  TransferGuards guards{};
};

// Reaches shared regions of peers on this host. Thread-safe.
class ShmTransport final : public Transport {
 public:
  explicit ShmTransport(const ShmClientOptions& options);
  ~ShmTransport() override;

  Way way() const override { return Way::kShm; }
  Status Reaches(const Target& target, RegionId region, Access access, TimePoint deadline) override;
  void Post(Parcel parcel) override { carrier_->Post(std::move(parcel)); }
  void Carry(Parcel parcel) override;
  Result<std::unique_ptr<Mapping>> Map(const Target& target, const MapRequest& request,
                                       TimePoint deadline) override;
  // What is being copied ends within a slice; mappings stay.
  void Close(PeerId peer) override;

 private:
  using Peers = std::map<PeerId, std::shared_ptr<ShmPeer>>;

  // unavailable: the peer was closed.
  Result<std::shared_ptr<ShmPeer>> PeerOf(const Target& target) EXCLUDES(mu_);

  // The keeper's thread: until the end, lets go of what is over or idle.
  void Keep() EXCLUDES(mu_);
  // Waits for the end of a connection, a new peer, or the time to look.
  void Watch(const std::vector<std::shared_ptr<ShmPeer>>& peers) const;
  void DropIdle(TimePoint now) EXCLUDES(mu_);
  std::vector<std::shared_ptr<ShmPeer>> AllPeers() EXCLUDES(mu_);
  void WakeKeeper() const;

  const ShmClientOptions options_;
  const ShmCopier copier_;
  const FileDescriptor wake_;  // an eventfd, for the keeper

  Mutex mu_;
  bool ending_ GUARDED_BY(mu_) = false;
  Peers peers_ GUARDED_BY(mu_);  // those with traffic; references are made under the mutex only
  std::thread keeper_ GUARDED_BY(mu_);  // started with the first peer

  std::optional<Carrier> carrier_;  // its thread uses all of the above
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SHM_TRANSPORT_H_
