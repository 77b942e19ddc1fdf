#ifndef KVSTORE_SRC_MASTER_STANDING_H_
#define KVSTORE_SRC_MASTER_STANDING_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvstore::master {

// What a replica's memory is to its segment. Each value has a list and a sum of bytes there.
enum class Standing : uint8_t {
  kUnfinished,  // of a pending or committing put, or being filled by a copy
  kAhead,       // what is left of a grant ahead
  kEvictable,   // committed; the list runs from cold to warm
  kUnpinned,    // committed, evictable since its pin ended: in its turn by its last use
  kSoftPinned,  // committed; evicted, from cold to warm, only where nothing is evictable
  kPinned,      // committed; never evicted
  kLeased,      // committed; the list runs in the order in which the leases end
  kOrdered,     // retiring, the holder has not answered; in the order in which orders were sent
  kWithdrawn,   // retiring, withdrawn but not free: something still touches the memory
};
inline constexpr size_t kStandings = 9;

inline bool IsCommitted(Standing standing) {
  return standing >= Standing::kEvictable && standing <= Standing::kLeased;
}

inline bool IsRetiring(Standing standing) { return standing >= Standing::kOrdered; }

std::string_view StandingName(Standing standing);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_STANDING_H_
