// The life of a put until it is visible. The story of one StartPut: StartOne -> CheckStart (is the
// key free?) -> FindRoom (catalog_room.cc) -> Grant, or Park until the holders have confirmed.

#include <algorithm>
#include <cassert>
#include <string>

#include "kvstore/client.h"
#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr Duration kGrantBeyondPatience = std::chrono::seconds(1);

StartPutAnswer GrantAnswer(const Event& event, const Object& object, uint32_t index,
                           std::vector<Replica> replicas) {
  StartPutAnswer answer;
  answer.index = index;
  answer.replicas = std::move(replicas);
  answer.grant = std::max(object.deadline() - event.now, Duration::zero());
  answer.parked = event.now - object.rest().asked;
  return answer;
}

Status BeginAgain(const std::string& why) {
  return AbortedError(why + "; begin again with a new put id");
}

// Whether its lists have so many items each.
bool Agree(const StartPut& verb, size_t items) {
  return verb.keys.size() == items && verb.sequences.size() == items &&
         verb.sizes.size() == items && (verb.positions.empty() || verb.positions.size() == items) &&
         (verb.instead_of.empty() || verb.instead_of.size() == items);
}

}  // namespace

void Catalog::State::Do(Event& event, const Asking& asking, const StartPut& verb) {
  const size_t count = std::max({verb.keys.size(), verb.sequences.size(), verb.sizes.size()});
  const bool agree = Agree(verb, verb.keys.size());
  for (uint32_t i = 0; i < count; ++i) {
    if (!asking.Wants(i)) continue;
    if (agree) {
      if (i % KeyTable::kFetched == 0) keys.Fetch(verb.keys, i);
      StartOne(event, asking, verb, i);
    } else {
      AnswerStatus(
          event, asking.request, i, WaitingVerb::kStartPut,
          InvalidArgumentError(
              "keys, sequences, sizes, positions and puts to be given up differ in number"));
    }
  }
}

void Catalog::State::StartOne(Event& event, const Asking& asking, const StartPut& verb,
                              uint32_t index) {
  if (waiting.Contains(asking.request, index)) return;
  Object* const known = Find({asking.caller.peer.incarnation, verb.sequences[index]});
  if (known && known->state != ObjectState::kRetiring) {
    if (known->state == ObjectState::kAhead || known->key->name() != verb.keys[index] ||
        known->size != verb.sizes[index]) {
      return AnswerStatus(event, asking.request, index, WaitingVerb::kStartPut,
                          InvalidArgumentError("the put id stands for another key or size"));
    }
    return StartAgain(event, asking, index, *known);
  }
  if (!verb.instead_of.empty() && verb.instead_of[index] != 0) {
    GiveUp(event, asking, verb.instead_of[index]);
  }
  if (Status status = CheckStart(event, asking, verb, index); !status.ok()) {
    asking.caller.outcomes.Refuse(verb.sequences[index], limits.outcomes_kept_per_writer);
    return AnswerStatus(event, asking.request, index, WaitingVerb::kStartPut, std::move(status));
  }
  Object& object = AddObject(event, asking, verb, index);
  parked.emplace(object.rest().arrival, &object);
  Room room = FindRoom(event, object);
  if (room.segments.size() < object.replicas_wanted && FitsOnceWell(object)) {
    room.segments.clear();
  } else if (room.segments.size() < object.replicas_wanted) {
    const Status status = NoRoom(object);
    ++counters.puts_refused_full;
    EndParked(event, object, status);
    return AnswerStatus(event, asking.request, index, WaitingVerb::kStartPut, status);
  }
  if (room.now && Grant(event, object, room.segments)) {
    return event.out.Add(asking.request, GrantAnswer(event, object, index, Replicas(object)));
  }
  ++counters.puts_parked;
  const bool waits = WaitForPut(event, asking, index, WaitingVerb::kStartPut, object);
  Park(event, object, std::move(room.segments));
  // Room is being made all the same, so that a caller without patience finds it the next time.
  if (!waits) EndParked(event, object, Status::Ok());
}

void Catalog::State::GiveUp(Event& event, const Asking& asking, uint64_t sequence) {
  Object* const object = Find({asking.caller.peer.incarnation, sequence});
  if (object && object->state == ObjectState::kPending) Retire(event, *object, Cause::kExpired);
}

void Catalog::State::StartAgain(Event& event, const Asking& asking, uint32_t index,
                                Object& object) {
  switch (object.state) {
    case ObjectState::kPending:
      return event.out.Add(asking.request, GrantAnswer(event, object, index, Replicas(object)));
    case ObjectState::kParked:
      WaitForPut(event, asking, index, WaitingVerb::kStartPut, object);
      return;
    default:
      return AnswerStatus(event, asking.request, index, WaitingVerb::kStartPut,
                          BeginAgain("this put has been committed"));
  }
}

Status Catalog::State::CheckStart(Event& event, const Asking& asking, const StartPut& verb,
                                  uint32_t index) {
  if (guards.ended_puts_stay_ended && !asking.caller.outcomes.MayBegin(verb.sequences[index])) {
    return BeginAgain("this put has ended");
  }
  const std::string_view name = verb.keys[index];
  if (name.empty() || name.size() > kMaxKeyBytes) {
    return InvalidArgumentError("a key has 1 to 1024 bytes, this one " +
                                std::to_string(name.size()));
  }
  if (verb.replicas < 1 || verb.replicas > limits.replicas) {
    return InvalidArgumentError("a put has 1 to " + std::to_string(limits.replicas) +
                                " replicas, not " + std::to_string(verb.replicas));
  }
  if (KeyEntry* key = FindKey(event, name)) {
    if (key->current() && !verb.replace) {
      ++counters.puts_refused_exists;
      return AlreadyExistsError("the key is taken; remove it or put with replace");
    }
    if (Object* const other = key->unfinished()) {
      const Node* const writer = nodes.Find(other->id().writer);
      const bool overrun = other->state == ObjectState::kPending && event.now >= other->deadline();
      const bool dead = other->state != ObjectState::kCommitting && (!writer || writer->suspected);
      if (!overrun && !dead) {
        ++counters.puts_refused_pending;
        return AlreadyExistsError("pending: another put of the key is under way");
      }
      if (other->state == ObjectState::kParked) {
        EndParked(event, *other, BeginAgain("another writer took the key"));
      } else {
        Retire(event, *other, overrun ? Cause::kExpired : Cause::kWriterLost);
      }
    }
  }
  if (objects.size() >= limits.objects) {
    ++counters.puts_refused_objects;
    return ResourceExhaustedError("the pool has " + std::to_string(objects.size()) +
                                  " objects, its limit; remove some");
  }
  return Status::Ok();
}

Object& Catalog::State::AddObject(Event& event, const Asking& asking, const StartPut& verb,
                                  uint32_t index) {
  const PutId id{asking.caller.peer.incarnation, verb.sequences[index]};
  Object& object = objects.Add(id);
  object.size = verb.sizes[index];
  object.replicas_wanted = verb.replicas;
  object.placement = verb.placement;
  object.more().preferred_nodes = verb.preferred_nodes;
  object.durable = verb.durable;
  SetRetention(object, verb.retention);
  if (!verb.positions.empty()) object.position = verb.positions[index];
  object.more().arrival = next_arrival++;
  object.more().asked = asking.asked;
  object.more().grant_wanted = event.now + asking.patience + kGrantBeyondPatience;
  object.key = &FindOrAddKey(verb.keys[index]);
  object.key->set_unfinished(&object);
  asking.caller.unfinished.emplace(id.sequence, &object);
  return object;
}

bool Catalog::State::Grant(Event& event, Object& object, const std::vector<Segment*>& segments) {
  for (Segment* segment : segments) {
    const uint64_t bytes = segment->free().Footprint(object.size);
    if (!MayGrant(segment->node()) ||
        !segment->free().CanAllocate(bytes, limits.ranges_per_replica)) {
      return false;
    }
    if (object.hard_pin && !MayPin(*segment, bytes)) return false;
  }
  for (Segment* segment : segments) {
    HeldReplica& replica = object.AddReplica();
    segment->Grant(&replica, segment->free().Footprint(object.size), limits.ranges_per_replica,
                   segment->node().counter);
  }
  object.not_withdrawn = object.not_free = static_cast<uint16_t>(segments.size());
  LeaveQueues(object);
  Become(object, ObjectState::kPending);
  object.more().preferred_nodes = {};
  parked.erase(object.rest().arrival);
  object.more().deadline = std::min(event.now + limits.longest_grant, object.rest().grant_wanted);
  grants_by_end.emplace(object.deadline(), object.id());
  nodes.Find(object.id().writer)
      ->outcomes.Begin(object.id().sequence, limits.outcomes_kept_per_writer);
  ++counters.puts_granted;
  for (Segment* segment : segments) {
    nodes.NoteSpace(segment);
    AskForPages(event, *segment, LowWatermark(*segment) + segment->claimed());
  }
  while (WaitingItem* item = object.waiting().front()) {
    event.out.Add(item->request, GrantAnswer(event, object, item->index, Replicas(object)));
    waiting.Remove(item);
  }
  return true;
}

void Catalog::State::Do(Event& event, const Asking& asking, const CommitPut& verb) {
  const bool agree = verb.checksums.size() == verb.sequences.size() &&
                     (verb.pieces.empty() || (verb.pieces.size() == verb.sequences.size() &&
                                              Agree(verb.put, verb.sequences.size())));
  const size_t count = std::max(verb.sequences.size(), verb.checksums.size());
  for (uint32_t i = 0; i < count; ++i) {
    if (!asking.Wants(i)) continue;
    if (agree) {
      if (i % ObjectTable::kFetched == 0) FetchCommits(asking.caller, verb, i);
      CommitOne(event, asking, verb, i);
    } else {
      AnswerStatus(event, asking.request, i, WaitingVerb::kCommitPut,
                   InvalidArgumentError("sequences, checksums and pieces differ in number"));
    }
  }
}

void Catalog::State::FetchCommits(const Node& writer, const CommitPut& verb, size_t first) const {
  objects.Fetch(first, verb.sequences.size(), [&](size_t i) {
    return PutId{writer.peer.incarnation, verb.sequences[i]};
  });
  if (!verb.pieces.empty()) keys.Fetch(verb.put.keys, first);
}

void Catalog::State::CommitOne(Event& event, const Asking& asking, const CommitPut& verb,
                               uint32_t index) {
  if (waiting.Contains(asking.request, index)) return;
  const auto answer = [&](Status status) {
    AnswerStatus(event, asking.request, index, WaitingVerb::kCommitPut, std::move(status));
  };
  const uint64_t sequence = verb.sequences[index];
  const uint64_t checksum = verb.checksums[index];
  Object* object = Find({asking.caller.peer.incarnation, sequence});
  if (!object && NamesPiece(verb, index) &&
      (asking.caller.outcomes.MayBegin(sequence) || !guards.ended_puts_stay_ended)) {
    const Result<Object*> begun = BeginInPiece(event, asking, verb, index);
    if (!begun.ok()) return answer(begun.status());
    object = *begun;
  }
  if (object && object->state == ObjectState::kAhead) {
    return answer(InvalidArgumentError("the put id stands for a grant ahead"));
  }
  if (!object || object->state == ObjectState::kRetiring) {
    if (object && object->was_visible) return answer(Status::Ok());
    if (!object || !IsNotedStill(*object)) return answer(EndedCommit(asking.caller, sequence));
    WaitForPut(event, asking, index, WaitingVerb::kCommitPut, *object);
    return;
  }
  if (object->state == ObjectState::kParked) {
    return answer(FailedPreconditionError("the put has no grant yet: it waits for room"));
  }
  if (object->state == ObjectState::kPending) {
    if (guards.expired_grants_are_refused && event.now >= object->deadline()) {
      Retire(event, *object, Cause::kExpired);
      return answer(EndedCommit(asking.caller, sequence));
    }
    object->checksum = checksum;
    KeyEntry& key = *object->key;
    const bool waits = IsHeldUp(key) || AwaitsNotes(*object, event.now) ||
                       (guards.commit_waits_for_withdrawal && key.current());
    if (waits && waiting.IsFull()) {
      grants_by_end.emplace(object->deadline(), object->id());  // also if it has only just begun
      return answer(TooManyWait());
    }
    grants_by_end.erase({object->deadline(), object->id()});
    Become(*object, ObjectState::kCommitting);
    if (key.current() && !guards.replaced_stays_until_noted) {
      Retire(event, *key.current(), Cause::kReplaced);
    }
    CompleteIfClear(event, key);
  }
  if (object->checksum != checksum) {
    return answer(InvalidArgumentError("the put has been committed with another checksum"));
  }
  if (object->was_visible) return answer(Status::Ok());
  WaitForPut(event, asking, index, WaitingVerb::kCommitPut, *object);
}

Status Catalog::State::EndedCommit(const Node& writer, uint64_t sequence) const {
  const std::optional<Outcome> outcome = writer.outcomes.Find(sequence);
  if (!outcome) return BeginAgain("not committed here");
  switch (*outcome) {
    case Outcome::kCommitted:
      return Status::Ok();
    case Outcome::kAborted:
      return BeginAgain("not committed: aborted by its writer");
    case Outcome::kExpired:
      return BeginAgain("not committed: its grant had ended");
    case Outcome::kWriterLost:
      return BeginAgain("not committed: its writer was silent for too long");
    case Outcome::kHoldersLost:
      return BeginAgain("not committed: a node that it was being written to is gone");
    case Outcome::kRefused:
      return BeginAgain("not committed: it was refused");
  }
  return InternalError("an outcome that does not exist");
}

void Catalog::State::CompleteIfClear(Event& event, KeyEntry& key) {
  Object* const object = key.unfinished();
  if (!object || object->state != ObjectState::kCommitting || IsHeldUp(key)) return;
  if (!object->notes_sent) {
    object->notes_sent = true;
    object->awaits_notes = AwaitsNotes(*object, event.now);
    if (key.current()) replacing.emplace(object->id(), key.current()->id());
    Note(event, *object);
  }
  if (object->awaits_notes && object->notes_open > 0) return;
  // What it replaces may yet be reported.
  if (Gathering()) return;
  if (key.current()) {
    object->bound = true;
    Retire(event, *key.current(), Cause::kReplaced);
    return CompleteIfClear(event, key);
  }
  Complete(event, *object);
}

bool Catalog::State::IsHeldUp(const KeyEntry& key) const {
  return guards.commit_waits_for_withdrawal && !key.leaving().empty();
}

void Catalog::State::Complete(Event& event, Object& object) {
  KeyEntry& key = *object.key;
  Become(object, ObjectState::kComplete);
  object.was_visible = true;
  // What was reported with so much time left has it from then on.
  const TimePoint kept_from = object.adopted ? object.committed : event.now;
  object.committed = event.now;
  key.set_unfinished(nullptr);  // first: the entry says one of the two without more memory
  key.set_current(&object);
  const bool replaced = replacing.erase(object.id()) > 0;
  if (Node* const writer = nodes.Find(object.id().writer)) {
    writer->unfinished.erase(object.id().sequence);
  }
  ++complete;
  ++counters.puts_committed;
  BeginKeeping(kept_from, object);
  object.used = event.now;
  NoteUse(event, object);
  Tell(event, ObjectEvent::What::kCommitted, object);
  SettleStandings(event.now, object);
  if (replaced) Note(event, object);  // the next master need not wait for what was replaced
  Review(event, object);
  while (WaitingItem* const item = object.waiting().front()) {
    const bool aborts = item->verb == WaitingVerb::kAbortPut;
    AnswerStatus(event, item->request, item->index, item->verb,
                 aborts ? FailedPreconditionError("committed") : Status::Ok());
    waiting.Remove(item);
  }
  if (object.expires() <= event.now) {
    const bool is_read = !key.readers().empty();  // then the key stays
    Retire(event, object, Cause::kTtl);
    if (!is_read) return;
    AnswerReaders(event, key);
    return ForgetIfEmpty(key);
  }
  AnswerReaders(event, key);
  object.Trim();
  key.Trim();
  // What was unfinished may be evicted now; parked puts may have waited for that.
  std::vector<Segment*> wanted;
  for (const HeldReplica& replica : object.replicas()) {
    if (replica.segment && replica.segment->FirstInQueue()) wanted.push_back(replica.segment);
  }
  for (Segment* segment : wanted) MakeRoom(event, *segment);
}

void Catalog::State::Do(Event& event, const Asking& asking, const AbortPut& verb) {
  for (uint32_t i = 0; i < verb.sequences.size(); ++i) {
    if (!asking.Wants(i)) continue;
    AbortOne(event, asking, i, verb.sequences[i]);
  }
}

void Catalog::State::AbortOne(Event& event, const Asking& asking, uint32_t index,
                              uint64_t sequence) {
  if (waiting.Contains(asking.request, index)) return;
  const auto answer = [&](Status status) {
    AnswerStatus(event, asking.request, index, WaitingVerb::kAbortPut, std::move(status));
  };
  const PutId id{asking.caller.peer.incarnation, sequence};
  Object* object = Find(id);
  Outcomes& outcomes = asking.caller.outcomes;
  const bool ended = !object || object->state == ObjectState::kRetiring;
  const bool committed =
      (object && object->was_visible) || (ended && outcomes.Find(sequence) == Outcome::kCommitted);
  if (committed) return answer(FailedPreconditionError("committed"));
  if (!ended && object->bound) {
    WaitForPut(event, asking, index, WaitingVerb::kAbortPut, *object);
    return;
  }
  // Also for a put never heard of: its StartPut may still arrive, and the writer will not write.
  outcomes.Add(sequence, Outcome::kAborted, limits.outcomes_kept_per_writer);
  if (!ended && object->state == ObjectState::kParked) {
    ++counters.puts_aborted;
    Tell(event, ObjectEvent::What::kPutAborted, *object);
    trail.Ended(object->key->name(), event.now, ObjectEvent::What::kPutAborted);
    EndParked(event, *object, AbortedError("aborted by its writer"));
    return answer(Status::Ok());
  }
  if (!ended && object->state == ObjectState::kAhead) {
    EndAhead(event, *object, Cause::kAborted);
  } else if (!ended) {
    Retire(event, *object, Cause::kAborted);
  }
  object = Find(id);
  if (!object || !IsNotedStill(*object)) return answer(Status::Ok());
  WaitForPut(event, asking, index, WaitingVerb::kAbortPut, *object);
}

bool Catalog::State::IsNotedStill(const Object& ended) const {
  return guards.remove_waits_for_withdrawal && ended.key != nullptr;
}

bool Catalog::State::WaitForPut(Event& event, const Asking& asking, uint32_t index,
                                WaitingVerb verb, Object& object) {
  WaitingItem item;
  item.index = index;
  item.verb = verb;
  item.object = &object;
  item.list = &object.more().waiting;
  return Wait(event, asking, item);
}

void Catalog::State::Become(Object& object, ObjectState state) {
  assert(MayBecome(object.state, state));
  object.state = state;
}

Object* Catalog::State::Find(const PutId& id) const { return objects.Find(id); }

}  // namespace kvstore::master
