#ifndef KVSTORE_SRC_MASTER_ACCEPTOR_H_
#define KVSTORE_SRC_MASTER_ACCEPTOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "kvstore/clock.h"
#include "kvstore/result.h"

namespace kvstore::master {

// A TCP port, and a thread that accepts what connects to it. gRPC would do it itself, but gives the
// port up for good when it once finds no descriptor free (its version 1.51 does).
//
// The last descriptors that this process may have are kept for its state file: a connection that
// would take one of them is closed at once. Where others, as those of the HTTP port do, have taken
// even those, connections wait to be accepted. Both are logged, at a limited rate, and end when
// descriptors are free again.
// Thread-compatible.
class Acceptor {
 public:
  // Gets a connection that does not block, and closes it.
  using Take = std::function<void(int descriptor)>;

  // `address` is numeric; port 0: any that is free. unavailable, with reason and remedy.
  static Result<std::unique_ptr<Acceptor>> Listen(const std::string& address, uint16_t port);

  // Waits for the last call of what Start was given.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  uint16_t port() const { return port_; }
  // Once; until then connections wait. `refused` is called for each one that was closed for want of
  // descriptors.
  void Start(Take take, std::function<void()> refused);

 private:
  Acceptor(int listener, int wake, uint16_t port) : listener_(listener), wake_(wake), port_(port) {}

  void Run();
  // Returns when nobody waits any more, or none can be accepted now.
  void AcceptAll();
  void Complain(const std::string& what);

  const int listener_;
  const int wake_;  // readable: the thread is to end
  const uint16_t port_;
  Take take_;
  std::function<void()> refused_;
  TimePoint complain_again_{};  // confined to thread_
  std::thread thread_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ACCEPTOR_H_
