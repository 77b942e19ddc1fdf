// What names an engine to its peers: descriptors, and the endpoints in them.

#include "transfer/descriptor.h"

#include "fuzz/target.h"
#include "transfer/tcp/endpoint.h"

namespace kvstore::fuzz {

using namespace transfer;

void Take(std::string_view bytes) {
  const Result<PeerDescriptor> peer = DecodeDescriptor(bytes);
  if (peer.ok()) Expect(EncodeDescriptor(*peer) == bytes, "a descriptor has one form");
  const Result<Endpoint> endpoint = Endpoint::Parse(bytes);
  if (!endpoint.ok()) return;
  const Result<Endpoint> again = Endpoint::Parse(endpoint->ToString());
  Expect(
      again.ok() && again->ToString() == endpoint->ToString() && again->port() == endpoint->port(),
      "an endpoint is read as it is written");
}

std::vector<std::string> Seeds() {
  PeerDescriptor peer{.incarnation = {1, 2}, .host = "h", .endpoints = {}};
  std::vector<std::string> seeds = {EncodeDescriptor(peer), "127.0.0.1:50051", "[::1]:9",
                                    "[fe80::1%1]:7"};
  peer.endpoints = {"10.0.0.1:7000", "[2001:db8::1]:7000"};
  peer.shm_socket = "0123456789abcdef0123456789abcdef";
  seeds.push_back(EncodeDescriptor(peer));
  return seeds;
}

}  // namespace kvstore::fuzz
