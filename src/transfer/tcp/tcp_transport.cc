#include "transfer/tcp/tcp_transport.h"

#include <utility>
#include <vector>

namespace kvstore::transfer {

TcpTransport::TcpTransport(const TcpClientOptions& options) : options_(options) {}

TcpTransport::~TcpTransport() {
  std::vector<std::shared_ptr<TcpPeer>> peers;
  {
    MutexLock lock(mu_);
    for (auto& [id, peer] : peers_) peers.push_back(std::move(peer));
    peers_.clear();
  }
  for (const std::shared_ptr<TcpPeer>& peer : peers) peer->Close();
}

Status TcpTransport::Reaches(const PeerDescriptor& peer) const {
  if (!peer.endpoints.empty()) return Status::Ok();
  return FailedPreconditionError("tcp needs a peer that listens, and this one does not");
}

std::shared_ptr<TcpPeer> TcpTransport::PeerOf(const Parcel& parcel) {
  MutexLock lock(mu_);
  std::shared_ptr<TcpPeer>& peer = peers_[parcel.peer];
  if (peer == nullptr) peer = std::make_shared<TcpPeer>(parcel.descriptor, options_);
  return peer;
}

void TcpTransport::Post(Parcel parcel) {
  const std::shared_ptr<TcpPeer> peer = PeerOf(parcel);
  peer->Post(std::make_shared<Job>(std::move(parcel)));
}

void TcpTransport::Carry(Parcel parcel) {
  const std::shared_ptr<TcpPeer> peer = PeerOf(parcel);
  Job job(std::move(parcel));
  peer->Carry(job);
}

void TcpTransport::Close(PeerId id) {
  std::shared_ptr<TcpPeer> peer;
  {
    MutexLock lock(mu_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    peer = std::move(found->second);
    peers_.erase(found);
  }
  peer->Close();
}

}  // namespace kvstore::transfer
