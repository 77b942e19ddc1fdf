#ifndef KVSTORE_TESTS_TRANSFER_RAW_SOCKET_H_
#define KVSTORE_TESTS_TRANSFER_RAW_SOCKET_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "kvstore/clock.h"
#include "transfer/tcp/endpoint.h"

namespace kvstore::transfer {

// A TCP connection of a test, which can say anything. Confined to one thread, save for Break.
class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawSocket() {
    if (fd_ >= 0) close(fd_);
  }

  // Its fd is negative when nobody listens.
  static RawSocket Connect(const std::string& endpoint) {
    const Endpoint address = *Endpoint::Parse(endpoint);
    RawSocket raw(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(raw.fd_, address.address(), address.length()) != 0) return {};
    return raw;
  }

  int fd() const { return fd_; }

  // False: the peer has closed it.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  template <typename Bytes>
  bool SendFrame(const Bytes& frame) const {
    return Send({reinterpret_cast<const char*>(frame.data()), frame.size()});
  }

  // Up to `size` bytes: fewer when the connection ends or 5 seconds are over.
  std::string Receive(size_t size) const {
    std::string bytes;
    const TimePoint until = BootClock::now() + std::chrono::seconds(5);
    while (bytes.size() < size && BootClock::now() < until) {
      if (!Readable(std::chrono::milliseconds(100))) continue;
      char part[4096];
      const ssize_t got = recv(fd_, part, std::min(sizeof(part), size - bytes.size()), 0);
      if (got <= 0) break;
      bytes.append(part, static_cast<size_t>(got));
    }
    return bytes;
  }

  // Whether the peer closes it within the time; what it sends before is dropped.
  bool ClosedWithin(Duration timeout) const {
    const TimePoint until = BootClock::now() + timeout;
    while (BootClock::now() < until) {
      if (!Readable(std::chrono::milliseconds(20))) continue;
      char part[4096];
      if (recv(fd_, part, sizeof(part), 0) <= 0) return true;
    }
    return false;
  }

  // Ends the connection with a reset.
  void Break() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(std::exchange(fd_, -1));
  }

 private:
  bool Readable(Duration timeout) const {
    pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&entry, 1,
                static_cast<int>(
                    std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count())) > 0;
  }

  int fd_ = -1;
};

// A port of a test that accepts.
class RawListener {
 public:
  RawListener() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const Endpoint any = *Endpoint::Parse("127.0.0.1:0");
    EXPECT_EQ(bind(listener_.fd(), any.address(), any.length()), 0);
    EXPECT_EQ(listen(listener_.fd(), 64), 0);
    endpoint_ = Endpoint::OfSocket(listener_.fd()).value().ToString();
  }

  const std::string& endpoint() const { return endpoint_; }
  int fd() const { return listener_.fd(); }
  // Of somebody who connects within a minute; without one, the socket is none.
  RawSocket Accept() const {
    pollfd entry{.fd = listener_.fd(), .events = POLLIN, .revents = 0};
    const int fd = poll(&entry, 1, 60'000) > 0 ? accept(listener_.fd(), nullptr, nullptr) : -1;
    EXPECT_GE(fd, 0) << "nobody connects";
    return RawSocket(fd);
  }

 private:
  RawSocket listener_;
  std::string endpoint_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_RAW_SOCKET_H_
