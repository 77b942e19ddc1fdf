#include "cluster/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace kvstore::cluster {
namespace {

// Below 32768, from which Linux by default gives ports to connections and to who asks for port 0,
// and above 17000, to which Mooncake's stores take them at random: of those, one that is free now
// may be somebody's by the time that it is listened on. python/tests/ports.py knows of these
// blocks.
constexpr int kFirst = 17408;
constexpr int kEnd = 32768;
constexpr int kBlock = 32;
constexpr int kBlocks = (kEnd - kFirst) / kBlock;

// A socket bound to that port of loopback; -1 if it isn't free.
int Bind(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// Who holds a block's first port, as long as it lives, gives out the others. The next one's first.
int NextBlock() {
  static int tried = 0;
  while (tried < kBlocks) {
    const int first = kFirst + (getpid() + tried++) % kBlocks * kBlock;
    if (Bind(first) >= 0) return first;
  }
  throw std::runtime_error("no port can be had between " + std::to_string(kFirst) + " and " +
                           std::to_string(kEnd) + ": " + std::strerror(errno));
}

}  // namespace

uint16_t FreePort() {
  static int port = 0;
  for (;;) {
    port = port % kBlock == kBlock - 1 || port == 0 ? NextBlock() + 1 : port + 1;
    const int probe = Bind(port);
    if (probe >= 0) {
      close(probe);
      return static_cast<uint16_t>(port);
    }
  }
}

}  // namespace kvstore::cluster
