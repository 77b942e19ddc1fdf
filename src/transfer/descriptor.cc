#include "transfer/descriptor.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace kvstore::transfer {
namespace {

// Magic and version 1, then: incarnation (2 x 8 bytes, little endian), host, number of endpoints
// (1 byte), endpoints; texts are a length (1 byte) and that many bytes.
constexpr std::string_view kPrefix = "KVpeer\x01";

void AppendNumber(uint64_t value, std::string* out) {
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void AppendText(std::string_view text, size_t limit, std::string* out) {
  text = text.substr(0, limit);
  out->push_back(static_cast<char>(text.size()));
  out->append(text);
}

// Takes parts from the front; once one is missing, everything is.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::string_view Take(size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view part = left_.substr(0, size);
    left_.remove_prefix(size);
    return part;
  }
  size_t Byte() {
    const std::string_view part = Take(1);
    return part.empty() ? 0 : static_cast<unsigned char>(part[0]);
  }
  uint64_t Number() {
    uint64_t value = 0;
    const std::string_view part = Take(8);
    for (size_t i = 0; i < part.size(); ++i) {
      value |= uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    }
    return value;
  }
  std::string Text() { return std::string(Take(Byte())); }

  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace

std::string EncodeDescriptor(const PeerDescriptor& peer) {
  std::string out(kPrefix);
  AppendNumber(peer.incarnation.high, &out);
  AppendNumber(peer.incarnation.low, &out);
  AppendText(peer.host, kMaxHostBytes, &out);
  const size_t count = std::min(peer.endpoints.size(), kMaxEndpoints);
  out.push_back(static_cast<char>(count));
  for (size_t i = 0; i < count; ++i) AppendText(peer.endpoints[i], kMaxEndpointBytes, &out);
  return out;
}

Result<PeerDescriptor> DecodeDescriptor(std::string_view bytes) {
  Reader in(bytes);
  if (in.Take(kPrefix.size()) != kPrefix) {
    return InvalidArgumentError("not a peer descriptor of version 1 (" +
                                std::to_string(bytes.size()) +
                                " bytes); it must come from Engine::Descriptor of this version");
  }
  PeerDescriptor peer;
  peer.incarnation.high = in.Number();
  peer.incarnation.low = in.Number();
  peer.host = in.Text();
  const size_t count = in.Byte();
  if (count > kMaxEndpoints) {
    return InvalidArgumentError("a peer descriptor names " + std::to_string(count) +
                                " endpoints; at most " + std::to_string(kMaxEndpoints) +
                                " are allowed");
  }
  for (size_t i = 0; i < count && in.ok(); ++i) {
    peer.endpoints.push_back(in.Text());
    if (peer.endpoints.back().size() > kMaxEndpointBytes) {
      return InvalidArgumentError("a peer descriptor names an endpoint of more than " +
                                  std::to_string(kMaxEndpointBytes) + " bytes");
    }
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
