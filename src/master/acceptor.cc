#include "master/acceptor.h"

#include <glog/logging.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kvstore::master {
namespace {

constexpr rlim_t kKeptBack = 16;
constexpr int kPauseMs = 100;
constexpr Duration kComplainEvery = std::chrono::seconds(10);

rlim_t DescriptorLimit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// Numbers are given out from the lowest on.
bool IsOneOfTheLast(int descriptor) {
  const rlim_t limit = DescriptorLimit();
  return limit != RLIM_INFINITY &&
         static_cast<rlim_t>(descriptor) + std::min(kKeptBack, limit / 4) >= limit;
}

Status CannotListen(const std::string& where, const std::string& why) {
  return UnavailableError("cannot listen on " + where + ": " + why +
                          "; name another address or port");
}

uint16_t PortOf(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::Listen(const std::string& address, uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  const std::string where = (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return CannotListen(where, gai_strerror(error));
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  // Not SO_REUSEPORT, with which two masters would share the port unnoticed.
  const bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
                     bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
  const int wake = bound ? eventfd(0, EFD_CLOEXEC) : -1;
  const int reason = errno;
  freeaddrinfo(found);
  if (wake >= 0) return std::unique_ptr<Acceptor>(new Acceptor(fd, wake, PortOf(fd)));
  if (fd >= 0) close(fd);
  return CannotListen(where, std::strerror(reason));
}

Acceptor::~Acceptor() {
  if (thread_.joinable()) {
    (void)eventfd_write(wake_, 1);
    thread_.join();
  }
  close(listener_);
  close(wake_);
}

void Acceptor::Start(Take take, std::function<void()> refused) {
  take_ = std::move(take);
  refused_ = std::move(refused);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Run() {
  for (;;) {
    pollfd fds[] = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[0].revents != 0) return;
    AcceptAll();
  }
}

void Acceptor::AcceptAll() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // It stays in the backlog: give others time to close something.
      Complain(std::string("new connections wait: ") + std::strerror(errno));
      pollfd wake{wake_, POLLIN, 0};
      poll(&wake, 1, kPauseMs);
      return;
    }
    if (IsOneOfTheLast(fd)) {
      close(fd);
      refused_();
      Complain("new connections are refused: the last descriptors are kept for the state file");
      continue;
    }
    const int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    // As gRPC sets it where it accepts: without, a peer that vanished with bytes under way is
    // noticed after a quarter of an hour.
    const int patience_ms = 5'000;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    take_(fd);
  }
}

void Acceptor::Complain(const std::string& what) {
  const TimePoint now = BootClock::now();
  if (now < complain_again_) return;
  complain_again_ = now + kComplainEvery;
  LOG(ERROR) << what << "; this process may have " << DescriptorLimit()
             << " open: raise that (LimitNOFILE of a unit, ulimit -n)";
}

}  // namespace kvstore::master
