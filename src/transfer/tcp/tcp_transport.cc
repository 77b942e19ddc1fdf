#include "transfer/tcp/tcp_transport.h"

#include <utility>

namespace kvstore::transfer {

TcpTransport::TcpTransport(const TcpClientOptions& options)
    : LaneTransport(options.lanes), timeouts_(options.timeouts) {}

TcpTransport::~TcpTransport() { End(); }

Status TcpTransport::Reaches(const Target& target, RegionId, Access, TimePoint) {
  if (!target.descriptor->endpoints.empty()) return Status::Ok();
  return FailedPreconditionError("tcp needs a peer that listens, and this one does not");
}

Result<std::unique_ptr<Lane>> TcpTransport::Open(const PeerDescriptor& holder, Patience& patience) {
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                           Connection::OpenAny(holder, timeouts_, patience));
  return std::unique_ptr<Lane>(std::move(connection));
}

Status TcpTransport::Cut(const PeerDescriptor& holder, uint64_t lane_id, Patience& patience) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                           Connection::OpenAny(holder, timeouts_, patience));
  return connection->CutPath(lane_id, patience);
}

}  // namespace kvstore::transfer
