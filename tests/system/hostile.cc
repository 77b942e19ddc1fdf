#include "system/hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "kvstore/clock.h"

namespace kvstore::cluster {
namespace {

// As the kernel's tables show 127.0.0.1, ::1 and ::ffff:127.0.0.1 on a little-endian machine.
bool IsLoopback(std::string_view address) {
  return address == "0100007F" || address == "00000000000000000000000001000000" ||
         address == "0000000000000000FFFF00000100007F";
}

// What is listened on, of a kernel's table, through one of these sockets.
void AddListening(std::istream& table, const std::set<std::string>& sockets,
                  std::vector<Listener>* listeners) {
  constexpr std::string_view kListening = "0A";
  std::string line;
  std::getline(table, line);  // the heading
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    if (state != kListening || !sockets.contains(inode)) continue;
    const size_t colon = local.find(':');
    const std::string port = local.substr(colon + 1);
    listeners->push_back({IsLoopback(std::string_view(local).substr(0, colon)),
                          static_cast<uint16_t>(std::stoul(port, nullptr, 16))});
  }
}

}  // namespace

std::vector<Listener> Listeners(pid_t pid) {
  const std::filesystem::path proc = "/proc/" + std::to_string(pid);
  std::set<std::string> sockets;
  for (const auto& fd : std::filesystem::directory_iterator(proc / "fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(fd.path(), gone).string();
    if (target.starts_with("socket:[")) sockets.insert(target.substr(8, target.size() - 9));
  }
  std::vector<Listener> listeners;
  for (const char* family : {"net/tcp", "net/tcp6"}) {
    std::ifstream table(proc / family);
    AddListening(table, sockets, &listeners);
  }
  return listeners;
}

HostileConnection::HostileConnection(uint16_t port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

HostileConnection::~HostileConnection() {
  if (fd_ >= 0) close(fd_);
}

bool HostileConnection::Send(std::string_view bytes) {
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent >= 0 || errno == EAGAIN;
}

bool HostileConnection::ClosedByPeerWithin(int seconds) {
  const TimePoint until = BootClock::now() + std::chrono::seconds(seconds);
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - BootClock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 4096> answer{};
    const ssize_t got = recv(fd_, answer.data(), answer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return true;
  }
}

}  // namespace kvstore::cluster
