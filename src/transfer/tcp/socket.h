#ifndef KVSTORE_SRC_TRANSFER_TCP_SOCKET_H_
#define KVSTORE_SRC_TRANSFER_TCP_SOCKET_H_

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "transfer/tcp/endpoint.h"

namespace kvstore::transfer {

// What one non-blocking send or receive came to.
struct IoStep {
  size_t bytes = 0;      // moved; 0: see below
  bool blocked = false;  // nothing can be moved now: wait
  bool ended = false;    // the peer has closed the connection
  int error = 0;         // errno: the connection is broken

  bool over() const { return ended || error != 0; }
  // "closed by the peer", or the error in words.
  std::string Reason() const;
};

// Owns one TCP socket that blocks nobody who does not ask for it, closed on exec; never raises
// SIGPIPE. Shutdown, and one sender and one receiver, may come from different threads; the owner
// closes after they have left.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  // Bound and listening.
  static Result<Socket> Listen(const Endpoint& endpoint);
  // On its way to being connected: wait until it is writable, then ask ConnectError.
  static Result<Socket> StartConnect(const Endpoint& endpoint);

  int fd() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // For connections: no delay for small frames, and a vanished peer's machine is noticed.
  void PrepareConnection() const;
  // 0, or why connecting failed.
  int ConnectError() const;

  // `more`: further bytes follow at once, so don't send a short packet.
  IoStep Send(std::span<const iovec> parts, bool more) const;
  IoStep Receive(std::span<const iovec> parts) const;
  // The same, but waits as long as WaitAtMost has it until there is something: one system call less
  // than WaitReady and Receive.
  IoStep AwaitInput(std::span<const iovec> parts) const;
  // Once connected; lets AwaitInput wait so long, or less.
  void WaitAtMost(Duration time) const;
  // So many bytes are sure to come, or the end. Of many some are then waited for at once: else the
  // kernel wakes whoever waits for each packet, which costs as much as copying it.
  void ExpectRest(uint64_t bytes) const;

  // How many of the bytes that were sent the peer's machine has not acknowledged; 0: not known.
  uint64_t Unacknowledged() const;

  // Ends both directions, for forked children that hold the socket too.
  void Shutdown() const;

 private:
  int fd_ = -1;
  mutable int least_input_ = 1;  // bytes; confined to the receiver
};

// Whether one of `events` (POLLIN, POLLOUT) or an error came within `timeout`; negative: for ever.
bool WaitReady(int fd, short events, Duration timeout);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_SOCKET_H_
