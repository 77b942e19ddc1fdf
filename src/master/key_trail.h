#ifndef KVSTORE_SRC_MASTER_KEY_TRAIL_H_
#define KVSTORE_SRC_MASTER_KEY_TRAIL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "master/catalog.h"

namespace kvstore::master {

// What has lately become of one key that is not there, or was not when it was asked for.
struct KeyTrace {
  std::string key;
  uint64_t misses = 0;                   // so often it was asked for in vain
  TimePoint missed{};                    // the last time, where there are any
  Incarnation asker;                     // whose question that was
  std::optional<ObjectEvent::What> how;  // the last object under it, or its put, has ended so
  TimePoint ended{};                     // and then
  TimePoint announced{};  // missed so that a put may follow, and none has ended since
  Incarnation announcer;  // whose question that was
  TimePoint given_up{};   // a put of it was waited for in vain, or came to its end

  TimePoint changed() const { return std::max(missed, ended); }
};

// The traces of the last keys that were missed or have ended, for the person who asks why there are
// no hits. Not a complete record: a hash chooses the places that a key may have, and of the keys
// there those that changed last stay. What has only ended takes no place of what was missed: a pool
// that evicts much forgets nothing that was asked for. At most 65,536 keys; memory for them is
// taken when they come, some 12 MiB for keys as engines have them, 72 MiB for the longest.
// Thread-compatible.
class KeyTrail {
 public:
  static constexpr size_t kMostKeys = 1u << 16;
  static constexpr size_t kParts = Catalog::kTraceParts;

  // Returns it for what else is to be kept of it; until the next call.
  KeyTrace& Missed(std::string_view key, TimePoint now, Incarnation asker);
  void Ended(std::string_view key, TimePoint now, ObjectEvent::What how);

  // A put of it failed before there was an object; nothing is kept of a key that nobody missed.
  void GaveUp(std::string_view key, TimePoint now);

  // Null: nothing is remembered.
  const KeyTrace* Find(std::string_view key) const;
  // All of one of kParts parts, in no particular order.
  template <typename Visit>
  void ForEachOf(size_t part, const Visit& visit) const {
    if (parts_[part] == nullptr) return;
    for (const KeyTrace& trace : *parts_[part]) {
      if (!trace.key.empty()) visit(trace);
    }
  }

 private:
  static constexpr size_t kWays = 8;  // places that a key may have: a half for what was missed
  using Part = std::array<KeyTrace, kMostKeys / kParts>;

  struct Place {
    size_t part = 0;
    size_t first = 0;  // of the ways
  };

  static Place PlaceOf(std::string_view key);
  std::span<KeyTrace> WaysOf(std::string_view key);
  static KeyTrace& FindOrReplace(std::string_view key, std::span<KeyTrace> all,
                                 std::span<KeyTrace> own);

  std::array<std::unique_ptr<Part>, kParts> parts_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_KEY_TRAIL_H_
