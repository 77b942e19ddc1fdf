#ifndef KVSTORE_TESTS_SYSTEM_HOSTILE_H_
#define KVSTORE_TESTS_SYSTEM_HOSTILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvstore::cluster {

// Where that process listens for TCP, as the kernel says.
struct Listener {
  bool loopback = false;  // only this machine reaches it
  uint16_t port = 0;
};
std::vector<Listener> Listeners(pid_t pid);

// A connection to a port of loopback that behaves badly. Confined to one thread.
class HostileConnection {
 public:
  explicit HostileConnection(uint16_t port);
  ~HostileConnection();
  HostileConnection(const HostileConnection&) = delete;
  HostileConnection& operator=(const HostileConnection&) = delete;

  bool connected() const { return fd_ >= 0; }
  // Sends what the peer takes without blocking; false once the peer has closed.
  bool Send(std::string_view bytes);
  // Whether the peer ends the connection within `seconds`.
  bool ClosedByPeerWithin(int seconds);

 private:
  int fd_ = -1;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_HOSTILE_H_
