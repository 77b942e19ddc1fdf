#ifndef KVSTORE_TESTS_FUZZ_SOCKET_PAIR_H_
#define KVSTORE_TESTS_FUZZ_SOCKET_PAIR_H_

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "fuzz/target.h"

namespace kvstore::fuzz {

// A connection whose other end says what an input holds, all at once, and nothing more. Confined to
// one thread: what goes either way must fit into a socket's buffer.
class SocketPair {
 public:
  explicit SocketPair(int type) {
    Expect(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_) == 0,
           "the test has sockets");
  }
  ~SocketPair() {
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  // The end to be tested; the caller closes it.
  int Release() { return std::exchange(fds_[0], -1); }

  void Say(std::string_view bytes) {
    const ssize_t sent = bytes.empty() ? 0 : write(fds_[1], bytes.data(), bytes.size());
    Expect(sent == static_cast<ssize_t>(bytes.size()), "the test's input fits into a socket");
    shutdown(fds_[1], SHUT_WR);
  }
  // All that has come until now.
  std::string Hear() {
    std::string heard;
    char buffer[16384];
    for (ssize_t got; (got = read(fds_[1], buffer, sizeof(buffer))) > 0;) {
      heard.append(buffer, static_cast<size_t>(got));
    }
    return heard;
  }

 private:
  int fds_[2];
};

}  // namespace kvstore::fuzz

#endif  // KVSTORE_TESTS_FUZZ_SOCKET_PAIR_H_
