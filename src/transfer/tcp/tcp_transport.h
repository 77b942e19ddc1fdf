#ifndef KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_

// The TCP way. The holder's end is `server`, which serves each connection by a `served_connection`;
// the client's end is this file, a `peer` for each holder, `connection`s to it, and `job`s, which
// are parcels cut into slices. What they say to each other stands in `frame`.

#include <map>
#include <memory>

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
  Status Reaches(const PeerDescriptor& peer) const override;
  void Post(Parcel parcel) override;
  void Carry(Parcel parcel) override;
  void Close(PeerId peer) override;

 private:
  std::shared_ptr<TcpPeer> PeerOf(const Parcel& parcel);

  const TcpClientOptions options_;
  Mutex mu_;
  std::map<PeerId, std::shared_ptr<TcpPeer>> peers_ GUARDED_BY(mu_);  // those with traffic
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
