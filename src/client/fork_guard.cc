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

}  // namespace

ForkGuard::ForkGuard() : maker_(getpid()), alive_(MapPageEmptiedOnFork()) {}

ForkGuard::~ForkGuard() {
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
                                 "; create a client of its own in the child");
}

}  // namespace kvstore::client
