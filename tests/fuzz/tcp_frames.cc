// The frames of the TCP way: what is decoded is within its limits, and encodes to the same bytes.

#include <algorithm>
#include <array>
#include <span>

#include "fuzz/target.h"
#include "transfer/tcp/frame.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

template <size_t kSize>
std::array<std::byte, kSize> Padded(std::string_view bytes) {
  std::array<std::byte, kSize> frame{};
  const auto part = std::as_bytes(std::span(bytes.substr(0, kSize)));
  std::copy(part.begin(), part.end(), frame.begin());
  return frame;
}

template <typename Frame>
std::string With(char kind, const Frame& frame) {
  const auto bytes = Encode(frame);
  return kind + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void TakeRequest(const std::array<std::byte, kRequestBytes>& bytes) {
  const auto request = DecodeRequest(bytes);
  if (!request) return;
  Expect(request->length <= kMaxFrameBytes, "no frame is longer than the longest");
  Expect(request->kind == RequestKind::kCut || request->offset + request->length >= request->offset,
         "no range overflows");
  const auto again = DecodeRequest(Encode(*request));
  Expect(again && Encode(*again) == Encode(*request), "a request is encoded as it was decoded");
}

}  // namespace

void Take(std::string_view bytes) {
  Input input(bytes);
  switch (input.Below(4)) {
    case 0: {
      const auto frame = Padded<kHelloBytes>(input.Rest());
      if (const auto hello = DecodeHello(frame)) {
        Expect(Encode(*hello) == frame, "a hello has one form");
        Expect(hello->connection_id != 0, "a connection has an id");
      }
      return;
    }
    case 1: {
      const auto frame = Padded<kHelloReplyBytes>(input.Rest());
      if (const auto reply = DecodeHelloReply(frame)) {
        Expect(Encode(*reply) == frame, "a hello's answer has one form");
        Expect(reply->message_bytes <= kMaxMessageBytes, "no message is longer than the longest");
      }
      return;
    }
    case 2:
      return TakeRequest(Padded<kRequestBytes>(input.Rest()));
    default: {
      const auto frame = Padded<kReplyBytes>(input.Rest());
      if (const auto reply = DecodeReply(frame)) {
        Expect(Encode(*reply) == frame, "a reply has one form");
        Expect(reply->length <= kMaxFrameBytes, "no frame is longer than the longest");
      }
    }
  }
}

std::vector<std::string> Seeds() {
  const Hello hello{.wanted = {1, 2}, .connection_id = 3};
  Request request{.kind = RequestKind::kRead, .region = 1, .length = 4096, .offset = 8192};
  std::vector<std::string> seeds = {With(0, hello), With(1, HelloReply{}), With(2, request),
                                    With(3, Reply{.kind = ReplyKind::kData, .length = 9})};
  seeds.push_back(With(1, HelloReply{.code = StatusCode::kNotFound, .message_bytes = 9}));
  request.guarded = true;
  request.guard = {.first = 4096, .birth = 7};
  request.kind = RequestKind::kWrite;
  seeds.push_back(With(2, request));
  request = {.kind = RequestKind::kCut, .offset = 5};
  seeds.push_back(With(2, request));
  seeds.push_back(With(3, Reply{.sequence = 4, .code = StatusCode::kAborted, .length = 20}));
  return seeds;
}

}  // namespace kvstore::fuzz
