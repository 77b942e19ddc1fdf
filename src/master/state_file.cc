#include "master/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "descriptor_limit.h"
#include "master/reign_text.h"

namespace kvstore::master {
namespace {

// A member's line is below 100 bytes, its name included, and there are 65 536 at most.
constexpr size_t kMaxBytes = 64u << 20;

// Closes its descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// To be called before anything else touches errno.
Status Failed(const std::string& what, const std::string& path) {
  const int reason = errno;
  std::string_view remedy = "; name a file with --state_file that can be written, or 'none'";
  if (reason == ENOSPC || reason == EDQUOT) remedy = "; make room there";
  if (IsOutOfDescriptors(reason)) remedy = "; raise the limit (LimitNOFILE of a unit, ulimit -n)";
  return UnavailableError("cannot " + what + " " + path + ": " + std::strerror(reason) +
                          std::string(remedy));
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  for (;;) {
    char buffer[65536];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("read", path);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxBytes) return FailedPreconditionError(path + " is larger than 64 MiB");
  }
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

// The descriptor of PATH.lock, locked for this process.
Result<int> Lock(const std::string& path) {
  const std::string name = path + ".lock";
  Descriptor lock(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.ok()) return Failed("open", name);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", name);
    KVSTORE_ASSIGN_OR_RETURN(std::string owner, ReadAll(lock.get(), name));
    owner = owner.substr(0, owner.find('\n'));
    return FailedPreconditionError(
        path + " is in use by another kvstore_master" +
        (owner.empty() ? std::string() : " (process " + owner + ")") +
        "; one pool has one master: end that one, or name another --state_file");
  }
  if (ftruncate(lock.get(), 0) != 0 || !WriteAll(lock.get(), std::to_string(getpid()) + "\n")) {
    return Failed("write", name);
  }
  return lock.Release();
}

// What the file says; nothing: there is none.
Result<std::optional<Reign>> Read(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok() && errno == ENOENT) return std::optional<Reign>();
  if (!file.ok()) return Failed("open", path);
  KVSTORE_ASSIGN_OR_RETURN(const std::string text, ReadAll(file.get(), path));
  const Result<Reign> reign = ParseReign(text);
  if (reign.ok()) return std::optional<Reign>(*reign);
  return Status(reign.status().code(),
                path + " can't be used: " + reign.status().message() +
                    "; restore it from a copy, or name another --state_file; moved away, a new "
                    "pool begins, and every node empties itself");
}

void AddMember(const Reign::Member& member, Reign* reign) {
  const bool known = std::any_of(
      reign->members.begin(), reign->members.end(),
      [&member](const Reign::Member& other) { return other.incarnation == member.incarnation; });
  if (!known) reign->members.push_back(member);
}

}  // namespace

Result<std::unique_ptr<StateFile>> StateFile::Open(const std::string& path) {
  std::error_code made;
  std::filesystem::create_directories(FolderOf(path), made);
  if (made) {
    errno = made.value();
    return Failed("make", FolderOf(path));
  }
  KVSTORE_ASSIGN_OR_RETURN(const int lock, Lock(path));
  Descriptor held(lock);
  KVSTORE_ASSIGN_OR_RETURN(std::optional<Reign> found, Read(path));
  return std::unique_ptr<StateFile>(new StateFile(path, held.Release(), std::move(found)));
}

StateFile::StateFile(std::string path, int lock, std::optional<Reign> found)
    : path_(std::move(path)), lock_(lock), kept_(std::move(found)) {}

StateFile::~StateFile() {
  Close();
  close(lock_);
}

Result<Reign> StateFile::Begin(Incarnation new_pool, Duration longest_lease) {
  MutexLock lock(mu_);
  Reign next = kept_.value_or(Reign{new_pool, 0, {}, {}});
  ++next.term;
  next.longest_lease = std::max(next.longest_lease, longest_lease);
  KVSTORE_RETURN_IF_ERROR(Write(next));
  kept_ = next;
  ++writes_;
  thread_ = std::thread([this] { Run(); });
  return next;
}

void StateFile::Admit(const Reign::Member& member, Done done) {
  Ask({member, {}, std::move(done)});
}

void StateFile::Strike(std::vector<Incarnation> nodes, Done done) {
  Ask({std::nullopt, std::move(nodes), std::move(done)});
}

void StateFile::Ask(Change change) {
  {
    MutexLock lock(mu_);
    if (!closing_) {
      asked_.push_back(std::move(change));
      changed_.NotifyOne();
      return;
    }
  }
  change.done(UnavailableError("the master is shutting down"));
}

void StateFile::Close() {
  {
    MutexLock lock(mu_);
    closing_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

uint64_t StateFile::writes() const {
  MutexLock lock(mu_);
  return writes_;
}

void StateFile::Run() {
  bool in_doubt = false;
  for (;;) {
    std::vector<Change> changes;
    Reign before;
    {
      MutexLock lock(mu_);
      while (asked_.empty() && !closing_) changed_.Wait(mu_);
      if (asked_.empty()) return;
      changes.swap(asked_);
      before = *kept_;
    }
    Reign next = before;
    for (const Change& change : changes) {
      if (change.admit) AddMember(*change.admit, &next);
      for (const Incarnation node : change.strike) {
        std::erase_if(next.members, [node](const auto& m) { return m.incarnation == node; });
      }
    }
    // One that failed half way may have been written all the same.
    const bool news = in_doubt || next.members != before.members;
    const Status status = news ? Write(next) : Status::Ok();
    in_doubt = !status.ok();
    if (news && status.ok()) {
      MutexLock lock(mu_);
      kept_ = std::move(next);
      ++writes_;
    }
    for (const Change& change : changes) change.done(status);
  }
}

Status StateFile::Write(const Reign& reign) const {
  const std::string beside = path_ + ".new";
  const std::string folder = FolderOf(path_);
  const Descriptor in(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!in.ok()) return Failed("open", folder);
  Descriptor file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.ok()) return Failed("open", beside);
  if (!WriteAll(file.get(), ToText(reign)) || fsync(file.get()) != 0) {
    const Status failed = Failed("write", beside);
    unlink(beside.c_str());  // a part of it takes room that others may need
    return failed;
  }
  if (close(file.Release()) != 0) return Failed("write", beside);
  if (rename(beside.c_str(), path_.c_str()) != 0) return Failed("replace", path_);
  if (fsync(in.get()) != 0) return Failed("sync", folder);
  return Status::Ok();
}

}  // namespace kvstore::master
