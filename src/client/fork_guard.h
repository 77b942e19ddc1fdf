#ifndef KVSTORE_SRC_CLIENT_FORK_GUARD_H_
#define KVSTORE_SRC_CLIENT_FORK_GUARD_H_

#include <sys/types.h>

#include <atomic>

#include "kvstore/status.h"

namespace kvstore::client {

// Knows whether it is looked at in the process that made it or in a child forked since. A child has
// the client's memory but none of its threads, and shares its sockets, so that it must touch
// neither. Thread-safe.
//
// Nor can a child make a client of its own: gRPC, which the two would share, does not survive a
// fork under way; its sockets would be shared with the parent, whose session would suffer.
class ForkGuard {
 public:
  // failed_precondition in a child that was forked while a client was alive.
  static Status CheckMayConnect();

  ForkGuard();
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  bool InChild() const;

  // OK, or in a child failed_precondition with the remedy.
  Status Check() const;

 private:
  const pid_t maker_;
  // A page that the kernel empties in every child, so that the question costs a load; null where
  // the kernel can't: then it costs a system call.
  std::atomic<int>* const alive_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_FORK_GUARD_H_
