#include "transfer/shm/server.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "transfer/shm/frame.h"

namespace kvstore::transfer {
namespace {

// How often it looks at processes whose connection has ended, and that can't tell any more.
constexpr Duration kLookStep = std::chrono::milliseconds(50);
// Connections that may be on their way to a hello, besides those that were admitted; and how many
// are accepted before others have their turn.
constexpr size_t kMaxGreeting = 64;
constexpr Duration kFar = std::chrono::minutes(10);

// Answers a hello that may not be there yet.
void Refuse(const ShmSocket& socket, const Status& why) {
  (void)socket.Send(Encode(ShmHelloReply{.code = why.code(), .message = why.message()}));
  socket.Shutdown();
  // Closed with something unread, the other end would learn of a broken connection only. Nothing
  // can come any more.
  for (;;) {
    const Result<std::optional<Packet>> unread = socket.Receive();
    if (!unread.ok() || !*unread) return;
  }
}

}  // namespace

Result<std::unique_ptr<ShmServer>> ShmServer::Create(const Options& options) {
  KVSTORE_ASSIGN_OR_RETURN(ShmSocket listener, ShmSocket::Listen(options.name));
  FileDescriptor wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return UnavailableError(std::string("no eventfd: ") + std::strerror(errno));
  return std::unique_ptr<ShmServer>(new ShmServer(std::move(listener), std::move(wake), options));
}

ShmServer::ShmServer(ShmSocket listener, FileDescriptor wake, const Options& options)
    : listener_(std::move(listener)),
      wake_(std::move(wake)),
      options_(options),
      incarnation_(options.incarnation) {
  thread_ = std::thread([this] { Work(); });
}

ShmServer::~ShmServer() {
  {
    MutexLock lock(mu_);
    ending_ = true;
  }
  Wake();
  thread_.join();
  const std::vector<RegionId> ids = regions_.Ids();
  for (const RegionId id : ids) regions_.Close(id);
  {
    MutexLock lock(mu_);
    for (const auto& path : paths_) path->Cut();
  }
  const TimePoint until = BootClock::now() + options_.stall_timeout;
  for (const RegionId id : ids) WaitForCopies(id, until);
}

void ShmServer::Wake() const {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then the thread is awake anyway.
  (void)!write(wake_.get(), &one, sizeof(one));
}

Status ShmServer::Share(RegionId id, const SharedMemory& memory, RegionGuard* guard) {
  return regions_.Add(id, memory, guard);
}

void ShmServer::Unshare(RegionId id) {
  regions_.Close(id);
  WaitForCopies(id, BootClock::now() + options_.stall_timeout);
  regions_.Remove(id);
}

void ShmServer::WaitForCopies(RegionId id, TimePoint until) {
  MutexLock lock(mu_);
  for (;;) {
    std::vector<Stretch> copies;
    AppendTouched(SlotKind::kCopy, id, &copies);
    if (copies.empty() || BootClock::now() >= until) return;
    left_.WaitUntil(mu_, std::min(until, BootClock::now() + kLookStep));
  }
}

std::vector<Stretch> ShmServer::Touched(RegionId id) {
  std::vector<Stretch> touched;
  {
    MutexLock lock(mu_);
    AppendTouched(SlotKind::kCopy, id, &touched);
    AppendTouched(SlotKind::kMapping, id, &touched);
  }
  // Whatever stands in a ledger: only parts of the region are named.
  const uint64_t size = regions_.SizeOf(id);
  std::vector<Stretch> within;
  for (const Stretch& stretch : touched) {
    if (stretch.offset >= size || stretch.length == 0) continue;
    within.push_back(
        {.offset = stretch.offset, .length = std::min(stretch.length, size - stretch.offset)});
  }
  return within;
}

void ShmServer::AppendTouched(SlotKind kind, RegionId id, std::vector<Stretch>* touched) {
  for (const auto& path : paths_) path->AppendTouched(kind, id, touched);
}

void ShmServer::Rename(const Incarnation& incarnation) {
  MutexLock lock(mu_);
  incarnation_ = incarnation;
  for (const auto& path : paths_) {
    if (path->admitted()) path->Cut();
  }
}

Status ShmServer::Admit(const ShmHello& hello) {
  if (hello.version != kShmVersion) {
    return FailedPreconditionError("this peer shares memory by version " +
                                   std::to_string(kShmVersion) + ", the caller by " +
                                   std::to_string(hello.version) + "; update the older one");
  }
  if (hello.wanted != incarnation_ && options_.guards.check_incarnation) {
    return FailedPreconditionError("incarnation " + hello.wanted.ToString() +
                                   " is gone; this socket now belongs to " +
                                   incarnation_.ToString());
  }
  if (CountAdmitted() >= options_.max_peers) {
    return ResourceExhaustedError("this peer shares memory with " +
                                  std::to_string(options_.max_peers) +
                                  " processes already, as many as it may (shm_max_peers)");
  }
  return Status::Ok();
}

size_t ShmServer::CountAdmitted() const {
  return static_cast<size_t>(std::count_if(paths_.begin(), paths_.end(),
                                           [](const auto& path) { return path->admitted(); }));
}

void ShmServer::AddTo(ServedCounters* counters) {
  MutexLock lock(mu_);
  counters->shm_peers += CountAdmitted();
  counters->shm_refused += refused_;
}

void ShmServer::Work() {
  for (;;) {
    Watched watched;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      watched = Watch();
    }
    const Duration wait = std::max<Duration>(watched.until - BootClock::now(), Duration::zero());
    poll(watched.fds.data(), watched.fds.size(),
         static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
    uint64_t wakes = 0;
    (void)!read(wake_.get(), &wakes, sizeof(wakes));
    bool left = false;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      left = React(watched);
      if (left) left_.NotifyAll();
    }
    if (left) regions_.CallOthersLeft();
  }
}

ShmServer::Watched ShmServer::Watch() {
  const TimePoint now = BootClock::now();
  Watched watched{.fds = {}, .owners = {}, .until = now + kFar};
  const auto add = [&](int fd, ShmServedConnection* owner) {
    watched.fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    watched.owners.push_back(owner);
  };
  add(wake_.get(), nullptr);
  if (now >= accept_from_) {
    add(listener_.fd(), nullptr);
  } else {
    watched.until = std::min(watched.until, accept_from_);
  }
  for (const auto& path : paths_) {
    if (path->connected()) add(path->socket_fd(), path.get());
    if (path->admitted()) add(path->process_fd(), path.get());
    if (!path->connected()) watched.until = std::min(watched.until, now + kLookStep);
    if (!path->admitted()) watched.until = std::min(watched.until, path->hello_until());
  }
  return watched;
}

bool ShmServer::React(const Watched& watched) {
  bool left = false;
  for (size_t i = 0; i < watched.fds.size(); ++i) {
    const pollfd& entry = watched.fds[i];
    ShmServedConnection* const owner = watched.owners[i];
    if (entry.revents == 0) continue;
    if (owner == nullptr) {
      if (entry.fd == listener_.fd() && AcceptAll()) left = true;
    } else if (entry.fd == owner->process_fd()) {
      owner->NoteEndOfProcess();
    } else if (ServeOne(*owner)) {
      left = true;
    }
  }
  return DropWhatIsOver() || left;
}

bool ShmServer::ServeOne(ShmServedConnection& path) {
  bool left = false;
  const bool was_admitted = path.admitted();
  const Status status = path.Serve(*this, regions_, &left);
  if (status.ok()) return left;
  // Unavailable: it ended as connections do.
  if (!was_admitted && status.code() != StatusCode::kUnavailable) ++refused_;
  path.EndConnection();
  return left;
}

bool ShmServer::DropWhatIsOver() {
  bool left = false;
  const TimePoint now = BootClock::now();
  for (auto it = paths_.begin(); it != paths_.end();) {
    const auto next = std::next(it);
    ShmServedConnection& path = **it;
    if (!path.admitted() && path.connected() && now >= path.hello_until()) {
      ++refused_;
      path.EndConnection();
    }
    bool over = path.process_ended();
    if (!over && !path.connected()) {
      bool none = false;
      if (path.WithdrewSome(&none) && path.admitted()) left = true;
      over = none || !options_.guards.ledger_outlives_socket;
    }
    if (over) {
      left = left || path.admitted();
      paths_.erase(it);
    }
    it = next;
  }
  return left;
}

bool ShmServer::AcceptAll() {
  bool left = false;
  for (size_t i = 0; i < kMaxGreeting; ++i) {
    Result<ShmSocket> accepted = listener_.Accept();
    if (!accepted.ok()) {
      // The connection stays in the backlog: give others time to close something.
      if (accepted.status().code() == StatusCode::kResourceExhausted) {
        accept_from_ = BootClock::now() + kLookStep;
      }
      return left;
    }
    // Before it takes a place: other users' silence must keep none of ours out.
    if (const Status ours = accepted->CheckSameUser(); !ours.ok()) {
      ++refused_;
      Refuse(*accepted, ours);
      continue;  // closes it
    }
    if (paths_.size() - CountAdmitted() >= kMaxGreeting) {
      ++refused_;
      continue;  // closes it
    }
    paths_.push_back(std::make_unique<ShmServedConnection>(
        *std::move(accepted), BootClock::now() + options_.hello_timeout));
    // Mostly the hello is there already, and its sender keeps nobody else out.
    if (ServeOne(*paths_.back())) left = true;
  }
  return left;
}

}  // namespace kvstore::transfer
