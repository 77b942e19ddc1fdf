#include "transfer/tcp/frame.h"

#include <limits>

namespace kvstore::transfer {
namespace {

constexpr uint32_t kHelloMagic = 0x3154564b;   // "KVT1"
constexpr uint32_t kAnswerMagic = 0x3154764b;  // "KvT1"
constexpr uint16_t kFrameMark = 0x7e4b;        // begins every request and reply
constexpr uint8_t kGuardedFlag = 1;

// Writes numbers one after the other; the callers' sizes are constants that match.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : out_(out) {}

  template <typename T>
  Writer& Put(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      out_[at_++] = static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i));
    }
    return *this;
  }

 private:
  std::span<std::byte> out_;
  size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}

  template <typename T>
  T Get() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value |= std::to_integer<uint64_t>(in_[at_++]) << (8 * i);
    return static_cast<T>(value);
  }

 private:
  std::span<const std::byte> in_;
  size_t at_ = 0;
};

std::optional<StatusCode> CodeFromWire(uint8_t number) {
  const auto code = static_cast<StatusCode>(number);
  if (StatusCodeName(code) == "unknown") return std::nullopt;
  return code;
}

}  // namespace

std::array<std::byte, kHelloBytes> Encode(const Hello& hello) {
  std::array<std::byte, kHelloBytes> bytes{};
  Writer(bytes)
      .Put(kHelloMagic)
      .Put(hello.version)
      .Put(uint16_t{0})
      .Put(hello.wanted.high)
      .Put(hello.wanted.low)
      .Put(hello.connection_id);
  return bytes;
}

std::optional<Hello> DecodeHello(std::span<const std::byte, kHelloBytes> bytes) {
  Reader in(bytes);
  if (in.Get<uint32_t>() != kHelloMagic) return std::nullopt;
  Hello hello;
  hello.version = in.Get<uint16_t>();
  if (in.Get<uint16_t>() != 0) return std::nullopt;
  hello.wanted.high = in.Get<uint64_t>();
  hello.wanted.low = in.Get<uint64_t>();
  hello.connection_id = in.Get<uint64_t>();
  if (hello.wanted.IsNone() || hello.connection_id == 0) return std::nullopt;
  return hello;
}

std::array<std::byte, kHelloReplyBytes> Encode(const HelloReply& reply) {
  std::array<std::byte, kHelloReplyBytes> bytes{};
  Writer(bytes)
      .Put(kAnswerMagic)
      .Put(reply.version)
      .Put(static_cast<uint8_t>(reply.code))
      .Put(uint8_t{0})
      .Put(reply.message_bytes)
      .Put(uint16_t{0});
  return bytes;
}

std::optional<HelloReply> DecodeHelloReply(std::span<const std::byte, kHelloReplyBytes> bytes) {
  Reader in(bytes);
  if (in.Get<uint32_t>() != kAnswerMagic) return std::nullopt;
  HelloReply reply;
  reply.version = in.Get<uint16_t>();
  const std::optional<StatusCode> code = CodeFromWire(in.Get<uint8_t>());
  const bool reserved_zero = in.Get<uint8_t>() == 0;
  reply.message_bytes = in.Get<uint16_t>();
  if (!code || !reserved_zero || in.Get<uint16_t>() != 0) return std::nullopt;
  if (reply.message_bytes > kMaxMessageBytes) return std::nullopt;
  reply.code = *code;
  return reply;
}

std::array<std::byte, kRequestBytes> Encode(const Request& request) {
  std::array<std::byte, kRequestBytes> bytes{};
  Writer(bytes)
      .Put(kFrameMark)
      .Put(static_cast<uint8_t>(request.kind))
      .Put(request.guarded ? kGuardedFlag : uint8_t{0})
      .Put(request.sequence)
      .Put(request.region)
      .Put(request.length)
      .Put(request.offset)
      .Put(request.guarded ? request.guard.first : uint64_t{0})
      .Put(request.guarded ? request.guard.birth : uint64_t{0});
  return bytes;
}

std::optional<Request> DecodeRequest(std::span<const std::byte, kRequestBytes> bytes) {
  Reader in(bytes);
  if (in.Get<uint16_t>() != kFrameMark) return std::nullopt;
  const auto kind = in.Get<uint8_t>();
  const auto flags = in.Get<uint8_t>();
  if (kind < static_cast<uint8_t>(RequestKind::kRead) ||
      kind > static_cast<uint8_t>(RequestKind::kAsk) || (flags & ~kGuardedFlag) != 0) {
    return std::nullopt;
  }
  Request request;
  request.kind = static_cast<RequestKind>(kind);
  request.guarded = (flags & kGuardedFlag) != 0;
  request.sequence = in.Get<uint32_t>();
  request.region = in.Get<uint32_t>();
  request.length = in.Get<uint32_t>();
  request.offset = in.Get<uint64_t>();
  request.guard.first = in.Get<uint64_t>();
  request.guard.birth = in.Get<uint64_t>();
  const bool asks = request.kind == RequestKind::kAsk;
  if (request.length > (asks ? kMaxAskBytes : kMaxFrameBytes)) return std::nullopt;
  if (request.kind == RequestKind::kCut) {
    if (request.length != 0) return std::nullopt;
  } else if (request.offset > std::numeric_limits<uint64_t>::max() - request.length) {
    return std::nullopt;
  }
  return request;
}

std::array<std::byte, kReplyBytes> Encode(const Reply& reply) {
  std::array<std::byte, kReplyBytes> bytes{};
  Writer(bytes)
      .Put(kFrameMark)
      .Put(static_cast<uint8_t>(reply.kind))
      .Put(static_cast<uint8_t>(reply.code))
      .Put(reply.sequence)
      .Put(reply.length)
      .Put(uint32_t{0});
  return bytes;
}

std::optional<Reply> DecodeReply(std::span<const std::byte, kReplyBytes> bytes) {
  Reader in(bytes);
  if (in.Get<uint16_t>() != kFrameMark) return std::nullopt;
  const auto kind = in.Get<uint8_t>();
  if (kind != static_cast<uint8_t>(ReplyKind::kData) &&
      kind != static_cast<uint8_t>(ReplyKind::kVerdict)) {
    return std::nullopt;
  }
  const std::optional<StatusCode> code = CodeFromWire(in.Get<uint8_t>());
  Reply reply;
  reply.kind = static_cast<ReplyKind>(kind);
  reply.sequence = in.Get<uint32_t>();
  reply.length = in.Get<uint32_t>();
  if (!code || in.Get<uint32_t>() != 0) return std::nullopt;
  reply.code = *code;
  const bool data = reply.kind == ReplyKind::kData;
  if (data && reply.code != StatusCode::kOk) return std::nullopt;
  if (reply.length > (data ? kMaxFrameBytes : kMaxMessageBytes)) return std::nullopt;
  return reply;
}

}  // namespace kvstore::transfer
