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
      return to == ObjectState::kRetiring;
    case ObjectState::kRetiring:
      return false;
  }
  return false;
}

}  // namespace kvstore::master
