// Locate, Exists, WaitExists, Stat: what is committed, and NoteReads: what of it was read. Pin:
// that it is to stay. Remove: that it no longer is.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr size_t kMissesKept = 8;  // of one event

Status NoObject() { return NotFoundError("no such object"); }

WaitingItem Reader(uint32_t index, WaitingVerb verb) {
  WaitingItem item;
  item.index = index;
  item.verb = verb;
  return item;
}

}  // namespace

void Catalog::State::Do(Event& event, const Asking& asking, const Locate& verb) {
  if (verb.await.at_most > Duration::zero()) return LocateAwaiting(event, asking, verb);
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    if (i % KeyTable::kFetched == 0) keys.Fetch(verb.keys, i);
    KeyEntry* const key = FindKey(event, verb.keys[i]);
    if (IsUnsettled(key)) {
      WaitingItem item = Reader(i, WaitingVerb::kLocate);
      item.want_lease = verb.want_lease;
      item.readable = verb.readable;
      WaitForKey(event, asking, item, verb.keys[i]);
    } else if (Finds(key, verb.readable)) {
      ++asking.caller.hits;
      LocateOne(event, asking.request, i, *key->current(), verb.want_lease, Duration::zero());
    } else {
      MissOne(event, asking, i, verb.keys[i], true);
    }
  }
}

void Catalog::State::Do(Event& event, const Asking& asking, const Exists& verb) {
  KeyTable::Hashes hashes{};
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    if (i % KeyTable::kFetched == 0) hashes = keys.Fetch(verb.keys, i);
    ExistsOne(event, asking, i, verb.keys[i], hashes[i % KeyTable::kFetched]);
  }
}

void Catalog::State::ExistsOne(Event& event, const Asking& asking, uint32_t index,
                               std::string_view name, size_t hash) {
  KeyEntry* key = keys.Find(name, hash);
  if (HasExpired(event, key)) key = FindKey(event, name);
  if (IsUnsettled(key)) {
    WaitingItem item = Reader(index, WaitingVerb::kExists);
    item.readable = true;
    return WaitForKey(event, asking, item, name);
  }
  const bool found = Finds(key, true);
  ++(found ? counters.exists_hits : counters.exists_misses);
  ++(found ? asking.caller.hits : asking.caller.misses);
  if (!found) KeepMiss(event, asking.caller.peer.incarnation, name, true);
  event.out.Add(asking.request, ItemAnswer{index, found ? Status::Ok() : NoObject()});
}

// A holder that gives no sign of life may yet be read; who asks in order to read rather than
// compute had better compute.
bool Catalog::State::Finds(const KeyEntry* key, bool readable) {
  if (!key || !key->current()) return false;
  const Object& object = *key->current();
  const auto replicas = object.replicas();
  const bool found =
      !readable || std::any_of(replicas.begin(), replicas.end(), [&](const HeldReplica& replica) {
        return replica.segment && Serves(object, replica) && !replica.segment->node().suspected;
      });
  if (!found) ++counters.looks_unreadable;
  return found;
}

void Catalog::State::MissOne(Event& event, const Asking& asking, uint32_t index,
                             std::string_view name, bool announces) {
  ++counters.locate_misses;
  ++asking.caller.misses;
  KeepMiss(event, asking.caller.peer.incarnation, name, announces);
  AnswerStatus(event, asking.request, index, WaitingVerb::kLocate, NoObject());
}

void Catalog::State::KeepMiss(Event& event, Incarnation asker, std::string_view key,
                              bool announces) {
  if (event.misses_kept == kMissesKept) return;
  ++event.misses_kept;
  KeyTrace& trace = trail.Missed(key, event.now, asker);
  if (!announces) return;
  trace.announced = event.now;
  trace.announcer = asker;
}

void Catalog::State::Do(Event& event, const Asking& asking, const WaitExists& verb) {
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    KeyEntry* const key = FindKey(event, verb.keys[i]);
    if (key && key->current()) {
      event.out.Add(asking.request, ItemAnswer{i, Status::Ok()});
    } else {
      WaitForKey(event, asking, Reader(i, WaitingVerb::kWaitExists), verb.keys[i]);
    }
  }
}

void Catalog::State::Do(Event& event, const Asking& asking, const StatObject& verb) {
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    KeyEntry* const key = FindKey(event, verb.keys[i]);
    if (IsUnsettled(key)) {
      WaitForKey(event, asking, Reader(i, WaitingVerb::kStat), verb.keys[i]);
    } else if (key && key->current()) {
      StatOne(event, asking.request, i, *key->current());
    } else {
      AnswerStatus(event, asking.request, i, WaitingVerb::kStat, NoObject());
    }
  }
}

void Catalog::State::Do(Event& event, const Asking& asking, const Pin& verb) {
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    if (!asking.Wants(i) || waiting.Contains(asking.request, i)) continue;
    KeyEntry* const key = FindKey(event, verb.keys[i]);
    WaitingItem item = Reader(i, WaitingVerb::kPin);
    item.hard = verb.hard;
    item.soft = verb.soft;
    // What is about to be replaced is not what is to be kept.
    const bool being_replaced =
        key && key->unfinished() && key->unfinished()->state == ObjectState::kCommitting;
    if (being_replaced || IsUnsettled(key)) {
      WaitForKey(event, asking, item, verb.keys[i]);
      continue;
    }
    Object* const object = key ? key->current() : nullptr;
    const Status status = !object            ? NoObject()
                          : waiting.IsFull() ? TooManyWait()
                                             : PinOne(event, *object, verb.hard, verb.soft);
    if (status.ok() && AwaitsPin(*object)) {
      WaitForPut(event, asking, i, WaitingVerb::kKept, *object);
    } else {
      AnswerStatus(event, asking.request, i, WaitingVerb::kPin, status);
    }
  }
}

void Catalog::State::Do(Event& event, const Asking& asking, const Remove& verb) {
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    if (asking.Wants(i)) RemoveOne(event, asking, i, verb.keys[i]);
  }
}

void Catalog::State::Do(Event& event, const Asking& /*asking*/, const NoteReads& verb) {
  for (const PutId& put : verb.puts) {
    Object* const object = Find(put);
    if (!object || object->state != ObjectState::kComplete) continue;  // late, or never heard of
    ++counters.reads_noted;
    Touch(event, *object);
  }
}

void Catalog::State::LocateOne(Event& event, const RequestName& request, uint32_t index,
                               Object& object, bool want_lease, Duration parked_for) {
  ++counters.locate_hits;
  LocateAnswer answer;
  answer.index = index;
  answer.put = object.id();
  answer.size = object.size;
  answer.checksum = object.checksum;
  answer.replicas = Replicas(object);
  answer.lease = want_lease ? Lease(event.now, object) : Duration::zero();
  answer.parked = parked_for;
  Touch(event, object);
  event.out.Add(request, std::move(answer));
}

// The lease bars the object from eviction; with a suspected holder there is none, since that one
// counts as withdrawn a lease after its suspicion began, whatever readers were told meanwhile.
Duration Catalog::State::Lease(TimePoint now, Object& object) {
  bool suspected = false, full = false;
  for (const HeldReplica& replica : object.replicas()) {
    if (!replica.segment) continue;
    Segment& segment = *replica.segment;
    // Nor with one that may yet be struck because it does not finish its report.
    const bool in_doubt = segment.node().suspected || !segment.node().reported;
    if (in_doubt && guards.suspected_holders_get_no_lease) suspected = true;
    const bool counts = IsCommitted(replica.standing) && replica.standing != Standing::kLeased &&
                        replica.standing != Standing::kPinned;
    if (!counts) continue;
    ExpireLeases(segment, now);
    const uint64_t leased = segment.Bytes(Standing::kLeased) + replica.bytes();
    if (static_cast<double>(leased) >
        limits.leased_share_allowed * static_cast<double>(segment.size())) {
      full = true;
    }
  }
  if (suspected) ++counters.leases_refused_suspected;
  if (full) ++counters.leases_refused_full;
  // Without leases, memory that is to be emptied becomes so in a bounded time.
  const bool granted =
      limits.lease > Duration::zero() && !suspected && !full && !IsEmptying(object);
  ++(granted ? counters.leases_granted : counters.leases_refused);
  if (!granted) return Duration::zero();
  HoldLease(now, object);
  // No longer than the object lives: what is remembered so may be read without asking here.
  return std::min(limits.lease, object.expires() - now);
}

void Catalog::State::HoldLease(TimePoint now, Object& object) {
  object.lease_end = LeaseFrom(now);
  for (HeldReplica& replica : object.replicas()) {
    if (!replica.segment || !IsCommitted(replica.standing)) continue;
    replica.segment->Move(&replica, object.hard_pin ? Standing::kPinned : Standing::kLeased);
  }
}

void Catalog::State::Touch(Event& event, Object& object) {
  for (HeldReplica& replica : object.replicas()) {
    if (replica.segment && IsCommitted(replica.standing) && replica.standing != Standing::kLeased) {
      replica.segment->Move(&replica, Resting(object, event.now));
    }
  }
  object.used = event.now;
  NoteUse(event, object);
}

void Catalog::State::StatOne(Event& event, const RequestName& request, uint32_t index,
                             const Object& object) {
  StatAnswer answer;
  answer.index = index;
  answer.put = object.id();
  answer.size = object.size;
  answer.checksum = object.checksum;
  answer.age = event.now - object.committed;
  answer.lease_left =
      std::max(std::min(object.lease_end, object.expires()) - event.now, Duration::zero());
  answer.replicas = Replicas(object);
  answer.durable = IsNoted(object);
  answer.retention = RetentionLeft(object, event.now);
  event.out.Add(request, std::move(answer));
}

bool Catalog::State::Serves(const Object& object, const HeldReplica& replica) const {
  return object.state != ObjectState::kComplete || IsCommitted(replica.standing) ||
         (replica.standing == Standing::kUnfinished && !guards.copies_serve_when_filled);
}

std::vector<Replica> Catalog::State::Replicas(const Object& object) const {
  std::vector<Replica> replicas;
  replicas.reserve(object.replicas().size());
  // Readers try them in this order: those that can't be reached, and those of suspected holders,
  // last.
  const auto trouble = [](const Segment& segment) {
    return segment.node().suspected ? 2 : segment.sick() ? 1 : 0;
  };
  for (const int troubled : {0, 1, 2}) {
    for (const HeldReplica& held : object.replicas()) {
      if (held.segment && Serves(object, held) && trouble(*held.segment) == troubled) {
        replicas.push_back({held.segment->id(), held.birth, held.ranges.All()});
      }
    }
  }
  return replicas;
}

void Catalog::State::RemoveOne(Event& event, const Asking& asking, uint32_t index,
                               std::string_view name) {
  if (waiting.Contains(asking.request, index)) return;
  Node& caller = asking.caller;
  const std::pair<uint64_t, uint32_t> item_name{asking.request.id, index};
  const auto answer = [&](Status status) {
    event.out.Add(asking.request, ItemAnswer{index, std::move(status)});
  };
  // A retry must not remove what was put after its first answer.
  if (const std::optional<bool> found = caller.removes.Find(item_name)) {
    return answer(*found ? Status::Ok() : NoObject());
  }
  KeyEntry* key = FindKey(event, name);
  // What is being withdrawn for a put that is bound to follow was there until just now.
  const bool replaced = key && key->unfinished() && key->unfinished()->bound;
  const bool found = key && (key->current() || replaced);
  if (found && waiting.IsFull()) {
    return answer(TooManyWait());
  }
  if (found && key->current()) {
    Retire(event, *key->current(), Cause::kRemoved);
    key = FindKey(name);
  }
  if (!guards.remove_waits_for_withdrawal || !key || key->leaving().empty()) {
    caller.removes.Add(item_name, found, limits.outcomes_kept_per_writer);
    return answer(found ? Status::Ok() : NoObject());
  }
  WaitingItem item;
  item.index = index;
  item.verb = WaitingVerb::kRemove;
  item.found = found;
  item.key = key;
  item.list = key->mutable_removers();
  Wait(event, asking, item);
}

}  // namespace kvstore::master
