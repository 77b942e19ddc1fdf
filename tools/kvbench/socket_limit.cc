#include "tools/kvbench/socket_limit.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "tools/kvbench/pool.h"
#include "tools/kvbench/socket.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kRequestBytes = 64;
constexpr uint64_t kChunk = 16u << 20;  // asked for at a time, on each stream
constexpr uint32_t kStreams[] = {1, 2, 4};
constexpr uint64_t kBlocks[] = {64u << 10, 256u << 10, 1u << 20, 4u << 20};
constexpr int kPasses = 2;  // over all shapes, since any moment may be a bad one

struct Request {
  Direction direction;  // the client's
  uint64_t bytes;
  uint64_t block;
};
static_assert(sizeof(Request) <= kRequestBytes);

bool Ask(Socket* socket, const Request& request) {
  std::array<std::byte, kRequestBytes> message{};
  std::memcpy(message.data(), &request, sizeof(request));
  return socket->Send(message);
}

// Moves the bytes of one request between the socket and the walk, a block at a time.
bool MoveBytes(Socket* socket, bool sends, uint64_t bytes, uint64_t block, Walk* walk) {
  while (bytes > 0) {
    const uint64_t now = std::min({bytes, block, uint64_t{walk->all().size()}});
    const std::span<std::byte> stretch = walk->Next(now);
    if (!(sends ? socket->Send(stretch) : socket->Receive(stretch))) return false;
    bytes -= now;
  }
  return true;
}

// One request after the other; what was sent is answered by a byte.
void Serve(Socket socket, Walk walk) {
  std::array<std::byte, kRequestBytes> message{};
  while (socket.Receive(message)) {
    Request request{};
    std::memcpy(&request, message.data(), sizeof(request));
    const bool sends = request.direction == Direction::kReceive;
    if (!MoveBytes(&socket, sends, request.bytes, request.block, &walk)) return;
    if (!sends && !socket.Send(std::span(message).first(1))) return;
  }
}

bool MoveChunk(Socket* socket, Direction direction, uint64_t block, Walk* walk) {
  if (!Ask(socket, {direction, kChunk, block})) return false;
  const bool sends = direction == Direction::kSend;
  if (!MoveBytes(socket, sends, kChunk, block, walk)) return false;
  std::byte answer{};
  return !sends || socket->Receive({&answer, 1});
}

}  // namespace

Result<std::unique_ptr<SocketLimit>> SocketLimit::Start(const std::string& programs,
                                                        uint64_t walk_bytes) {
  KVSTORE_ASSIGN_OR_RETURN(
      std::unique_ptr<demo::Child> peer,
      demo::Child::Start("the sockets' other end", {programs + "/kvbench", "worker", "sockets",
                                                    "--walk=" + std::to_string(walk_bytes)}));
  const std::string text = "serving on ";
  KVSTORE_ASSIGN_OR_RETURN(const std::string line, AwaitLine(peer.get(), text));
  const auto port = static_cast<uint16_t>(std::stoul(line.substr(text.size())));
  return std::unique_ptr<SocketLimit>(new SocketLimit(std::move(peer), port));
}

std::optional<SocketShape> SocketLimit::best(Direction direction) const {
  return best_[static_cast<size_t>(direction)];
}

Result<double> SocketLimit::Move(Direction direction, Duration time, Walk* walk) {
  std::optional<SocketShape>& best = best_[static_cast<size_t>(direction)];
  if (!best) {
    KVSTORE_ASSIGN_OR_RETURN(best, FindBest(direction, time / 4, walk));
  }
  return MoveShaped(direction, *best, time, walk);
}

Result<SocketShape> SocketLimit::FindBest(Direction direction, Duration time, Walk* walk) {
  SocketShape best;
  double most = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (const uint32_t streams : kStreams) {
      for (const uint64_t block : kBlocks) {
        const SocketShape shape{streams, block};
        KVSTORE_ASSIGN_OR_RETURN(const double rate, MoveShaped(direction, shape, time, walk));
        if (rate <= most) continue;
        most = rate;
        best = shape;
      }
    }
  }
  return best;
}

Result<double> SocketLimit::MoveShaped(Direction direction, SocketShape shape, Duration time,
                                       Walk* walk) {
  std::vector<Socket> sockets;
  std::vector<Walk> walks;
  for (uint32_t i = 0; i < shape.streams; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(port_));
    sockets.push_back(std::move(socket));
    walks.push_back(walk->Part(i, shape.streams));
  }
  std::atomic<uint64_t> moved = 0;
  std::atomic<bool> broken = false;
  const TimePoint began = BootClock::now();
  const TimePoint until = began + time;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < shape.streams; ++i) {
    threads.emplace_back([&, socket = &sockets[i], part = &walks[i]] {
      do {
        if (!MoveChunk(socket, direction, shape.block, part)) {
          broken = true;
          return;
        }
        moved += kChunk;
      } while (BootClock::now() < until);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = BootClock::now() - began;
  if (broken) return UnavailableError("the sockets' other end has gone");
  return static_cast<double>(moved) / took.count() / 1e9;
}

Result<Times> SocketLimit::RoundTrips(uint64_t reply_bytes, Duration time) {
  KVSTORE_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(port_));
  std::vector<std::byte> reply(reply_bytes);
  return Repeat(time, [&] {
    return Time([&] {
      const bool answered =
          Ask(&socket, {Direction::kReceive, reply_bytes, reply_bytes}) && socket.Receive(reply);
      return answered ? Status::Ok() : UnavailableError("the sockets' other end has gone");
    });
  });
}

int ServeSockets(uint64_t walk_bytes) {
  Result<Walk> walk = Walk::Private(walk_bytes);
  Result<Socket> listening = Socket::Listen();
  if (!walk.ok() || !listening.ok()) {
    std::fprintf(stderr, "%s\n",
                 (walk.ok() ? listening.status() : walk.status()).message().c_str());
    return 1;
  }
  std::printf("serving on %u\n", unsigned{listening->port()});
  std::fflush(stdout);
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  uint32_t served = 0;
  while (poll(&input, 1, 0) == 0) {
    constexpr int kPatienceMs = 100;
    if (!listening->AwaitConnection(kPatienceMs)) continue;
    Result<Socket> socket = listening->Accept();
    if (!socket.ok()) return 1;
    constexpr uint32_t kMostStreams = 4;
    std::thread(&Serve, *std::move(socket), walk->Part(served++ % kMostStreams, kMostStreams))
        .detach();
  }
  // The threads still use the walk.
  _exit(0);
}

}  // namespace kvstore::bench
