#include "transfer/tcp/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "descriptor_limit.h"

namespace kvstore::transfer {
namespace {

constexpr int kListenBacklog = 512;
constexpr int kGatherBytes = 256 << 10;
constexpr size_t kMaxParts = 1024;  // IOV_MAX

void SetOption(int fd, int level, int option, int value) {
  // Nothing depends on these being taken: they only make things quicker.
  (void)setsockopt(fd, level, option, &value, sizeof(value));
}

Result<Socket> NewSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return OpenError(StatusCode::kUnavailable, "no socket to be had", errno);
  }
  return Socket(fd);
}

IoStep Judge(ssize_t moved, bool asked_for_bytes) {
  IoStep step;
  if (moved > 0) {
    step.bytes = static_cast<size_t>(moved);
  } else if (moved == 0) {
    step.ended = asked_for_bytes;
  } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    step.blocked = true;
  } else {
    step.error = errno;
  }
  return step;
}

msghdr Message(std::span<const iovec> parts) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = std::min(parts.size(), kMaxParts);
  return message;
}

}  // namespace

std::string IoStep::Reason() const { return ended ? "closed by the peer" : std::strerror(error); }

Socket::Socket(Socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), least_input_(other.least_input_) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(least_input_, other.least_input_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Result<Socket> Socket::Listen(const Endpoint& endpoint) {
  KVSTORE_ASSIGN_OR_RETURN(Socket socket, NewSocket(endpoint.family()));
  SetOption(socket.fd_, SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(socket.fd_, endpoint.address(), endpoint.length()) != 0 ||
      listen(socket.fd_, kListenBacklog) != 0) {
    return UnavailableError("can't listen on " + endpoint.ToString() + ": " + std::strerror(errno) +
                            "; choose another address or port");
  }
  return socket;
}

Result<Socket> Socket::StartConnect(const Endpoint& endpoint) {
  KVSTORE_ASSIGN_OR_RETURN(Socket socket, NewSocket(endpoint.family()));
  socket.PrepareConnection();
  if (connect(socket.fd_, endpoint.address(), endpoint.length()) != 0 && errno != EINPROGRESS) {
    return UnavailableError("can't connect to " + endpoint.ToString() + ": " +
                            std::strerror(errno));
  }
  return socket;
}

void Socket::PrepareConnection() const {
  SetOption(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd_, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd_, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(fd_, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(fd_, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

int Socket::ConnectError() const {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

IoStep Socket::Send(std::span<const iovec> parts, bool more) const {
  const msghdr message = Message(parts);
  return Judge(sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0)), false);
}

IoStep Socket::Receive(std::span<const iovec> parts) const {
  msghdr message = Message(parts);
  return Judge(recvmsg(fd_, &message, MSG_DONTWAIT), true);
}

IoStep Socket::AwaitInput(std::span<const iovec> parts) const {
  msghdr message = Message(parts);
  return Judge(recvmsg(fd_, &message, 0), true);
}

void Socket::WaitAtMost(Duration time) const {
  const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(time).count();
  const timeval limit{.tv_sec = microseconds / 1'000'000, .tv_usec = microseconds % 1'000'000};
  // Only a socket whose waits are limited may wait.
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) return;
  const int flags = fcntl(fd_, F_GETFL);
  if (flags >= 0) (void)fcntl(fd_, F_SETFL, flags & ~O_NONBLOCK);
}

void Socket::ExpectRest(uint64_t bytes) const {
  const int least = bytes >= kGatherBytes ? kGatherBytes : 1;
  if (std::exchange(least_input_, least) != least) {
    SetOption(fd_, SOL_SOCKET, SO_RCVLOWAT, least);
  }
}

uint64_t Socket::Unacknowledged() const {
  int bytes = 0;
  return ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

void Socket::Shutdown() const { (void)shutdown(fd_, SHUT_RDWR); }

bool WaitReady(int fd, short events, Duration timeout) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  int milliseconds = -1;
  if (timeout >= Duration::zero()) {
    milliseconds = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(
                                        std::min<Duration>(timeout, std::chrono::hours(1)))
                                        .count());
  }
  return poll(&entry, 1, milliseconds) > 0;
}

}  // namespace kvstore::transfer
