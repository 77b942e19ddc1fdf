#ifndef KVSTORE_SRC_TRANSFER_TCP_SERVER_H_
#define KVSTORE_SRC_TRANSFER_TCP_SERVER_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/guards.h"
#include "transfer/registry.h"
#include "transfer/tcp/served_connection.h"
#include "transfer/tcp/socket.h"

namespace kvstore::transfer {

// The listening port, and all connections that it serves: a thread for each, at most as many as the
// limit says that serve (docs/decisions/0003-tcp-threads.md). At the limit, a new connection
// displaces the one that has been idle longest. Thread-safe.
class TcpServer final : public PathTable {
 public:
  struct Options {
    Incarnation incarnation;
    uint32_t max_incoming = 1024;
    ServedConnection::Timeouts timeouts;
    // What other way is asked about over these connections; may be empty.
    std::function<std::unique_ptr<SideService>()> side{};
    TransferGuards guards;
  };

  // Listens on `endpoint` from here on. `registry` outlives the server.
  static Result<std::unique_ptr<TcpServer>> Create(const Endpoint& endpoint, Registry& registry,
                                                   const Options& options);
  // Cuts all connections and waits until they are drained.
  ~TcpServer() override;

  const Endpoint& endpoint() const { return endpoint_; }
  ServedCounters served() const;

  // Hellos for another incarnation are refused from now on; when it returns, no connection that was
  // admitted before is served any more. One may not have ended yet, after twice the stall timeout,
  // for which a device refuses to cut off its writes: these stay counted.
  void Rename(const Incarnation& incarnation);

  Status Admit(const Hello& hello, ServedConnection& connection) override;
  Status CutPath(uint64_t id, const ServedConnection& asker) override;
  std::unique_ptr<SideService> NewSideService() override EXCLUDES(mu_);
  bool EndsWithin(Duration duration) override EXCLUDES(mu_);

 private:
  struct Path {
    Path(Socket socket, TcpServer& server);
    ServedConnection connection;
    uint64_t id = 0;        // 0: no hello yet
    bool finished = false;  // Run has returned
    std::thread thread;
  };

  TcpServer(Socket listener, const Endpoint& endpoint, int wake_fd, Registry& registry,
            const Options& options);

  void AcceptAll();
  void AcceptOne();
  // At the limit, ends one connection. False: none of them is idle.
  bool MakeRoom() EXCLUDES(mu_);
  bool DisplaceOne() REQUIRES(mu_);
  // Connections that serve nothing more, for which a device refuses to close what it has: they take
  // no other's place.
  size_t CountLingering() const REQUIRES(mu_);
  void Start(Socket socket);
  void JoinFinished();
  void Wake() const;
  Path* FindPath(uint64_t id) REQUIRES(mu_);

  const Socket listener_;
  const Endpoint endpoint_;
  const int wake_fd_;  // an eventfd, for the accepting thread
  Registry& registry_;
  const Options options_;
  ServedTotals totals_;

  Mutex mu_;
  CondVar path_changed_;
  Incarnation incarnation_ GUARDED_BY(mu_);
  std::list<std::unique_ptr<Path>> paths_ GUARDED_BY(mu_);
  bool ending_ GUARDED_BY(mu_) = false;

  std::thread acceptor_;  // joined by the destructor
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_SERVER_H_
