// The packets between processes of one host: what is decoded encodes to the same bytes.

#include "fuzz/target.h"
#include "transfer/shm/frame.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

template <typename Frame>
void ExpectSame(const std::optional<Frame>& frame, std::string_view packet) {
  if (!frame) return;
  Expect(packet.size() <= kMaxPacketBytes, "no packet is longer than the longest");
  Expect(Encode(*frame) == packet, "a packet has one form");
}

}  // namespace

void Take(std::string_view bytes) {
  ExpectSame(DecodeShmHello(bytes), bytes);
  ExpectSame(DecodeShmHelloReply(bytes), bytes);
  ExpectSame(DecodeShmRequest(bytes), bytes);
  const auto reply = DecodeShmReply(bytes);
  ExpectSame(reply, bytes);
  Expect(!reply || reply->code != StatusCode::kOk ||
             (reply->granule > 0 && reply->size % reply->granule == 0),
         "a region is whole granules");
}

std::vector<std::string> Seeds() {
  return {
      Encode(ShmHello{.wanted = {1, 2}}),
      Encode(ShmHelloReply{}),
      Encode(ShmHelloReply{.code = StatusCode::kNotFound, .message = "not here"}),
      Encode(ShmRequest{.sequence = 1, .region = 2}),
      Encode(ShmRequest{.sequence = 1, .region = 2, .access = Access::kWrite}),
      Encode(ShmReply{.guarded = true, .size = 8192, .granule = 4096, .registration = 5}),
      Encode(ShmReply{.sequence = 3, .code = StatusCode::kNotFound, .message = "no such region"}),
  };
}

}  // namespace kvstore::fuzz
