#include "transfer/tcp/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace kvstore::transfer {
namespace {

// How long CutPath waits for the other connection's thread; it takes a step or two.
constexpr Duration kDrainTimeout = std::chrono::seconds(1);

}  // namespace

TcpServer::Path::Path(Socket socket, TcpServer& server)
    : connection(std::move(socket), server, server.registry_, server.totals_,
                 server.options_.timeouts) {}

Result<std::unique_ptr<TcpServer>> TcpServer::Create(const Endpoint& endpoint, Registry& registry,
                                                     const Options& options) {
  KVSTORE_ASSIGN_OR_RETURN(Socket listener, Socket::Listen(endpoint));
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint bound, Endpoint::OfSocket(listener.fd()));
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) return UnavailableError(std::string("no eventfd: ") + std::strerror(errno));
  return std::unique_ptr<TcpServer>(
      new TcpServer(std::move(listener), bound, wake_fd, registry, options));
}

TcpServer::TcpServer(Socket listener, const Endpoint& endpoint, int wake_fd, Registry& registry,
                     const Options& options)
    : listener_(std::move(listener)),
      endpoint_(endpoint),
      wake_fd_(wake_fd),
      registry_(registry),
      options_(options),
      incarnation_(options.incarnation) {
  acceptor_ = std::thread([this] { AcceptAll(); });
}

TcpServer::~TcpServer() {
  {
    MutexLock lock(mu_);
    ending_ = true;
  }
  Wake();
  acceptor_.join();
  listener_.Shutdown();
  std::list<std::unique_ptr<Path>> paths;
  {
    MutexLock lock(mu_);
    for (const auto& path : paths_) path->connection.Cut();
    path_changed_.NotifyAll();
    for (const auto& path : paths_) {
      while (!path->finished) path_changed_.Wait(mu_);
    }
    paths.swap(paths_);
  }
  for (const auto& path : paths) path->thread.join();
  close(wake_fd_);
}

ServedCounters TcpServer::served() const {
  return {.reads = totals_.reads,
          .writes = totals_.writes,
          .bytes = totals_.bytes,
          .refused_before = totals_.refused_before,
          .refused_after = totals_.refused_after,
          .bad_connections = totals_.bad_connections};
}

void TcpServer::Wake() const {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then the thread is awake anyway.
  (void)!write(wake_fd_, &one, sizeof(one));
}

void TcpServer::AcceptAll() {
  for (;;) {
    std::array<pollfd, 2> fds = {pollfd{.fd = listener_.fd(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = wake_fd_, .events = POLLIN, .revents = 0}};
    poll(fds.data(), fds.size(), -1);
    uint64_t wakes = 0;
    (void)!read(wake_fd_, &wakes, sizeof(wakes));
    {
      MutexLock lock(mu_);
      if (ending_) return;
    }
    JoinFinished();
    if (fds[0].revents != 0) AcceptOne();
  }
}

void TcpServer::AcceptOne() {
  const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The connection stays in the backlog: give others time to close something.
      WaitReady(wake_fd_, POLLIN, kWaitStep);
    }
    return;
  }
  Socket socket(fd);
  socket.PrepareConnection();
  if (!MakeRoom()) {
    // One that has just answered is about to be idle, or to end.
    WaitReady(wake_fd_, POLLIN, kWaitStep);
    if (!MakeRoom()) {
      ++totals_.bad_connections;
      return;  // closes it
    }
  }
  Start(std::move(socket));
}

bool TcpServer::MakeRoom() {
  JoinFinished();
  {
    MutexLock lock(mu_);
    if (paths_.size() - CountLingering() < options_.max_incoming) return true;
    if (!DisplaceOne()) return false;
  }
  JoinFinished();
  return true;
}

size_t TcpServer::CountLingering() const {
  return static_cast<size_t>(std::count_if(paths_.begin(), paths_.end(), [](const auto& path) {
    return !path->finished && path->connection.is_over();
  }));
}

bool TcpServer::DisplaceOne() {
  const TimePoint until = BootClock::now() + kDrainTimeout;
  for (;;) {
    Path* longest = nullptr;
    std::optional<TimePoint> since;
    for (const auto& path : paths_) {
      if (path->finished) return true;
      const std::optional<TimePoint> idle = path->connection.idle_since();
      if (!idle || (since && *since <= *idle)) continue;
      longest = path.get();
      since = idle;
    }
    if (longest == nullptr) return false;
    if (!longest->connection.CutIfIdleSince(*since)) continue;  // a request came; find another
    while (!longest->finished && BootClock::now() < until) path_changed_.WaitUntil(mu_, until);
    return longest->finished;
  }
}

void TcpServer::Start(Socket socket) {
  auto owned = std::make_unique<Path>(std::move(socket), *this);
  Path* const path = owned.get();
  MutexLock lock(mu_);
  try {
    path->thread = std::thread([this, path] {
      path->connection.Run();
      {
        MutexLock inner(mu_);
        path->finished = true;
        path_changed_.NotifyAll();
      }
      Wake();
    });
  } catch (const std::system_error&) {
    ++totals_.bad_connections;  // the machine has no thread left for it
    return;
  }
  paths_.push_back(std::move(owned));
}

void TcpServer::JoinFinished() {
  std::list<std::unique_ptr<Path>> finished;
  {
    MutexLock lock(mu_);
    for (auto it = paths_.begin(); it != paths_.end();) {
      const auto next = std::next(it);
      if ((*it)->finished) finished.splice(finished.end(), paths_, it);
      it = next;
    }
  }
  for (const auto& path : finished) path->thread.join();
}

TcpServer::Path* TcpServer::FindPath(uint64_t id) {
  for (const auto& path : paths_) {
    if (path->id == id && !path->finished) return path.get();
  }
  return nullptr;
}

Status TcpServer::Admit(const Hello& hello, ServedConnection& connection) {
  if (hello.version != kProtocolVersion) {
    return FailedPreconditionError("this peer speaks version " + std::to_string(kProtocolVersion) +
                                   " of the transfer protocol, the caller " +
                                   std::to_string(hello.version) + "; update the older one");
  }
  MutexLock lock(mu_);
  if (hello.wanted != incarnation_ && options_.guards.check_incarnation) {
    return UnavailableError("incarnation " + hello.wanted.ToString() +
                            " is gone; this address now belongs to " + incarnation_.ToString());
  }
  if (FindPath(hello.connection_id) != nullptr) {
    return UnavailableError("a connection of this id is being served; draw another");
  }
  for (const auto& path : paths_) {
    if (&path->connection == &connection) path->id = hello.connection_id;
  }
  return Status::Ok();
}

Status TcpServer::CutPath(uint64_t id, const ServedConnection& asker) {
  const TimePoint until = BootClock::now() + kDrainTimeout;
  MutexLock lock(mu_);
  for (;;) {
    Path* const path = FindPath(id);
    if (path == nullptr) return Status::Ok();
    if (&path->connection == &asker) return InvalidArgumentError("a path can't close itself");
    path->connection.Cut();
    // Two that cut each other: being cut ends the asking, too.
    if (asker.was_cut()) return UnavailableError("this path is being closed itself");
    if (BootClock::now() >= until)
      return UnavailableError("that path isn't drained yet; ask again");
    path_changed_.WaitUntil(mu_, until);
  }
}

std::unique_ptr<SideService> TcpServer::NewSideService() {
  if (!options_.side) return nullptr;
  {
    MutexLock lock(mu_);
    if (CountLingering() >= options_.max_incoming) return nullptr;
  }
  return options_.side();
}

bool TcpServer::EndsWithin(Duration duration) {
  MutexLock lock(mu_);
  if (!ending_) path_changed_.WaitUntil(mu_, BootClock::now() + duration);
  return ending_;
}

void TcpServer::Rename(const Incarnation& incarnation) {
  MutexLock lock(mu_);
  incarnation_ = incarnation;
  std::vector<uint64_t> admitted;
  for (const auto& path : paths_) {
    if (path->id == 0) continue;  // its hello will be checked against the new name
    path->connection.Cut();
    admitted.push_back(path->id);
  }
  path_changed_.NotifyAll();
  const TimePoint until = BootClock::now() + 2 * options_.timeouts.stall;
  for (const uint64_t id : admitted) {
    while (FindPath(id) != nullptr && BootClock::now() < until) {
      path_changed_.WaitUntil(mu_, until);
    }
  }
}

}  // namespace kvstore::transfer
