#include "transfer/shm/socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "descriptor_limit.h"
#include "transfer/shm/frame.h"

namespace kvstore::transfer {
namespace {

constexpr int kListenBacklog = 512;
constexpr size_t kMaxFiles = 2;

struct Address {
  sockaddr_un name{};
  socklen_t length = 0;
};

Address AbstractAddress(std::string_view name) {
  const std::string full = "kvstore-" + std::string(name);
  Address address;
  address.name.sun_family = AF_UNIX;
  // A zero byte first makes it abstract: no file, nothing to be removed.
  const size_t size = std::min(full.size(), sizeof(address.name.sun_path) - 1);
  std::memcpy(address.name.sun_path + 1, full.data(), size);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
  return address;
}

Result<FileDescriptor> NewSocket() {
  FileDescriptor file(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (file.valid()) return file;
  return OpenError(StatusCode::kUnavailable, "no unix socket to be had", errno);
}

// Takes ownership of all files that came along, wanted or not.
std::vector<FileDescriptor> TakeFiles(msghdr* message) {
  std::vector<FileDescriptor> files;
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      files.emplace_back(fd);
    }
  }
  return files;
}

}  // namespace

Result<ShmSocket> ShmSocket::Listen(std::string_view name) {
  KVSTORE_ASSIGN_OR_RETURN(FileDescriptor file, NewSocket());
  const Address address = AbstractAddress(name);
  if (bind(file.get(), reinterpret_cast<const sockaddr*>(&address.name), address.length) != 0 ||
      listen(file.get(), kListenBacklog) != 0) {
    return UnavailableError(std::string("can't listen on a unix socket: ") + std::strerror(errno));
  }
  return ShmSocket(std::move(file));
}

Result<ShmSocket> ShmSocket::Connect(std::string_view name) {
  KVSTORE_ASSIGN_OR_RETURN(FileDescriptor file, NewSocket());
  const Address address = AbstractAddress(name);
  if (connect(file.get(), reinterpret_cast<const sockaddr*>(&address.name), address.length) != 0) {
    return UnavailableError(std::string("can't connect to the peer's unix socket (") +
                            std::strerror(errno) +
                            "): it has ended, or is in another network namespace");
  }
  return ShmSocket(std::move(file));
}

Result<ShmSocket> ShmSocket::Accept() const {
  FileDescriptor file(accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (file.valid()) return ShmSocket(std::move(file));
  return OpenError(StatusCode::kUnavailable, "none can be accepted", errno);
}

Result<ShmSocket::Credentials> ShmSocket::OtherEnd() const {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return UnavailableError(std::string("the other end is unknown: ") + std::strerror(errno));
  }
  return Credentials{.pid = credentials.pid, .uid = credentials.uid};
}

Status ShmSocket::CheckSameUser() const {
  KVSTORE_ASSIGN_OR_RETURN(const Credentials other, OtherEnd());
  if (other.uid == geteuid()) return Status::Ok();
  return FailedPreconditionError("memory is shared with processes of the same user only");
}

bool ShmSocket::Send(std::string_view packet, std::initializer_list<int> files) const {
  iovec bytes{const_cast<char*>(packet.data()), packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFiles * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (files.size() > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
    std::memcpy(CMSG_DATA(part), files.begin(), files.size() * sizeof(int));
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(packet.size());
}

Result<std::optional<Packet>> ShmSocket::Receive() const {
  std::array<char, kMaxPacketBytes> buffer;
  iovec bytes{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFiles * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(fd(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
      return std::optional<Packet>();
    }
    return UnavailableError(std::string("the connection broke: ") + std::strerror(errno));
  }
  Packet packet;
  packet.files = TakeFiles(&message);
  // An empty packet looks like the end; no peer of ours sends one.
  if (got == 0) return UnavailableError("closed by the peer");
  // The kernel has left out files: for want of descriptors, unless there were too many.
  if ((message.msg_flags & MSG_CTRUNC) != 0 && packet.files.size() < kMaxFiles) {
    return OpenError(StatusCode::kResourceExhausted, "files of the peer can't be taken", EMFILE);
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return InvalidArgumentError("a packet is longer than any, or brings too many files");
  }
  packet.bytes.assign(buffer.data(), static_cast<size_t>(got));
  return std::optional<Packet>(std::move(packet));
}

bool ShmSocket::WaitForPacket(TimePoint until) const {
  for (;;) {
    const Duration left =
        std::clamp<Duration>(until - BootClock::now(), Duration::zero(), std::chrono::hours(1));
    pollfd entry{.fd = fd(), .events = POLLIN, .revents = 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = poll(&entry, 1, static_cast<int>(milliseconds));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

void ShmSocket::Shutdown() const { (void)shutdown(fd(), SHUT_RDWR); }

}  // namespace kvstore::transfer
