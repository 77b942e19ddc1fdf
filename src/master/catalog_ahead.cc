// Grants ahead: memory that a writer holds before it is known what will lie there, so that a small
// put costs one message. It is a grant like any other, under a put id of its own; each piece that a
// commit names leaves it and becomes that put's memory, of the same birth. What is left when it
// ends comes back through the one door. Its writer need not be told: the words tell it.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

StartPutAnswer AheadAnswer(const Event& event, const Object& grant, uint64_t term,
                           std::vector<Replica> replicas) {
  StartPutAnswer answer;
  answer.replicas = std::move(replicas);
  answer.grant = std::max(grant.deadline() - event.now, Duration::zero());
  answer.term = term;
  answer.granule = grant.replicas().front().segment->granule();
  return answer;
}

// It certainly has not been committed.
Status NotAPiece() {
  return NotFoundError(
      "not committed: its piece is of no grant ahead, or no longer; begin again with a new put id");
}

}  // namespace

void Catalog::State::Do(Event& event, const Asking& asking, const GrantAhead& verb) {
  if (!asking.Wants(0)) return;
  for (const uint64_t sequence : verb.done) {
    Object* const done = Find({asking.caller.peer.incarnation, sequence});
    if (done && done->state == ObjectState::kAhead) EndAhead(event, *done, Cause::kAborted);
  }
  const Result<Object*> grant = BeginAhead(event, asking, verb);
  if (grant.ok()) {
    StartPutAnswer answer = AheadAnswer(event, **grant, term, Replicas(**grant));
    return event.out.Add(asking.request, std::move(answer));
  }
  AnswerStatus(event, asking.request, 0, WaitingVerb::kStartPut, grant.status());
}

Result<Object*> Catalog::State::BeginAhead(Event& event, const Asking& asking,
                                           const GrantAhead& verb) {
  Node& writer = asking.caller;
  const PutId id{writer.peer.incarnation, verb.sequence};
  if (Object* const known = Find(id)) {
    if (known->state == ObjectState::kAhead) return known;  // said again
    return InvalidArgumentError("the put id stands for something else");
  }
  if (guards.ended_puts_stay_ended && !writer.outcomes.MayBegin(verb.sequence)) {
    return AbortedError("this grant ahead has ended; ask with a new put id");
  }
  const auto [segment, bytes] = RoomAhead(writer, verb);
  if (!segment) {
    writer.outcomes.Refuse(verb.sequence, limits.outcomes_kept_per_writer);
    ++counters.ahead_refused;
    return ResourceExhaustedError("no memory is granted ahead just now; put without");
  }
  Object& grant = objects.Add(id);
  grant.size = bytes;
  grant.state = ObjectState::kAhead;
  grant.not_withdrawn = grant.not_free = 1;
  grant.more().deadline = event.now + limits.ahead_for;
  HeldReplica& replica = grant.AddReplica();
  segment->Grant(&replica, bytes, 1, segment->node().counter);
  segment->Move(&replica, Standing::kAhead);
  ahead_by_end.emplace(grant.deadline(), id);
  writer.ahead.insert(verb.sequence);
  writer.outcomes.Begin(verb.sequence, limits.outcomes_kept_per_writer);
  ++counters.ahead_given;
  nodes.NoteSpace(segment);
  AskForPages(event, *segment, LowWatermark(*segment) + segment->claimed());
  return &grant;
}

// Where a put would go now, and only if it would be in nobody's way there.
std::pair<Segment*, uint64_t> Catalog::State::RoomAhead(const Node& writer,
                                                        const GrantAhead& verb) const {
  const std::pair<Segment*, uint64_t> none{nullptr, 0};
  if (Gathering() || objects.size() >= limits.objects ||
      writer.ahead.size() >= limits.ahead_per_writer) {
    return none;
  }
  const Object as_put;
  // As puts: first where the low watermark stays free, else objects would be evicted for it that
  // other segments have room for. Where it stays free nowhere half of it will do.
  for (const bool above_watermark : {true, false}) {
    Candidates candidates(nodes, &writer, as_put);
    while (Segment* const segment = candidates.Next()) {
      const uint64_t least = segment->free().Footprint(std::max<uint64_t>(verb.least, 1));
      if (!MayGrant(segment->node()) || least == 0 || least > segment->Available()) continue;
      const uint64_t room = segment->Available() + segment->Unprepared();
      const uint64_t kept = LowWatermark(*segment) / (above_watermark ? 1 : 2);
      if (above_watermark && kept + least > room) continue;
      const auto share =
          static_cast<uint64_t>(limits.ahead_share_allowed * static_cast<double>(segment->limit()));
      const uint64_t taken = segment->Bytes(Standing::kAhead);
      // What it held before is still being put when it asks for the next.
      const uint64_t one =
          std::min(std::max(share / 4, limits.ahead_bytes_small), limits.ahead_bytes);
      const uint64_t own = HeldAhead(writer, *segment);
      if (segment->claimed() > 0 || taken >= share || kept >= room || own >= 2 * one) return none;
      uint64_t most = std::min({segment->Available(), room - kept, segment->free().largest()});
      most = std::min({most, share - taken, one, 2 * one - own, std::max(verb.bytes, least)});
      most = most / segment->granule() * segment->granule();
      return most < least ? none : std::pair(segment, most);
    }
  }
  return none;
}

uint64_t Catalog::State::HeldAhead(const Node& writer, const Segment& segment) const {
  uint64_t bytes = 0;
  for (const uint64_t sequence : writer.ahead) {
    const HeldReplica& replica = Find({writer.peer.incarnation, sequence})->replicas().front();
    if (replica.segment == &segment) bytes += replica.bytes();
  }
  return bytes;
}

void Catalog::State::EndAhead(Event& event, Object& grant, Cause cause) {
  HeldReplica& replica = grant.replicas().front();
  ahead_by_end.erase({grant.deadline(), grant.id()});
  if (Node* const writer = nodes.Find(grant.id().writer)) writer->ahead.erase(grant.id().sequence);
  Become(grant, ObjectState::kRetiring);
  if (replica.ranges.empty()) {
    ++counters.ahead_used_up;
    replica.segment->Release(&replica);
    objects.Erase(grant);
    return;
  }
  ++(cause == Cause::kAborted      ? counters.ahead_given_back
     : cause == Cause::kExpired    ? counters.ahead_expired
     : cause == Cause::kCalledBack ? counters.ahead_called_back
                                   : counters.ahead_lost);
  OrderRetirement(event, replica);
}

void Catalog::State::EndAheadOf(Event& event, const Node& writer) {
  while (!writer.ahead.empty()) {
    EndAhead(event, *Find({writer.peer.incarnation, *writer.ahead.begin()}), Cause::kWriterLost);
  }
}

void Catalog::State::CallBack(Event& event, Segment& segment, uint64_t wanted) {
  uint64_t called = 0;
  while (called < wanted) {
    HeldReplica* const oldest = segment.First(Standing::kAhead);
    if (!oldest) return;
    called += oldest->bytes();
    EndAhead(event, oldest->object(), Cause::kCalledBack);
  }
}

void Catalog::State::CallBackUnlessPlaced(Event& event, Segment& segment) {
  if (guards.pieces_are_placed && !segment.TakesNew()) CallBack(event, segment, UINT64_MAX);
}

// Of a piece that another master gave that one may have committed the put, and a report may yet
// name it: then nothing here says that it wasn't, such as that its key is taken.
bool Catalog::State::NamesPiece(const CommitPut& verb, uint32_t index) {
  if (verb.pieces.empty()) return false;
  if (verb.pieces[index].term == term || !guards.pieces_name_their_term) return true;
  ++counters.pieces_refused;
  ++counters.pieces_of_other_terms;
  return false;
}

// The put begins with its commit. If it doesn't, neither its id nor its piece begins another: the
// caller is told so, and the same message may come once more.
Result<Object*> Catalog::State::BeginInPiece(Event& event, const Asking& asking,
                                             const CommitPut& verb, uint32_t index) {
  if (verb.put.replicas != 1) {
    return InvalidArgumentError("what lies in a piece of a grant ahead has one replica");
  }
  Node& writer = asking.caller;
  const PutId id{writer.peer.incarnation, verb.sequences[index]};
  const GrantPiece& piece = verb.pieces[index];
  const Range range{piece.offset, piece.length};
  Status status = CheckStart(event, asking, verb.put, index);
  HeldReplica* const grant = FindPiece(event, writer, piece, verb.put.sizes[index]);
  if (status.ok() && !grant) {
    ++counters.pieces_refused;
    status = NotAPiece();
  }
  if (status.ok() && verb.put.retention.hard_pin && !MayPin(*grant->segment, range.length)) {
    ++counters.pins_refused;
    status = TooMuchPinned(*grant->segment, range.length);
  }
  if (!status.ok()) {
    writer.outcomes.Add(id.sequence, Outcome::kRefused, limits.outcomes_kept_per_writer);
    if (!grant || !guards.named_pieces_are_spent) return status;
    Object& spent = objects.Add(id);
    spent.size = range.length;
    spent.state = ObjectState::kRetiring;
    OrderRetirement(event, TakePiece(event, *grant, range, spent));
    return status;
  }
  Object& object = AddObject(event, asking, verb.put, index);
  object.more().preferred_nodes = {};
  object.more().deadline = grant->object().deadline();
  Become(object, ObjectState::kPending);
  TakePiece(event, *grant, range, object);
  writer.outcomes.Begin(id.sequence, limits.outcomes_kept_per_writer);
  ++counters.puts_ahead;
  return &object;
}

HeldReplica* Catalog::State::FindPiece(Event& event, const Node& writer, const GrantPiece& piece,
                                       uint64_t size) {
  Object* const grant = Find({writer.peer.incarnation, piece.grant});
  if (!grant || grant->state != ObjectState::kAhead) return nullptr;
  if (guards.expired_grants_are_refused && event.now >= grant->deadline()) {
    EndAhead(event, *grant, Cause::kExpired);
    return nullptr;
  }
  HeldReplica& replica = grant->replicas().front();
  const Segment& segment = *replica.segment;
  // In one of what is left of it; taken out of the midst it leaves one range more to be retired.
  const bool fits =
      piece.length == segment.free().Footprint(size) && piece.offset % segment.granule() == 0 &&
      replica.ranges.size() < kMaxRangesPerReplica && replica.ranges.HasAny([&](const Range& r) {
        return piece.offset >= r.offset && piece.length <= r.length &&
               piece.offset - r.offset <= r.length - piece.length;
      });
  return fits ? &replica : nullptr;
}

HeldReplica& Catalog::State::TakePiece(Event& event, HeldReplica& grant, const Range& range,
                                       Object& object) {
  HeldReplica& replica = object.AddReplica();
  object.not_withdrawn = object.not_free = 1;
  grant.segment->Cut(&grant, range, &replica);
  if (grant.ranges.empty()) EndAhead(event, grant.object(), Cause::kAborted);
  return replica;
}

}  // namespace kvstore::master
