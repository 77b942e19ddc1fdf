// How long objects are kept: pins, TTL, groups, and in which order those go that were used
// together.

#include <algorithm>
#include <string>

#include "master/bytes_text.h"
#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

// What is beyond all time is never.
TimePoint After(TimePoint now, Duration duration) {
  return duration > TimePoint::max() - now ? TimePoint::max() : now + duration;
}

}  // namespace

Standing Catalog::State::Resting(const Object& object, TimePoint now) const {
  if (object.hard_pin) return Standing::kPinned;
  return object.soft_pin_end() > now ? Standing::kSoftPinned : Standing::kEvictable;
}

void Catalog::State::SetRetention(Object& object, const Retention& retention) {
  object.hard_pin = retention.hard_pin;
  object.set_soft_pin_end(TimePoint{} + retention.soft_pin);
  if (retention.ttl > Duration::zero()) object.set_expires(TimePoint{} + retention.ttl);
  object.position = retention.position;
  groups.Join(&object, retention.group);
}

void Catalog::State::BeginKeeping(TimePoint now, Object& object) {
  object.used = now;
  if (object.expires() != TimePoint::max()) {
    object.set_expires(After(now, object.expires().time_since_epoch()));
    expiries.emplace(object.expires(), object.id());
  }
  const Duration soft_pin = object.soft_pin_end().time_since_epoch();
  if (soft_pin > Duration::zero()) {
    object.set_soft_pin_end(After(now, soft_pin));
    soft_pins.emplace(object.soft_pin_end(), object.id());
  }
  if (object.hard_pin) ++hard_pinned;
  if (object.hard_pin || soft_pin > Duration::zero()) ++counters.pins_set;
}

void Catalog::State::EndKeeping(Object& object) {
  groups.Leave(&object);
  if (object.state != ObjectState::kComplete) return;
  expiries.erase({object.expires(), object.id()});
  soft_pins.erase({object.soft_pin_end(), object.id()});
  if (object.hard_pin) --hard_pinned;
}

// ---- pins

Status Catalog::State::PinOne(Event& event, Object& object, bool hard, Duration soft) {
  if (hard && !object.hard_pin) {
    for (const HeldReplica& replica : object.replicas()) {
      if (!replica.segment || IsRetiring(replica.standing)) continue;
      if (MayPin(*replica.segment, replica.bytes())) continue;
      ++counters.pins_refused;
      return TooMuchPinned(*replica.segment, replica.bytes());
    }
  }
  SetPins(event.now, object, hard, soft);
  Note(event, object);
  if (hard || soft > Duration::zero()) {
    ++counters.pins_set;
    Tell(event, ObjectEvent::What::kPinned, object);
  } else {
    Tell(event, ObjectEvent::What::kUnpinned, object);
  }
  return Status::Ok();
}

// Its notes say how it is kept only when all of them are confirmed.
bool Catalog::State::AwaitsPin(const Object& object) const {
  return guards.durable_waits_for_notes && object.notes_open > 0;
}

void Catalog::State::AnswerPins(Event& event, Object& object) {
  if (object.state != ObjectState::kComplete || AwaitsPin(object)) return;
  AnswerAll(event, object.waiting(), Status::Ok());
}

void Catalog::State::ExpireLater(TimePoint now, Duration ttl, Object& object) {
  const TimePoint expires = ttl == Duration::zero() ? TimePoint::max() : After(now, ttl);
  if (expires <= object.expires()) return;
  expiries.erase({object.expires(), object.id()});
  object.set_expires(expires);
  if (expires != TimePoint::max()) expiries.emplace(expires, object.id());
}

void Catalog::State::SetPins(TimePoint now, Object& object, bool hard, Duration soft) {
  if (object.hard_pin != hard) {
    Segment::Reclassify(&object, [&object, hard] { object.hard_pin = hard; });
    hard ? ++hard_pinned : --hard_pinned;
    // The list of leases runs in the order of their ends: who comes back to it comes last.
    if (!hard && object.lease_end > now) object.lease_end = LeaseFrom(now);
  }
  soft_pins.erase({object.soft_pin_end(), object.id()});
  object.set_soft_pin_end(soft > Duration::zero() ? After(now, soft) : TimePoint{});
  if (soft > Duration::zero()) soft_pins.emplace(object.soft_pin_end(), object.id());
  const bool leased = !hard && object.lease_end > now;
  for (HeldReplica& replica : object.replicas()) {
    if (!replica.segment || !IsCommitted(replica.standing)) continue;
    Standing standing = leased ? Standing::kLeased : Resting(object, now);
    if (standing == Standing::kEvictable) {
      if (replica.standing == Standing::kEvictable) continue;
      standing = Standing::kUnpinned;
    }
    if (replica.standing != standing) replica.segment->Move(&replica, standing);
  }
}

bool Catalog::State::MayPin(const Segment& segment, uint64_t bytes) const {
  return static_cast<double>(segment.hard_pinned() + bytes) <=
         limits.pinned_share_allowed * static_cast<double>(segment.limit());
}

Status Catalog::State::TooMuchPinned(const Segment& segment, uint64_t bytes) const {
  const auto allowed =
      static_cast<uint64_t>(limits.pinned_share_allowed * static_cast<double>(segment.limit()));
  return ResourceExhaustedError("too much is pinned: " + BytesText(bytes) + " more on node " +
                                segment.node().peer.name + ", where " +
                                BytesText(segment.hard_pinned()) + " are pinned and at most " +
                                BytesText(allowed) + " of " + BytesText(segment.limit()) +
                                " may be (pinned_share_allowed); unpin others, or pin softly");
}

void Catalog::State::EndSoftPins(TimePoint now) {
  while (!soft_pins.empty() && soft_pins.begin()->first <= now) {
    Object& object = *Find(soft_pins.begin()->second);
    soft_pins.erase(soft_pins.begin());
    for (HeldReplica& replica : object.replicas()) {
      if (replica.segment && replica.standing == Standing::kSoftPinned) {
        replica.segment->Move(&replica, Standing::kUnpinned);
      }
    }
  }
}

// ---- time to live

bool Catalog::State::HasExpired(const Event& event, const KeyEntry* key) {
  return key && key->may_expire() && key->current() && key->current()->expires() <= event.now;
}

KeyEntry* Catalog::State::FindKey(Event& event, std::string_view name) {
  KeyEntry* const key = FindKey(name);
  if (!HasExpired(event, key)) return key;
  Retire(event, *key->current(), Cause::kTtl);
  return FindKey(name);
}

void Catalog::State::Expire(Event& event) {
  while (!expiries.empty() && expiries.begin()->first <= event.now) {
    Retire(event, *Find(expiries.begin()->second), Cause::kTtl);
  }
}

// ---- what is used together

void Catalog::State::NoteUse(Event& event, const Object& object) {
  event.used.push_back(object.id());
  event.in_chain = event.in_chain || object.position > 0;
}

void Catalog::State::OrderByPosition(Event& event) {
  if (!event.in_chain) return;
  std::vector<Object*> used;
  for (const PutId& put : event.used) {
    Object* const object = Find(put);
    if (object && object->state == ObjectState::kComplete) used.push_back(object);
  }
  std::stable_sort(used.begin(), used.end(),
                   [](const Object* a, const Object* b) { return a->position > b->position; });
  for (Object* object : used) {
    for (HeldReplica& replica : object->replicas()) {
      if (!replica.segment || !IsCommitted(replica.standing)) continue;
      // An older lease than this event's keeps its place among the leases.
      const bool older =
          replica.standing == Standing::kLeased && object->lease_end != LeaseFrom(event.now);
      if (!older) replica.segment->Move(&replica, replica.standing);
    }
  }
  event.used.clear();
}

}  // namespace kvstore::master
