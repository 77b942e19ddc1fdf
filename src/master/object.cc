#include "master/object.h"

namespace kvstore::master {

std::string_view ObjectStateName(ObjectState state) {
  switch (state) {
    case ObjectState::kParked:
      return "parked";
    case ObjectState::kPending:
      return "pending";
    case ObjectState::kCommitting:
      return "committing";
    case ObjectState::kComplete:
      return "complete";
    case ObjectState::kRetiring:
      return "retiring";
    case ObjectState::kAhead:
      return "ahead";
  }
  return "unknown";
}

bool MayBecome(ObjectState from, ObjectState to) {
  switch (from) {
    case ObjectState::kParked:
      return to == ObjectState::kPending;
    case ObjectState::kPending:
      return to == ObjectState::kCommitting || to == ObjectState::kRetiring;
    case ObjectState::kCommitting:
      return to == ObjectState::kComplete || to == ObjectState::kRetiring;
    case ObjectState::kComplete:
    case ObjectState::kAhead:
      return to == ObjectState::kRetiring;
    case ObjectState::kRetiring:
      return false;
  }
  return false;
}

std::string_view StandingName(Standing standing) {
  switch (standing) {
    case Standing::kUnfinished:
      return "unfinished";
    case Standing::kAhead:
      return "ahead";
    case Standing::kEvictable:
      return "evictable";
    case Standing::kUnpinned:
      return "unpinned";
    case Standing::kSoftPinned:
      return "soft-pinned";
    case Standing::kPinned:
      return "pinned";
    case Standing::kLeased:
      return "leased";
    case Standing::kOrdered:
      return "ordered";
    case Standing::kWithdrawn:
      return "withdrawn";
  }
  return "unknown";
}

}  // namespace kvstore::master
