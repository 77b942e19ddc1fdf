#ifndef KVSTORE_TOOLS_KVBENCH_SOCKET_H_
#define KVSTORE_TOOLS_KVBENCH_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvstore/result.h"

namespace kvstore::bench {

// A plain TCP socket on loopback, without any delay of small segments. Confined to one thread.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  static Result<Socket> Connect(uint16_t port);
  static Result<Socket> Listen();  // on any port

  uint16_t port() const;  // its own
  Result<Socket> Accept();
  // The next connection within so long; none: false.
  bool AwaitConnection(int milliseconds);

  // False: the peer has gone.
  bool Send(std::span<const std::byte> bytes);
  bool Receive(std::span<std::byte> bytes);

 private:
  int fd_ = -1;
};

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_SOCKET_H_
