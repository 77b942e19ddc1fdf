#include "transfer/tcp/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <vector>

namespace kvstore::transfer {
namespace {

template <size_t N>
std::array<std::byte, N> RandomBytes() {
  const auto numbers = *rc::gen::container<std::vector<uint8_t>>(N, rc::gen::arbitrary<uint8_t>());
  std::array<std::byte, N> bytes{};
  std::transform(numbers.begin(), numbers.end(), bytes.begin(),
                 [](uint8_t number) { return static_cast<std::byte>(number); });
  return bytes;
}

Request SampleRequest() {
  return {.kind = RequestKind::kWrite,
          .sequence = 7,
          .region = 3,
          .length = 4096,
          .offset = uint64_t{1} << 40,
          .guarded = true,
          .guard = {.first = 8192, .birth = 99}};
}

TEST(FrameTest, RequestsComeBackAsTheyWereEncoded) {
  const bool held = rc::check("requests round trip", [] {
    Request request;
    request.kind = *rc::gen::element(RequestKind::kRead, RequestKind::kWrite);
    request.sequence = *rc::gen::arbitrary<uint32_t>();
    request.region = *rc::gen::arbitrary<uint32_t>();
    request.length = *rc::gen::inRange<uint32_t>(0, kMaxFrameBytes + 1);
    request.offset = *rc::gen::arbitrary<uint64_t>() >> 1;
    request.guarded = *rc::gen::arbitrary<bool>();
    if (request.guarded) request.guard = {*rc::gen::arbitrary<uint64_t>(), 5};
    const std::optional<Request> back = DecodeRequest(Encode(request));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->kind == request.kind && back->sequence == request.sequence);
    RC_ASSERT(back->region == request.region && back->length == request.length);
    RC_ASSERT(back->offset == request.offset && back->guarded == request.guarded);
    RC_ASSERT(back->guard.first == request.guard.first);
    RC_ASSERT(back->guard.birth == request.guard.birth);
  });
  EXPECT_TRUE(held);
}

TEST(FrameTest, HellosAndRepliesComeBackAsTheyWereEncoded) {
  const Hello hello{.wanted = {.high = 1, .low = UINT64_MAX}, .connection_id = 5};
  EXPECT_EQ(DecodeHello(Encode(hello)), hello);
  const HelloReply greeting{.code = StatusCode::kUnavailable, .message_bytes = 512};
  EXPECT_EQ(DecodeHelloReply(Encode(greeting)), greeting);
  const Reply data{.kind = ReplyKind::kData, .sequence = 9, .length = kMaxFrameBytes};
  EXPECT_EQ(DecodeReply(Encode(data)), data);
  const Reply verdict{.sequence = UINT32_MAX, .code = StatusCode::kAborted, .length = 512};
  EXPECT_EQ(DecodeReply(Encode(verdict)), verdict);
}

TEST(FrameTest, WhatBreaksALimitIsNoFrame) {
  Request request = SampleRequest();
  request.length = kMaxFrameBytes + 1;
  EXPECT_FALSE(DecodeRequest(Encode(request)));
  request = SampleRequest();
  request.offset = UINT64_MAX - request.length + 1;
  EXPECT_FALSE(DecodeRequest(Encode(request)));
  request = SampleRequest();
  request.kind = RequestKind::kCut;  // nothing may follow it
  EXPECT_FALSE(DecodeRequest(Encode(request)));
  EXPECT_FALSE(DecodeReply(Encode(Reply{.length = kMaxMessageBytes + 1})));
  EXPECT_FALSE(DecodeReply(Encode(Reply{.kind = ReplyKind::kData, .length = kMaxFrameBytes + 1})));
  EXPECT_FALSE(DecodeReply(Encode(Reply{.kind = ReplyKind::kData, .code = StatusCode::kAborted})));
  EXPECT_FALSE(DecodeHelloReply(Encode(HelloReply{.message_bytes = kMaxMessageBytes + 1})));
  EXPECT_FALSE(DecodeHello(Encode(Hello{.wanted = {}, .connection_id = 1})));
  EXPECT_FALSE(DecodeHello(Encode(Hello{.wanted = {1, 1}, .connection_id = 0})));
}

TEST(FrameTest, RandomBytesAreNeverAFrame) {
  const bool held = rc::check("no magic, no frame", [] {
    auto request = RandomBytes<kRequestBytes>();
    request[0] = std::byte{0};
    RC_ASSERT(!DecodeRequest(request));
    auto reply = RandomBytes<kReplyBytes>();
    reply[0] = std::byte{0};
    RC_ASSERT(!DecodeReply(reply));
  });
  EXPECT_TRUE(held);
}

TEST(FrameTest, WhatIsDecodedFromDamagedBytesKeepsTheLimits) {
  const bool held = rc::check("limits hold for any bytes", [] {
    auto bytes = RandomBytes<kRequestBytes>();
    const auto good = Encode(SampleRequest());
    std::copy_n(good.begin(), 4, bytes.begin());
    bytes[14] = bytes[15] = std::byte{0};  // the length, so that some pass
    if (const std::optional<Request> request = DecodeRequest(bytes)) {
      RC_ASSERT(request->length <= kMaxFrameBytes);
      RC_ASSERT(request->offset + request->length >= request->offset);
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace kvstore::transfer
