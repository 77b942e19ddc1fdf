// A holder's end of a TCP connection, and whoever speaks to it: what it answers is frames of the
// protocol, it touches only what is registered, and leaves what it has entered.

#include <sys/socket.h>

#include <vector>

#include "fuzz/socket_pair.h"
#include "fuzz/target.h"
#include "transfer/tcp/served_connection.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

constexpr Incarnation kSelf{1, 2};
// More than is gathered in one answer, and so little that all answers find room in a socket.
constexpr size_t kRegionBytes = 9000;
constexpr size_t kMaxInputBytes = kHelloBytes + 14 * kRequestBytes;

class Paths : public PathTable {
 public:
  Status Admit(const Hello& hello, ServedConnection&) override {
    return hello.wanted == kSelf ? Status::Ok() : NotFoundError("somebody else");
  }
  std::unique_ptr<SideService> NewSideService() override { return nullptr; }
  bool EndsWithin(Duration) override { return true; }
  Status CutPath(uint64_t id, const ServedConnection&) override {
    return id == 7 ? UnavailableError("still there") : Status::Ok();
  }
};

class CountingGuard : public RegionGuard {
 public:
  bool Enter(Access, uint64_t first, uint64_t offset, uint64_t length, uint64_t birth) override {
    if (birth < 5 || first > offset) return false;
    Expect(length <= kRegionBytes && offset <= kRegionBytes - length, "nothing beyond the region");
    ++inside;
    return true;
  }
  bool Stands(uint64_t, uint64_t birth) override { return birth != 6; }
  void Leave(Access, uint64_t, uint64_t, uint64_t, uint64_t) override { --inside; }

  int inside = 0;
};

void ExpectAnswers(std::string_view bytes) {
  const auto take = [&bytes](size_t size) {
    Expect(size <= bytes.size(), "an answer is whole");
    const std::string_view part = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return std::as_bytes(std::span(part));
  };
  if (bytes.empty()) return;
  const auto hello = DecodeHelloReply(take(kHelloReplyBytes).first<kHelloReplyBytes>());
  Expect(hello.has_value(), "a hello is answered by a greeting");
  take(hello->message_bytes);
  while (!bytes.empty()) {
    const auto reply = DecodeReply(take(kReplyBytes).first<kReplyBytes>());
    Expect(reply.has_value(), "a request is answered by replies");
    take(reply->length);
  }
}

}  // namespace

void Take(std::string_view bytes) {
  Paths paths;
  CountingGuard guard;
  ServedTotals totals;
  std::vector<std::byte> open(kRegionBytes), guarded(kRegionBytes);
  Registry registry(TransferGuards{});
  const RegionId first = *registry.Add(open.data(), open.size(), {.remote = true});
  const RegionId second =
      *registry.Add(guarded.data(), guarded.size(), {.remote = true, .guard = &guard});
  SocketPair pair(SOCK_STREAM);
  pair.Say(bytes.substr(0, kMaxInputBytes));
  constexpr Duration kLong = std::chrono::minutes(1);
  ServedConnection connection(Socket(pair.Release()), paths, registry, totals,
                              {kLong, kLong, kLong});
  connection.Run();
  Expect(guard.inside == 0, "whoever enters leaves");
  const TimePoint now = BootClock::now();
  Expect(registry.Remove(first, now).ok() && registry.Remove(second, now).ok(),
         "no access is left over");
  ExpectAnswers(pair.Hear());
}

std::vector<std::string> Seeds() {
  const auto text = [](const auto& frame) {
    const auto encoded = Encode(frame);
    return std::string(reinterpret_cast<const char*>(encoded.data()), encoded.size());
  };
  const std::string hello = text(Hello{.wanted = kSelf, .connection_id = 3});
  Request request{.region = 1, .length = 100};
  const std::string read = text(request);
  request.length = kRegionBytes;
  const std::string long_read = text(request);
  request = {.kind = RequestKind::kWrite, .region = 2, .length = 5, .offset = 64, .guarded = true};
  request.guard = {.first = 0, .birth = 5};
  const std::string write = text(request) + "bytes";
  request.guard.birth = 6;
  const std::string withdrawn = text(request) + "bytes";
  const std::string cut = text(Request{.kind = RequestKind::kCut, .offset = 7});
  return {text(Hello{.wanted = {9, 9}, .connection_id = 3}), hello + read + long_read + cut,
          hello + write + read + withdrawn, hello + text(Request{.region = 9, .length = 1})};
}

}  // namespace kvstore::fuzz
