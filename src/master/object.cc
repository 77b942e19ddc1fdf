#include "master/object.h"

#include <algorithm>

#include "master/key_entry.h"

namespace kvstore::master {

const Object::More Object::kNothing;

HeldReplica& Object::AddReplica() {
  if (ReplicaCount() == 0) {
    is_there = true;
    return *this;
  }
  std::vector<std::unique_ptr<FurtherReplica>>& further = more().replicas;
  further.push_back(std::make_unique<FurtherReplica>(this));
  return *further.back();
}

void Object::RemoveReplica(const HeldReplica& replica) {
  if (!replica.is_first) {
    std::erase_if(more_->replicas, [&](const auto& each) { return each.get() == &replica; });
    return;
  }
  is_there = false;
  segment = nullptr;
  ranges.Set({});
  birth = 0;
  set_note(0);
  standing = Standing::kUnfinished;
  noted = freed = reported = false;
}

void Object::Trim() {
  const More& said = rest();
  if (!said.replicas.empty() || said.group || !said.waiting.empty() ||
      said.soft_pin_end != TimePoint{} || said.expires != TimePoint::max()) {
    return;
  }
  more_.reset();
}

void Object::set_expires(TimePoint when) {
  if (when != expires()) more().expires = when;
  if (key && when != TimePoint::max()) key->NoteThatItMayExpire();
}

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
