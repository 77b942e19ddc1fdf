#ifndef KVSTORE_SRC_TRANSFER_TCP_FRAME_H_
#define KVSTORE_SRC_TRANSFER_TCP_FRAME_H_

// The wire format, whole. All numbers are little endian; no frame carries an address.
//
//   client                         holder
//   Hello                    ->
//                            <-    HelloReply [message]       refused: the connection ends
//   Request kRead            ->
//                            <-    Reply kData, bytes, Reply kVerdict [message]
//                              or  Reply kVerdict [message]   refused before any byte
//   Request kWrite, bytes    ->
//                            <-    Reply kVerdict [message]   when the bytes are in place, or
//                            refused
//   Request kCut             ->
//                            <-    Reply kVerdict [message]   OK: that connection is closed and
//                            drained
//   Request kAsk, bytes      ->                               of another way (SideService)
//                            <-    Reply kData, bytes, Reply kVerdict
//                              or  Reply kVerdict [message]   refused
//
// Requests may be sent ahead; replies come in the order of the requests. A kData is always followed
// by as many bytes as it says, and when memory is withdrawn in the middle by as many zeros as are
// left; the verdict, which comes last, says so.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"

namespace kvstore::transfer {

inline constexpr uint16_t kProtocolVersion = 1;
// Longest read or write in one frame; copies are cut into slices of at most this.
inline constexpr uint32_t kMaxFrameBytes = 4 << 20;
inline constexpr size_t kMaxMessageBytes = 512;
// Longest question of another way, and longest answer to one.
inline constexpr uint32_t kMaxAskBytes = 64 << 10;

inline constexpr size_t kHelloBytes = 32;
inline constexpr size_t kHelloReplyBytes = 12;
inline constexpr size_t kRequestBytes = 40;
inline constexpr size_t kReplyBytes = 16;

struct Hello {
  uint16_t version = kProtocolVersion;
  Incarnation wanted;          // whom the client means to reach
  uint64_t connection_id = 0;  // random, drawn by the client; never 0

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct HelloReply {
  uint16_t version = kProtocolVersion;
  StatusCode code = StatusCode::kOk;
  uint16_t message_bytes = 0;  // following

  friend bool operator==(const HelloReply&, const HelloReply&) = default;
};

enum class RequestKind : uint8_t { kRead = 1, kWrite = 2, kCut = 3, kAsk = 4 };

struct Request {
  RequestKind kind = RequestKind::kRead;
  uint32_t sequence = 0;  // counts the requests of a connection from 0, and wraps
  RegionId region = 0;
  uint32_t length = 0;  // bytes to be read, or following
  uint64_t offset = 0;  // in the region; kCut: the id of the connection to close
  bool guarded = false;
  Guard guard = {};  // only if guarded
};

enum class ReplyKind : uint8_t { kData = 1, kVerdict = 2 };

struct Reply {
  ReplyKind kind = ReplyKind::kVerdict;
  uint32_t sequence = 0;  // of the request that it answers
  StatusCode code = StatusCode::kOk;
  // kData: bytes following, of a read as many as asked for; kVerdict: of the message
  uint32_t length = 0;

  friend bool operator==(const Reply&, const Reply&) = default;
};

std::array<std::byte, kHelloBytes> Encode(const Hello& hello);
std::array<std::byte, kHelloReplyBytes> Encode(const HelloReply& reply);
std::array<std::byte, kRequestBytes> Encode(const Request& request);
std::array<std::byte, kReplyBytes> Encode(const Reply& reply);

// All of these take any bytes, and answer nothing for what no peer of ours can have sent: a wrong
// magic number, an unknown kind or code, a length above its limit, an offset that overflows.
// Hellos of other versions are decoded, so that they can be refused with a reason.
std::optional<Hello> DecodeHello(std::span<const std::byte, kHelloBytes> bytes);
std::optional<HelloReply> DecodeHelloReply(std::span<const std::byte, kHelloReplyBytes> bytes);
std::optional<Request> DecodeRequest(std::span<const std::byte, kRequestBytes> bytes);
std::optional<Reply> DecodeReply(std::span<const std::byte, kReplyBytes> bytes);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_FRAME_H_
