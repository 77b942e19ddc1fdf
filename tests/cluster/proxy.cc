#include "cluster/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace kvstore::cluster {
namespace {

constexpr size_t kChunk = 256 << 10;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// -1: nobody listens there.
int ConnectTo(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

void Reset(int fd) {
  if (fd < 0) return;
  const linger at_once{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd);
}

}  // namespace

// One connection's two ends, and what has come in at each and is to go out at the other.
class Proxy::Link {
 public:
  Link(int near, int far) : fds_{near, far} {}
  ~Link() {
    for (const int fd : fds_) Reset(fd);
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // No end that has nothing to wait for: its hang-up would be told again and again.
  std::array<pollfd, 2> Awaited() const {
    std::array<pollfd, 2> awaited{};
    for (size_t i = 0; i < 2; ++i) {
      const int events = (came_[i].empty() ? POLLIN : 0) | (came_[1 - i].empty() ? 0 : POLLOUT);
      awaited[i] = {events == 0 ? -1 : fds_[i], static_cast<short>(events), 0};
    }
    return awaited;
  }

  // False: an end has ended.
  bool Forward() { return Move(0) && Move(1); }

 private:
  static bool MayComeLater(ssize_t moved) {
    return moved < 0 && (errno == EAGAIN || errno == EINTR);
  }

  bool Move(size_t from) {
    std::string& came = came_[from];
    if (came.empty()) {
      came.resize(kChunk);
      const ssize_t got = recv(fds_[from], came.data(), came.size(), MSG_DONTWAIT);
      came.resize(got > 0 ? static_cast<size_t>(got) : 0);
      if (got <= 0) return MayComeLater(got);
    }
    const ssize_t sent =
        send(fds_[1 - from], came.data(), came.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return MayComeLater(sent);
    came.erase(0, static_cast<size_t>(sent));
    return true;
  }

  const std::array<int, 2> fds_;
  std::array<std::string, 2> came_;
};

Proxy::Proxy(uint16_t target) : target_(target), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listen_fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      listen(listen_fd_, SOMAXCONN) != 0) {
    std::perror("a proxy's port");
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

Proxy::~Proxy() {
  {
    MutexLock lock(mu_);
    closing_ = true;
  }
  eventfd_write(wake_fd_, 1);
  thread_.join();
  close(listen_fd_);
  close(wake_fd_);
}

void Proxy::SetMode(Mode mode) {
  MutexLock lock(mu_);
  wanted_ = mode;
  eventfd_write(wake_fd_, 1);
  while (mode_ != wanted_) changed_.Wait(mu_);
}

void Proxy::Run() {
  Mode mode = Mode::kOpen;
  while (TakeMode(&mode)) AwaitAndForward(mode);
  links_.clear();
}

bool Proxy::TakeMode(Mode* mode) {
  MutexLock lock(mu_);
  *mode = wanted_;
  if (*mode == Mode::kRefusing) links_.clear();
  mode_ = *mode;
  changed_.NotifyAll();
  return !closing_;
}

void Proxy::Accept(Mode mode) {
  const int near = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (near < 0) return;
  const int far = mode == Mode::kRefusing ? -1 : ConnectTo(target_);
  if (far < 0) return Reset(near);
  links_.emplace_back(near, far);
}

void Proxy::AwaitAndForward(Mode mode) {
  std::vector<pollfd> awaited = {{wake_fd_, POLLIN, 0}};
  if (mode != Mode::kSilent) {
    awaited.push_back({listen_fd_, POLLIN, 0});
    for (const Link& link : links_) {
      for (const pollfd& end : link.Awaited()) awaited.push_back(end);
    }
  }
  if (poll(awaited.data(), awaited.size(), -1) < 0) return;
  eventfd_t woken = 0;
  if (awaited[0].revents != 0) eventfd_read(wake_fd_, &woken);
  if (mode == Mode::kSilent) return;
  size_t at = 2;
  for (auto link = links_.begin(); link != links_.end(); at += 2) {
    const bool ready = awaited[at].revents != 0 || awaited[at + 1].revents != 0;
    link = ready && !link->Forward() ? links_.erase(link) : std::next(link);
  }
  if (awaited[1].revents != 0) Accept(mode);
}

}  // namespace kvstore::cluster
