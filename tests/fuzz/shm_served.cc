// A holder's end of a unix socket, and a process of this host that says anything and hands over
// files: what it is answered are packets of the protocol. An input is packets: how many bytes (one
// byte), which files come along (one byte), the bytes.

#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "transfer/shm/frame.h"
#include "transfer/shm/served_connection.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

constexpr Incarnation kSelf{1, 2};
constexpr uint64_t kGranule = 4096;
constexpr size_t kMaxPackets = 8;

class Door : public ShmDoor {
 public:
  Status Admit(const ShmHello& hello) override {
    return hello.wanted == kSelf ? Status::Ok() : NotFoundError("somebody else");
  }
};

// What lasts from input to input.
struct Holder {
  std::string name = Incarnation{0, static_cast<uint64_t>(getpid())}.ToString();
  ShmSocket listener = *ShmSocket::Listen(name);
  FileDescriptor process{static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))};
  SharedMemory memory = *SharedMemory::Create(4 * kGranule, kGranule);
  SharedRegions regions;

  Holder() { Expect(regions.Add(1, memory, nullptr).ok(), "a region can be shared"); }
};

// A greeting, then replies.
void ExpectAnswers(const ShmSocket& client) {
  for (size_t count = 0; count <= kMaxPackets; ++count) {
    const Result<std::optional<Packet>> packet = client.Receive();
    if (!packet.ok() || !*packet) return;
    const std::string& bytes = (*packet)->bytes;
    const size_t files = (*packet)->files.size();
    if (const auto greeting = DecodeShmHelloReply(bytes)) {
      Expect(count == 0, "a greeting comes first");
      Expect(files == (greeting->code == StatusCode::kOk ? 1 : 0), "the ledger comes along");
    } else {
      const auto reply = DecodeShmReply(bytes);
      Expect(count > 0 && reply, "requests are answered by replies, after the greeting");
      Expect(files == (reply->code == StatusCode::kOk ? 2 : 0), "a region's files come along");
    }
  }
}

}  // namespace

void Take(std::string_view bytes) {
  static Holder holder;
  const ShmSocket client = *ShmSocket::Connect(holder.name);
  ShmServedConnection connection(*holder.listener.Accept(), TimePoint::max());
  Input input(bytes);
  Door door;
  bool left = false;
  Status status;
  for (size_t i = 0; i < kMaxPackets && !input.empty() && status.ok(); ++i) {
    const size_t size = input.Byte();
    const uint8_t files = input.Byte();
    const std::string packet(input.Bytes(size));
    const int process = holder.process.get(), other = client.fd();
    if (files % 4 == 0) (void)client.Send(packet);
    if (files % 4 == 1) (void)client.Send(packet, {process});
    if (files % 4 == 2) (void)client.Send(packet, {other});
    if (files % 4 == 3) (void)client.Send(packet, {process, other});
    status = connection.Serve(door, holder.regions, &left);
  }
  std::vector<Stretch> touched;
  connection.AppendTouched(SlotKind::kCopy, 1, &touched);
  Expect(touched.empty(), "nobody has announced anything");
  connection.EndConnection();
  ExpectAnswers(client);
}

std::vector<std::string> Seeds() {
  const auto packet = [](const std::string& bytes, char files) {
    return std::string{static_cast<char>(bytes.size()), files} + bytes;
  };
  const std::string hello = Encode(ShmHello{.wanted = kSelf});
  const std::string read = Encode(ShmRequest{.sequence = 0, .region = 1});
  const std::string write =
      Encode(ShmRequest{.sequence = 1, .region = 1, .access = Access::kWrite});
  const std::string missing = Encode(ShmRequest{.sequence = 2, .region = 9});
  return {packet(hello, 1) + packet(read, 0) + packet(write, 0) + packet(missing, 0),
          packet(hello, 1) + packet(std::string(kLeftPacket), 0) + packet(read, 1),
          packet(hello, 0),
          packet(hello, 2),
          packet(hello, 3),
          packet(Encode(ShmHello{.wanted = {9, 9}}), 1)};
}

}  // namespace kvstore::fuzz
