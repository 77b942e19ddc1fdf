#ifndef KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_

// The TCP way. The holder's end is `server`, which serves each connection by a `served_connection`;
// the client's end is this file, a `peer` for each holder, `connection`s to it, and `job`s, which
// are parcels cut into slices. What they say to each other stands in `frame`.

#include <map>
#include <memory>
#include <thread>

#include "thread_annotations.h"
#include "transfer/tcp/peer.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// Reaches peers that listen. Thread-safe.
class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(const TcpClientOptions& options);
  ~TcpTransport() override;

  Way way() const override { return Way::kTcp; }
  Status Reaches(const Target& target, RegionId region, Access access, TimePoint deadline) override;
  void Post(Parcel parcel) override;
  void Carry(Parcel parcel) override;
  Result<std::unique_ptr<Mapping>> Map(const Target& target, const MapRequest& request,
                                       TimePoint deadline) override;
  void Close(PeerId peer) override;

 private:
  struct Entry {
    std::shared_ptr<TcpPeer> peer;
    TimePoint last_used;
  };

  // Null: the peer was closed.
  std::shared_ptr<TcpPeer> PeerOf(const Parcel& parcel) EXCLUDES(mu_);

  // The keeper's thread: until the end, closes what has been idle for too long.
  void Keep() EXCLUDES(mu_);
  void DropIdleConnections(TimePoint since) EXCLUDES(mu_);
  void DropUnusedPeers(TimePoint since) EXCLUDES(mu_);

  const TcpClientOptions options_;
  Mutex mu_;
  CondVar ending_changed_;
  bool ending_ GUARDED_BY(mu_) = false;
  // Those with traffic; a peer that comes back gets another TcpPeer. References to one are made
  // under the mutex only.
  std::map<PeerId, Entry> peers_ GUARDED_BY(mu_);
  std::thread keeper_ GUARDED_BY(mu_);  // started with the first peer
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
