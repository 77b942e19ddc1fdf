#ifndef KVSTORE_SRC_CLIENT_HANDED_OUT_H_
#define KVSTORE_SRC_CLIENT_HANDED_OUT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/fork_guard.h"
#include "kvstore/client.h"

namespace kvstore::client {

// What a client has handed out that must be gone before it: counts it, and makes it harmless in a
// forked child, which shares the memory that is pinned but not the right to let go of it.
// Thread-safe; outlives all that it tracks, save in a child.
class HandedOut {
 public:
  // `fork_guard` outlives it.
  explicit HandedOut(const ForkGuard& fork_guard) : fork_guard_(fork_guard) {}

  std::unique_ptr<ObjectView> Track(std::unique_ptr<ObjectView> view);
  std::unique_ptr<ReadSession> Track(std::unique_ptr<ReadSession> session);
  // `sealed` hears what became of the one Seal that counts, and how long it took.
  std::unique_ptr<NewObject> Track(std::unique_ptr<NewObject> object,
                                   std::function<void(const Status&, Duration)> sealed);

  // What is still alive: "2 views, 1 read session"; empty: nothing.
  std::string Alive() const;

 private:
  enum Kind : uint8_t { kView, kSession, kNewObject };
  static constexpr size_t kKinds = 3;

  template <typename Thing>
  class Tracked;
  class TrackedView;
  class TrackedSession;
  class TrackedNewObject;

  const ForkGuard& fork_guard_;
  std::array<std::atomic<uint64_t>, kKinds> alive_{};
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_HANDED_OUT_H_
