// What holders keep for the next master. A durable put becomes visible when all of its notes are
// confirmed, any other at once, as long as its holders are not behind. What a put replaces is
// withdrawn only when the notes are confirmed: a master that is lost in between loses neither.

#include <algorithm>

#include "master/catalog_state.h"

namespace kvstore::master {

bool Catalog::State::AwaitsNotes(const Object& object, TimePoint now) const {
  if (!guards.durable_waits_for_notes) return false;
  if (guards.replaced_stays_until_noted && object.key->current()) return true;
  return object.durable ||
         (guards.slow_notes_are_waited_for &&
          std::any_of(object.replicas().begin(), object.replicas().end(),
                      [&](const HeldReplica& r) {
                        return r.segment && r.segment->node().IsBehind(now, limits.note_patience);
                      }));
}

void Catalog::State::Note(Event& event, Object& object) {
  for (HeldReplica& replica : object.replicas()) {
    if (replica.segment && Serves(object, replica)) NoteReplica(event, replica);
  }
}

void Catalog::State::NoteReplica(Event& event, HeldReplica& replica) {
  Node& holder = replica.segment->node();
  replica.noted = false;
  const uint64_t version = next_note++;
  if (replica.note() != 0) {
    holder.notes.at(replica.note()).version = version;
    return;
  }
  replica.set_note(version);
  OpenNote& note = holder.notes[version];
  note = OpenNote{&replica, event.now, event.now, version, version};
  ++replica.object().notes_open;
  ++counters.notes_sent;
  SendNote(event, note);
}

void Catalog::State::SendNote(Event& event, OpenNote& note) {
  note.sent = event.now;
  note.version_sent = note.version;
  const HeldReplica& replica = *note.replica;
  const Segment& segment = *replica.segment;
  if (!segment.node().TakesOrders()) return;  // it follows when the node has joined again
  const Object& object = replica.object();
  NoteOrder order;
  order.put = object.id();
  order.segment = segment.id().index;
  order.birth = replica.birth;
  order.ranges = replica.ranges.All();
  order.key = object.key->name();
  order.size = object.size;
  order.checksum = object.checksum;
  order.replicas = object.replicas_wanted;
  // Before the commit they stand there as long after TimePoint{} as they will be after it.
  const bool begun = object.state == ObjectState::kComplete;
  order.retention = RetentionLeft(object, begun ? event.now : TimePoint{});
  order.version = note.version;
  const auto replaced = replacing.find(object.id());
  if (replaced != replacing.end()) order.replaces = replaced->second;
  const bool can_wait = object.state == ObjectState::kCommitting && !object.awaits_notes;
  event.out.Add(segment.id().holder, std::move(order), can_wait);
}

void Catalog::State::ForgetNote(HeldReplica& replica) {
  replica.noted = false;
  if (replica.note() == 0) return;
  replica.segment->node().notes.erase(replica.note());
  replica.set_note(0);
  --replica.object().notes_open;
}

// Those sent at `sent_until` or earlier. Looks at all that are old enough once per interval, so
// that many which stay unanswered cost little.
void Catalog::State::ResendNotes(Event& event, Node& node, TimePoint sent_until) {
  if (node.notes.empty() || node.notes_resent > sent_until) return;
  node.notes_resent = event.now;
  for (auto& [serial, note] : node.notes) {
    if (note.since > sent_until) break;
    if (note.sent > sent_until) continue;
    SendNote(event, note);
    ++counters.orders_resent;
  }
}

bool Catalog::State::HandleNoteAck(Event& event, Node& node, const NoteAck& ack) {
  Object* const object = Find(ack.put);
  if (!object) return false;
  const SegmentId segment{node.peer.incarnation, ack.segment};
  const auto replica = std::find_if(
      object->replicas().begin(), object->replicas().end(), [&](const HeldReplica& candidate) {
        return candidate.segment && candidate.segment->id() == segment &&
               candidate.birth == ack.birth;
      });
  if (replica == object->replicas().end() || replica->note() == 0) return false;
  if (!ack.kept) {
    ++counters.notes_refused;
    LoseNoted(event, *replica);
    return true;
  }
  OpenNote& note = node.notes.at(replica->note());
  if (ack.version != note.version) {
    if (ack.version != note.version_sent) return false;
    SendNote(event, note);
    return true;
  }
  ForgetNote(*replica);
  replica->noted = true;
  ++counters.notes_confirmed;
  if (object->state == ObjectState::kCommitting) {
    CompleteIfClear(event, *object->key);
  } else {
    EndMoves(event, *object);
    AnswerPins(event, *object);
  }
  return true;
}

// It has retired what it never was told to: the object can't be read there, nor trusted.
void Catalog::State::LoseNoted(Event& event, HeldReplica& replica) {
  Object& object = replica.object();
  if (Serving(object) == 1) return Retire(event, object, Cause::kHoldersLost);
  OrderRetirement(event, replica);
  if (object.state == ObjectState::kCommitting) return CompleteIfClear(event, *object.key);
  Tell(event, ObjectEvent::What::kReplicaLost, object, replica.segment);
  Review(event, object);
}

}  // namespace kvstore::master
