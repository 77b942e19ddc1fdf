#include "transfer/shm/frame.h"

#include "transfer/wire.h"

namespace kvstore::transfer {
namespace {

// Each begins one kind of packet.
constexpr uint32_t kHelloMagic = 0x3153564b;       // "KVS1"
constexpr uint32_t kHelloReplyMagic = 0x3153764b;  // "KvS1"
constexpr uint32_t kRequestMagic = 0x3152564b;     // "KVR1"
constexpr uint32_t kReplyMagic = 0x3152764b;       // "KvR1"

void AppendMessage(std::string_view message, std::string* packet) {
  packet->append(message.substr(0, kMaxShmMessageBytes));
}

// What is left of a packet; nothing: longer than any message.
std::optional<std::string> RestOf(std::string_view packet, size_t header_bytes) {
  if (packet.size() < header_bytes) return std::nullopt;
  packet.remove_prefix(header_bytes);
  if (packet.size() > kMaxShmMessageBytes) return std::nullopt;
  return std::string(packet);
}

std::optional<StatusCode> KnownCode(uint8_t number) {
  const auto code = static_cast<StatusCode>(number);
  if (StatusCodeName(code) == "unknown") return std::nullopt;
  return code;
}

constexpr size_t kHelloReplyHeader = 7;
constexpr size_t kReplyHeader = 34;

}  // namespace

std::string Encode(const ShmHello& hello) {
  std::string packet;
  AppendNumber(kHelloMagic, &packet);
  AppendNumber(hello.version, &packet);
  AppendNumber(hello.wanted.high, &packet);
  AppendNumber(hello.wanted.low, &packet);
  return packet;
}

std::optional<ShmHello> DecodeShmHello(std::string_view packet) {
  WireReader in(packet);
  if (in.Number<uint32_t>() != kHelloMagic) return std::nullopt;
  ShmHello hello;
  hello.version = in.Number<uint16_t>();
  hello.wanted.high = in.Number<uint64_t>();
  hello.wanted.low = in.Number<uint64_t>();
  if (!in.ok() || !in.at_end() || hello.wanted.IsNone()) return std::nullopt;
  return hello;
}

std::string Encode(const ShmHelloReply& reply) {
  std::string packet;
  AppendNumber(kHelloReplyMagic, &packet);
  AppendNumber(reply.version, &packet);
  AppendNumber(static_cast<uint8_t>(reply.code), &packet);
  AppendMessage(reply.message, &packet);
  return packet;
}

std::optional<ShmHelloReply> DecodeShmHelloReply(std::string_view packet) {
  WireReader in(packet);
  if (in.Number<uint32_t>() != kHelloReplyMagic) return std::nullopt;
  ShmHelloReply reply;
  reply.version = in.Number<uint16_t>();
  const std::optional<StatusCode> code = KnownCode(in.Number<uint8_t>());
  std::optional<std::string> message = RestOf(packet, kHelloReplyHeader);
  if (!in.ok() || !code || !message) return std::nullopt;
  reply.code = *code;
  reply.message = *std::move(message);
  return reply;
}

std::string Encode(const ShmRequest& request) {
  std::string packet;
  AppendNumber(kRequestMagic, &packet);
  AppendNumber(request.sequence, &packet);
  AppendNumber(request.region, &packet);
  AppendNumber(static_cast<uint8_t>(request.access == Access::kWrite), &packet);
  return packet;
}

std::optional<ShmRequest> DecodeShmRequest(std::string_view packet) {
  WireReader in(packet);
  if (in.Number<uint32_t>() != kRequestMagic) return std::nullopt;
  ShmRequest request;
  request.sequence = in.Number<uint32_t>();
  request.region = in.Number<RegionId>();
  const auto write = in.Number<uint8_t>();
  if (!in.ok() || !in.at_end() || write > 1) return std::nullopt;
  request.access = write == 1 ? Access::kWrite : Access::kRead;
  return request;
}

std::string Encode(const ShmReply& reply) {
  std::string packet;
  AppendNumber(kReplyMagic, &packet);
  AppendNumber(reply.sequence, &packet);
  AppendNumber(static_cast<uint8_t>(reply.code), &packet);
  AppendNumber(static_cast<uint8_t>(reply.guarded), &packet);
  AppendNumber(reply.size, &packet);
  AppendNumber(reply.granule, &packet);
  AppendNumber(reply.registration, &packet);
  AppendMessage(reply.message, &packet);
  return packet;
}

std::optional<ShmReply> DecodeShmReply(std::string_view packet) {
  WireReader in(packet);
  if (in.Number<uint32_t>() != kReplyMagic) return std::nullopt;
  ShmReply reply;
  reply.sequence = in.Number<uint32_t>();
  const std::optional<StatusCode> code = KnownCode(in.Number<uint8_t>());
  const auto guarded = in.Number<uint8_t>();
  reply.size = in.Number<uint64_t>();
  reply.granule = in.Number<uint64_t>();
  reply.registration = in.Number<uint64_t>();
  std::optional<std::string> message = RestOf(packet, kReplyHeader);
  if (!in.ok() || !code || guarded > 1 || !message) return std::nullopt;
  reply.code = *code;
  reply.guarded = guarded == 1;
  reply.message = *std::move(message);
  if (!reply.message.empty() && reply.code == StatusCode::kOk) return std::nullopt;
  const bool whole = reply.granule > 0 && reply.size > 0 && reply.size % reply.granule == 0;
  if (reply.code == StatusCode::kOk && (!whole || reply.registration == 0)) return std::nullopt;
  return reply;
}

}  // namespace kvstore::transfer
