#include "transfer/descriptor.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "transfer/wire.h"

namespace kvstore::transfer {
namespace {

// Magic and version 1, then: incarnation (2 x 8 bytes, little endian), host, number of endpoints
// (1 byte), endpoints and, of an engine that shares memory, its socket's name; of one that has RDMA
// devices, the socket's name or none and kHasRdma. Texts are a length (1 byte) and that many bytes.
constexpr std::string_view kPrefix = "KVpeer\x01";
constexpr char kHasRdma = 1;

void AppendText(std::string_view text, size_t limit, std::string* out) {
  text = text.substr(0, limit);
  out->push_back(static_cast<char>(text.size()));
  out->append(text);
}

std::string TakeText(WireReader* in) {
  const auto size = in->Number<uint8_t>();
  return std::string(in->Take(size));
}

bool IsSocketName(std::string_view name) {
  return name.size() == kSocketNameBytes &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string EncodeDescriptor(const PeerDescriptor& peer) {
  std::string out(kPrefix);
  AppendNumber(peer.incarnation.high, &out);
  AppendNumber(peer.incarnation.low, &out);
  AppendText(peer.host, kMaxHostBytes, &out);
  const size_t count = std::min(peer.endpoints.size(), kMaxEndpoints);
  out.push_back(static_cast<char>(count));
  for (size_t i = 0; i < count; ++i) AppendText(peer.endpoints[i], kMaxEndpointBytes, &out);
  if (!peer.shm_socket.empty() || peer.rdma) AppendText(peer.shm_socket, kSocketNameBytes, &out);
  if (peer.rdma) out.push_back(kHasRdma);
  return out;
}

Result<PeerDescriptor> DecodeDescriptor(std::string_view bytes) {
  WireReader in(bytes);
  if (in.Take(kPrefix.size()) != kPrefix) {
    return InvalidArgumentError("not a peer descriptor of version 1 (" +
                                std::to_string(bytes.size()) +
                                " bytes); it must come from Engine::Descriptor of this version");
  }
  PeerDescriptor peer;
  peer.incarnation.high = in.Number<uint64_t>();
  peer.incarnation.low = in.Number<uint64_t>();
  peer.host = TakeText(&in);
  const size_t count = in.Number<uint8_t>();
  if (count > kMaxEndpoints) {
    return InvalidArgumentError("a peer descriptor names " + std::to_string(count) +
                                " endpoints; at most " + std::to_string(kMaxEndpoints) +
                                " are allowed");
  }
  for (size_t i = 0; i < count && in.ok(); ++i) {
    peer.endpoints.push_back(TakeText(&in));
    if (peer.endpoints.back().size() > kMaxEndpointBytes) {
      return InvalidArgumentError("a peer descriptor names an endpoint of more than " +
                                  std::to_string(kMaxEndpointBytes) + " bytes");
    }
  }
  if (in.ok() && !in.at_end()) {
    peer.shm_socket = TakeText(&in);
    const bool none = peer.shm_socket.empty() && !in.at_end();
    if (in.ok() && !none && !IsSocketName(peer.shm_socket)) {
      return InvalidArgumentError("a peer descriptor names a socket that no engine has");
    }
  }
  if (in.ok() && !in.at_end()) {
    peer.rdma = in.Number<char>() == kHasRdma;
    if (!peer.rdma) return InvalidArgumentError("a peer descriptor names a way that isn't known");
  }
  if (!in.ok() || !in.at_end()) {
    return InvalidArgumentError("a peer descriptor of " + std::to_string(bytes.size()) +
                                " bytes is cut short or too long");
  }
  if (peer.incarnation.IsNone()) {
    return InvalidArgumentError("a peer descriptor names no incarnation");
  }
  return peer;
}

}  // namespace kvstore::transfer
