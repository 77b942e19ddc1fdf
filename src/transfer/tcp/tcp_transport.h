#ifndef KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_

// The TCP way. The holder's end is `server`, which serves each connection by a `served_connection`;
// the client's end is this file, whose lanes are `connection`s. What they say to each other stands
// in `frame`.

#include "transfer/lane_transport.h"
#include "transfer/tcp/connection.h"

namespace kvstore::transfer {

struct TcpClientOptions {
  LaneOptions lanes{};
  ConnectionTimeouts timeouts{};
};

// Reaches peers that listen. Thread-safe.
class TcpTransport final : public LaneTransport {
 public:
  explicit TcpTransport(const TcpClientOptions& options);
  ~TcpTransport() override;

  Way way() const override { return Way::kTcp; }
  Status Reaches(const Target& target, RegionId region, Access access, TimePoint deadline) override;

 private:
  Result<std::unique_ptr<Lane>> Open(const PeerDescriptor& holder, Patience& patience) override;
  Status Cut(const PeerDescriptor& holder, uint64_t lane_id, Patience& patience) override;

  const ConnectionTimeouts timeouts_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_TCP_TRANSPORT_H_
