#ifndef KVSTORE_SRC_TRANSFER_SHM_SOCKET_H_
#define KVSTORE_SRC_TRANSFER_SHM_SOCKET_H_

#include <sys/types.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "transfer/shm/file_descriptor.h"

namespace kvstore::transfer {

// A packet, and the files that came with it.
struct Packet {
  std::string bytes;
  std::vector<FileDescriptor> files;
};

// Owns one non-blocking unix socket of packets, closed on exec; never raises SIGPIPE. Its name, if
// it listens, is an abstract one, which exists in its network namespace only, and goes with it.
// Shutdown, and one sender and one receiver, may come from different threads.
class ShmSocket {
 public:
  // Whom the kernel names as the other end.
  struct Credentials {
    pid_t pid = 0;  // 0: in another pid namespace
    uid_t uid = 0;
  };

  // `name`: as PeerDescriptor::shm_socket.
  static Result<ShmSocket> Listen(std::string_view name);
  static Result<ShmSocket> Connect(std::string_view name);
  // A connection that waits to be accepted. unavailable: none does; resource_exhausted: this
  // process, or the machine, has no file descriptor left for it.
  Result<ShmSocket> Accept() const;

  int fd() const { return file_.get(); }
  Result<Credentials> OtherEnd() const;
  // failed_precondition: the other end is another user's, who shares none of our rights.
  Status CheckSameUser() const;

  // False: not sent, since the other end has gone, or takes nothing at the moment.
  bool Send(std::string_view packet, std::initializer_list<int> files = {}) const;
  // Nothing: no packet is there now. An error: the connection has ended, or what came is longer
  // than any packet, or brings more files than any.
  Result<std::optional<Packet>> Receive() const;
  // Whether a packet, or the end of the connection, came by then.
  bool WaitForPacket(TimePoint until) const;

  // Ends both directions, for forked children that hold the socket too.
  void Shutdown() const;

 private:
  explicit ShmSocket(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SOCKET_H_
