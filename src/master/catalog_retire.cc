// The one door by which memory comes back: ordered, withdrawn, free, in that order.

#include <algorithm>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

Outcome OutcomeOf(const Object& object, Cause cause) {
  if (object.was_visible) return Outcome::kCommitted;
  switch (cause) {
    case Cause::kExpired:
      return Outcome::kExpired;
    case Cause::kWriterLost:
      return Outcome::kWriterLost;
    case Cause::kHoldersLost:
      return Outcome::kHoldersLost;
    default:
      return Outcome::kAborted;
  }
}

ObjectEvent::What EventOf(const Object& object, Cause cause) {
  using What = ObjectEvent::What;
  switch (cause) {
    case Cause::kAborted:
    case Cause::kWriterLost:
      return What::kPutAborted;
    case Cause::kExpired:
      return What::kPutExpired;
    case Cause::kHoldersLost:
      return object.was_visible ? What::kLost : What::kPutAborted;
    case Cause::kReplaced:
      return What::kReplaced;
    case Cause::kCalledBack:
      break;  // no object
    case Cause::kRemoved:
      return What::kRemoved;
    case Cause::kEvictedForRoom:
      return What::kEvictedForRoom;
    case Cause::kEvictedByWatermark:
      return What::kEvictedByWatermark;
    case Cause::kEvictedByOperator:
      return What::kEvictedByOperator;
    case Cause::kEvictedWithGroup:
      return What::kEvictedWithGroup;
    case Cause::kTtl:
      return What::kExpired;
  }
  return What::kRemoved;
}

}  // namespace

void Catalog::State::Retire(Event& event, Object& object, Cause cause) {
  KeyEntry& key = *object.key;
  Node* const writer = nodes.Find(object.id().writer);
  CountRetired(object, cause);
  Tell(event, EventOf(object, cause), object);
  if (cause != Cause::kReplaced) trail.Ended(key.name(), event.now, EventOf(object, cause));
  EndKeeping(object);
  if (object.state == ObjectState::kComplete) {
    ForgetCopies(object);
    --complete;
    key.set_current(nullptr);
    key.AddLeaving(&object);
  } else {
    grants_by_end.erase({object.deadline(), object.id()});
    if (writer) writer->unfinished.erase(object.id().sequence);
    replacing.erase(object.id());
    key.set_unfinished(nullptr);
    if (object.notes_sent) {
      key.AddLeaving(&object);  // the next master would take a holder's note for committed
    } else {
      object.key = nullptr;  // nobody ever saw it: its key need not wait for it
    }
  }
  Become(object, ObjectState::kRetiring);
  object.outcome = OutcomeOf(object, cause);
  // What is lost while members are missing may be reported by another.
  const bool may_return = object.adopted && !object.was_visible && Gathering();
  if (writer && !may_return) {
    writer->outcomes.Add(object.id().sequence, object.outcome, limits.outcomes_kept_per_writer);
  }
  for (HeldReplica& replica : object.replicas()) {
    if (replica.segment && !IsRetiring(replica.standing)) OrderRetirement(event, replica);
  }
  if (object.was_visible || !object.key) AnswerEnded(event, object);
  if (!object.was_visible && !IsUnsettled(&key)) AnswerReaders(event, key);
  const bool has_left_key = object.key == nullptr;
  if (object.not_withdrawn == 0) LeaveKey(event, object);
  if (object.not_free == 0) objects.Erase(object);
  if (has_left_key) ForgetIfEmpty(key);
}

// Its put has ended. Its writer is told only when no master can take a note of it for a commit.
void Catalog::State::AnswerEnded(Event& event, Object& object) {
  while (WaitingItem* const item = object.waiting().front()) {
    Status status;
    if (item->verb == WaitingVerb::kCommitPut) {
      status = EndedCommit(*nodes.Find(object.id().writer), object.id().sequence);
    } else if (item->verb == WaitingVerb::kKept) {
      status = NotFoundError("no such object");
    }
    AnswerStatus(event, item->request, item->index, item->verb, std::move(status));
    waiting.Remove(item);
  }
}

void Catalog::State::CountRetired(const Object& object, Cause cause) {
  switch (cause) {
    case Cause::kAborted:
    case Cause::kWriterLost:
      ++counters.puts_aborted;
      break;
    case Cause::kExpired:
      ++counters.puts_expired;
      break;
    case Cause::kHoldersLost:
      if (object.state == ObjectState::kComplete) {
        ++counters.lost_with_node;
        counters.bytes_lost_with_node += object.size;
      } else {
        ++counters.puts_aborted;
      }
      break;
    case Cause::kReplaced:
      ++counters.replaced;
      break;
    case Cause::kCalledBack:
      break;  // no object
    case Cause::kRemoved:
      ++counters.removed;
      break;
    case Cause::kEvictedForRoom:
      ++counters.evicted_for_room;
      break;
    case Cause::kEvictedByWatermark:
      ++counters.evicted_by_watermark;
      break;
    case Cause::kEvictedByOperator:
      ++counters.evicted_by_operator;
      break;
    case Cause::kEvictedWithGroup:
      ++counters.evicted_with_group;
      break;
    case Cause::kTtl:
      ++counters.expired;
      break;
  }
}

void Catalog::State::OrderRetirement(Event& event, HeldReplica& replica) {
  Segment& segment = *replica.segment;
  Node& holder = segment.node();
  ForgetNote(replica);
  if (holder.unconfirmed++ == 0) holder.unconfirmed_since = event.now;
  ++counters.orders_sent;
  replica.set_sent(event.now);
  segment.Move(&replica, Standing::kOrdered);
  SendOrder(event, replica);
  if (!guards.reuse_after_free_ack) segment.FreeMemory(&replica);
  nodes.NoteSpace(&segment);
  AnswerPins(event, replica.object());
}

void Catalog::State::SendOrder(Event& event, HeldReplica& replica) {
  const Segment& segment = *replica.segment;
  if (!segment.node().TakesOrders()) return;  // it follows when the node joins again
  event.out.Add(segment.id().holder, RetireOrder{replica.object().id(), segment.id().index,
                                                 replica.birth, replica.ranges.All()});
}

void Catalog::State::Withdrawn(Event& event, HeldReplica& replica) {
  --replica.segment->node().unconfirmed;
  replica.segment->Move(&replica, Standing::kWithdrawn);
  if (--replica.object().not_withdrawn == 0) LeaveKey(event, replica.object());
}

void Catalog::State::Freed(HeldReplica& replica) {
  Segment* const segment = replica.segment;
  segment->Release(&replica);
  nodes.NoteSpace(segment);
  Object& object = replica.object();
  if (--object.not_free == 0) {
    objects.Erase(object);
  } else if (object.state != ObjectState::kRetiring) {
    object.RemoveReplica(replica);
  }
}

void Catalog::State::LeaveKey(Event& event, Object& object) {
  if (!object.key) return;
  KeyEntry& key = *object.key;
  object.key = nullptr;
  AnswerEnded(event, object);
  key.RemoveLeaving(&object);
  AdvanceSweeps(event, object.id());
  if (key.leaving().empty()) AnswerRemovers(event, key);
  CompleteIfClear(event, key);
  ForgetIfEmpty(key);
}

void Catalog::State::Lose(Event& event, HeldReplica& replica) {
  Object& object = replica.object();
  switch (object.state) {
    case ObjectState::kRetiring:
      if (replica.standing == Standing::kOrdered) Withdrawn(event, replica);
      Freed(replica);
      return;
    case ObjectState::kAhead:
      return EndAhead(event, object, Cause::kHoldersLost);  // lost in the next round
    case ObjectState::kPending:
      // Its writer can't finish this copy. Retired, the replica is lost in the next round.
      Retire(event, object, Cause::kHoldersLost);
      return;
    default:
      return LoseOne(event, replica);
  }
}

void Catalog::State::LoseOne(Event& event, HeldReplica& replica) {
  Object& object = replica.object();
  if (IsRetiring(replica.standing)) {
    if (replica.standing == Standing::kOrdered) Withdrawn(event, replica);
    return Freed(replica);
  }
  const bool served = IsCommitted(replica.standing);
  const Segment* const segment = replica.segment;
  if (!served && object.state == ObjectState::kComplete) {
    ++counters.copies_failed;
    copies.End(object.id(), event.now);
  }
  ForgetNote(replica);
  replica.segment->Release(&replica);
  --object.not_free;
  --object.not_withdrawn;
  object.RemoveReplica(replica);
  if (Serving(object) == 0) return Retire(event, object, Cause::kHoldersLost);
  // The others may all have noted it.
  if (object.state == ObjectState::kCommitting) return CompleteIfClear(event, *object.key);
  if (served) Tell(event, ObjectEvent::What::kReplicaLost, object, segment);
  AnswerPins(event, object);
  Review(event, object);
}

template <typename Ack, typename Each>
void Catalog::State::ForEachFetched(const std::vector<Ack>& acks, const Each& handle) {
  for (size_t i = 0; i < acks.size(); ++i) {
    if (i % ObjectTable::kFetched == 0) {
      objects.Fetch(i, acks.size(), [&acks](size_t place) { return acks[place].put; });
    }
    handle(acks[i]);
  }
}

void Catalog::State::HandleAcks(Event& event, Node& node, const Acks& acks) {
  if ((acks.term != term && guards.other_terms_are_ignored) || !MayGrant(node)) {
    counters.acks_ignored += acks.retired.size() + acks.ready.size() + acks.noted.size() +
                             acks.copied.size() + acks.released.size();
    return;
  }
  // Before any memory is free: the counter is not below any stamp in it.
  node.counter = guards.births_never_go_back ? std::max(node.counter, acks.counter) : acks.counter;
  node.acks_heard = event.now;
  node.heard = std::max(node.heard, event.now);
  if (node.has_session) Trust(event, node);
  ForEachFetched(acks.retired, [&](const RetireAck& ack) {
    if (!HandleAck(event, node, ack)) ++counters.acks_ignored;
  });
  ForEachFetched(acks.noted, [&](const NoteAck& ack) {
    if (!HandleNoteAck(event, node, ack)) ++counters.acks_ignored;
  });
  for (const ReadyAck& ack : acks.ready) {
    Segment* const segment = node.FindSegment(ack.segment);
    if (!segment) {
      ++counters.acks_ignored;
      continue;
    }
    segment->Ready(ack.limit, /*ends=*/!ack.problem.empty());
    nodes.NoteSpace(segment);
  }
  for (const CopyAck& ack : acks.copied) {
    if (!HandleCopied(event, node, ack)) ++counters.acks_ignored;
  }
  for (const ReleaseAck& ack : acks.released) {
    if (!HandleReleased(event, node, ack)) ++counters.acks_ignored;
  }
  for (const auto& segment : node.segments) {
    ServeQueue(event, *segment);
    MakeRoom(event, *segment);
  }
  // Copies that have ended make way for the next.
  if (!acks.copied.empty()) RunCopies(event);
}

bool Catalog::State::HandleAck(Event& event, Node& node, const RetireAck& ack) {
  Object* const object = Find(ack.put);
  if (!object) return false;
  const SegmentId segment{node.peer.incarnation, ack.segment};
  const auto replica = std::find_if(
      object->replicas().begin(), object->replicas().end(), [&](const HeldReplica& candidate) {
        return candidate.segment && IsRetiring(candidate.standing) &&
               candidate.segment->id() == segment && candidate.birth == ack.birth;
      });
  if (replica == object->replicas().end()) return false;
  const bool news = replica->standing == Standing::kOrdered;
  if (news) {
    ++counters.acks_withdrawn;
    Withdrawn(event, *replica);
  }
  if (ack.stage == RetireStage::kWithdrawn) return news;
  ++counters.acks_free;
  Freed(*replica);
  return true;
}

}  // namespace kvstore::master
