#ifndef KVSTORE_SRC_TRANSFER_SHM_FRAME_H_
#define KVSTORE_SRC_TRANSFER_SHM_FRAME_H_

// What two processes of one host say to each other over a unix socket of packets, whole. Bytes of
// objects never go this way. All numbers are little endian; no packet carries an address.
//
//   client                                 holder
//   ShmHello, and a pidfd of itself   ->
//                                     <-   ShmHelloReply, and the file of its ledger
//                                     or   ShmHelloReply             refused: the connection ends
//   ShmRequest                        ->
//                                     <-   ShmReply, and the files of the region: data, words
//                                     or   ShmReply                  refused
//   kLeftPacket                       ->                             as the ledger asked for
//
// Replies come in the order of the requests.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/incarnation.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"

namespace kvstore::transfer {

inline constexpr uint16_t kShmVersion = 1;
inline constexpr size_t kMaxShmMessageBytes = 512;
inline constexpr size_t kMaxPacketBytes = kMaxShmMessageBytes + 64;
// Something was withdrawn while the holder waits for that.
inline constexpr std::string_view kLeftPacket = "\x01";

struct ShmHello {
  uint16_t version = kShmVersion;
  Incarnation wanted;  // whom the client means to reach

  friend bool operator==(const ShmHello&, const ShmHello&) = default;
};

struct ShmHelloReply {
  uint16_t version = kShmVersion;
  StatusCode code = StatusCode::kOk;
  std::string message{};

  friend bool operator==(const ShmHelloReply&, const ShmHelloReply&) = default;
};

struct ShmRequest {
  uint32_t sequence = 0;  // counts the requests of a connection
  RegionId region = 0;
  Access access = Access::kRead;  // kWrite: the data is to be written

  friend bool operator==(const ShmRequest&, const ShmRequest&) = default;
};

struct ShmReply {
  uint32_t sequence = 0;  // of the request that it answers
  // OK; not_found: there is no such region; failed_precondition: it isn't to be had this way.
  StatusCode code = StatusCode::kOk;
  bool guarded = false;       // copies must name a guard
  uint64_t size = 0;          // of the region, bytes
  uint64_t granule = 0;       // bytes; a word for each
  uint64_t registration = 0;  // what SharedFiles::registration says while the region is open
  std::string message{};

  friend bool operator==(const ShmReply&, const ShmReply&) = default;
};

std::string Encode(const ShmHello& hello);
// Messages are cut to kMaxShmMessageBytes.
std::string Encode(const ShmHelloReply& reply);
std::string Encode(const ShmRequest& request);
std::string Encode(const ShmReply& reply);

// All of these take any bytes, and answer nothing for what no peer of ours can have sent. Hellos of
// other versions are decoded, so that they can be refused with a reason.
std::optional<ShmHello> DecodeShmHello(std::string_view packet);
std::optional<ShmHelloReply> DecodeShmHelloReply(std::string_view packet);
std::optional<ShmRequest> DecodeShmRequest(std::string_view packet);
std::optional<ShmReply> DecodeShmReply(std::string_view packet);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_FRAME_H_
