#include "client/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <string>

namespace kvstore::client {
namespace {

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

std::atomic<int>* MapPageEmptiedOnFork() {
  void* const page =
      mmap(nullptr, PageBytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, PageBytes(), MADV_WIPEONFORK) != 0) {
    munmap(page, PageBytes());
    return nullptr;
  }
  return new (page) std::atomic<int>(1);
}

// Clients alive in the process that made them, and which process that is. A child has the copy of
// its parent's.
std::atomic<int> alive_clients{0};
std::atomic<pid_t> their_process{0};

}  // namespace

Status ForkGuard::CheckMayConnect() {
  if (alive_clients == 0 || their_process == getpid()) return Status::Ok();
  return FailedPreconditionError(
      "process " + std::to_string(getpid()) + " was forked from process " +
      std::to_string(their_process) +
      " while that had a client, and gRPC does not work in such a child: fork before the first "
      "client is made, or start the child by exec (in Python: multiprocessing's \"spawn\")");
}

ForkGuard::ForkGuard() : maker_(getpid()), alive_(MapPageEmptiedOnFork()) {
  ++alive_clients;
  their_process = maker_;
}

ForkGuard::~ForkGuard() {
  if (getpid() == maker_) --alive_clients;
  if (alive_ != nullptr) munmap(alive_, PageBytes());
}

bool ForkGuard::InChild() const {
  if (alive_ != nullptr) return alive_->load(std::memory_order_relaxed) == 0;
  return getpid() != maker_;
}

Status ForkGuard::Check() const {
  if (!InChild()) return Status::Ok();
  return FailedPreconditionError("this client was made by process " + std::to_string(maker_) +
                                 " before it forked process " + std::to_string(getpid()) +
                                 "; fork before the first client is made, or start the child by "
                                 "exec");
}

}  // namespace kvstore::client
