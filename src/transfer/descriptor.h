#ifndef KVSTORE_SRC_TRANSFER_DESCRIPTOR_H_
#define KVSTORE_SRC_TRANSFER_DESCRIPTOR_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"

namespace kvstore::transfer {

inline constexpr size_t kMaxHostBytes = 255;
inline constexpr size_t kMaxEndpoints = 8;
inline constexpr size_t kMaxEndpointBytes = 64;
inline constexpr size_t kSocketNameBytes = 32;

// How an engine can be reached; opaque to everybody but engines.
struct PeerDescriptor {
  Incarnation incarnation;             // never none
  std::string host;                    // machine identity
  std::vector<std::string> endpoints;  // TCP, "ADDRESS:PORT", numeric; empty: not over TCP
  // Where processes of this host ask for shared memory: 32 hexadecimal digits, random; empty: it
  // shares none.
  std::string shm_socket{};
  bool rdma = false;  // it has RDMA devices; asked for over TCP

  friend bool operator==(const PeerDescriptor&, const PeerDescriptor&) = default;
};

// Parts beyond the limits above are cut off; engines never make such.
std::string EncodeDescriptor(const PeerDescriptor& peer);

// invalid_argument for anything that EncodeDescriptor can't have made; safe on any bytes.
Result<PeerDescriptor> DecodeDescriptor(std::string_view bytes);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_DESCRIPTOR_H_
