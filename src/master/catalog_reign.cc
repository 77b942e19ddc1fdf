// A new reign. Members of the last one are missing until they have reported what their memory
// holds, or are gone. Until then nobody knows what is not there: only what has been reported is
// answered, and all else is held up.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

Status Contradiction(const std::string& what) {
  return InvalidArgumentError("the report contradicts itself or the pool: " + what);
}

std::string Name(const PutId& put) {
  return "put " + put.writer.ToString() + "." + std::to_string(put.sequence);
}

// Which answer an item that is held up gets.
struct VerbOfHeldUp {
  WaitingVerb operator()(const StartPut&) const { return WaitingVerb::kStartPut; }
  WaitingVerb operator()(const CommitPut&) const { return WaitingVerb::kCommitPut; }
  WaitingVerb operator()(const RemoveMatching&) const { return WaitingVerb::kSweep; }
  template <typename Verb>
  WaitingVerb operator()(const Verb&) const {
    return WaitingVerb::kItem;
  }
};

// The put that the item names; none: it names a key.
struct PutOfItem {
  uint32_t index;
  std::optional<uint64_t> operator()(const StartPut& verb) const { return At(verb.sequences); }
  std::optional<uint64_t> operator()(const CommitPut& verb) const { return At(verb.sequences); }
  std::optional<uint64_t> operator()(const AbortPut& verb) const { return At(verb.sequences); }
  template <typename Verb>
  std::optional<uint64_t> operator()(const Verb&) const {
    return std::nullopt;
  }
  std::optional<uint64_t> At(const std::vector<uint64_t>& sequences) const {
    return index < sequences.size() ? std::optional(sequences[index]) : std::nullopt;
  }
};

bool IsHeldMemory(const Object& object) { return object.id().sequence >= kFirstHeldSequence; }

}  // namespace

void Catalog::State::BeginReign(TimePoint now, const Reign& reign) {
  began = now;
  longest_lease = std::max(reign.longest_lease, limits.lease);
  if (!reign.members.empty() && guards.nothing_evicted_for_longest_lease) {
    no_lease_ends_before = now + longest_lease;
  }
  for (const Reign::Member& member : reign.members) {
    Peer peer;
    peer.incarnation = member.incarnation;
    peer.name = member.name;
    Node* const node = nodes.Add(peer, now);
    node->kept = node->missing = true;
    node->reported = node->has_session = false;
    nodes.Suspect(node, now);
    ++nodes_missing;
  }
}

// ---- what waits for the missing

// Whether the put's fate is. What was to replace another may yet be reported by more holders.
bool Catalog::State::IsKnown(const PutId& put) {
  const Object* const object = Find(put);
  return object && object->state != ObjectState::kCommitting;
}

bool Catalog::State::IsUnsettled(const KeyEntry* key) const {
  if (key && key->current()) return false;
  if (key && key->unfinished() && key->unfinished()->state == ObjectState::kCommitting) return true;
  return Gathering() && guards.misses_wait_for_reports;
}

void Catalog::State::DoWhileGathering(Event& event, const Asking& asking,
                                      const VerbRequest& request) {
  // Readers find out for themselves (IsUnsettled), nothing is granted ahead (RoomAhead); what is
  // never answered can't be wrong.
  const bool waits_by_itself = std::visit(
      [](const auto& verb) {
        using Verb = std::decay_t<decltype(verb)>;
        return std::is_same_v<Verb, Locate> || std::is_same_v<Verb, Exists> ||
               std::is_same_v<Verb, WaitExists> || std::is_same_v<Verb, StatObject> ||
               std::is_same_v<Verb, NoteReads> || std::is_same_v<Verb, ReportFailures> ||
               std::is_same_v<Verb, GrantAhead>;
      },
      request.verb);
  std::set<uint32_t> known;
  std::shared_ptr<const VerbRequest> kept;
  for (uint32_t i = 0; !waits_by_itself && i < ItemCount(request); ++i) {
    const auto sequence = std::visit(PutOfItem{i}, request.verb);
    const PutId put{asking.caller.peer.incarnation, sequence.value_or(0)};
    if (sequence && IsKnown(put)) {
      known.insert(i);
      continue;
    }
    if (waiting.Contains(asking.request, i)) continue;
    if (!kept) kept = std::make_shared<const VerbRequest>(request);
    WaitingItem item;
    item.index = i;
    item.verb = std::visit(VerbOfHeldUp(), request.verb);
    item.held_up = kept;
    item.list = &held_up;
    if (Wait(event, asking, item) && sequence) held_up_puts[put] = {asking.request, i};
  }
  if (known.empty() && !waits_by_itself) return;
  Asking some = asking;
  if (!waits_by_itself) some.items = &known;
  std::visit([&](const auto& verb) { Do(event, some, verb); }, request.verb);
}

void Catalog::State::DoHeldUp(Event& event, const std::vector<WaitingItem*>& items) {
  const WaitingItem first = *items.front();
  std::set<uint32_t> indexes;
  for (WaitingItem* item : items) {
    indexes.insert(item->index);
    waiting.Remove(item);
  }
  const Duration left = std::max(first.deadline - event.now, Duration::zero());
  const Asking asking{*nodes.Find(first.request.caller), first.request, left, first.since,
                      &indexes};
  std::visit([&](const auto& verb) { Do(event, asking, verb); }, first.held_up->verb);
}

void Catalog::State::NobodyIsMissing(Event& event) {
  Expire(event);  // nobody is answered with what the next tick would retire
  contradicted.clear();
  held_up_puts.clear();
  std::vector<PutId> unsettled;
  for (const auto& [put, replaced] : replacing) unsettled.push_back(put);
  for (const PutId& put : unsettled) {
    if (Object* const object = Find(put)) CompleteIfClear(event, *object->key);
  }
  for (const auto& [incarnation, node] : nodes.all()) {
    for (WaitingItem* item : waiting.OfCaller(incarnation)) {
      KeyEntry* const key = item->key;
      const bool reads = item->verb == WaitingVerb::kLocate || item->verb == WaitingVerb::kExists ||
                         item->verb == WaitingVerb::kStat;
      if (!reads || IsUnsettled(key)) continue;
      AnswerReader(event, item);
      ForgetIfEmpty(*key);
    }
  }
  while (WaitingItem* item = held_up.front()) {
    const RequestName name = item->request;
    std::vector<WaitingItem*> items;
    for (; item && item->request == name; item = item->next) items.push_back(item);
    DoHeldUp(event, items);
  }
}

void Catalog::State::NoLongerMissing(Event& event, Node& node) {
  if (!node.missing) return;
  node.missing = false;
  --nodes_missing;
  if (!Gathering()) NobodyIsMissing(event);
}

void Catalog::State::ForgetStruck(Event& event) {
  if (!struck_early || event.now < began + limits.quiet_start) return;
  struck_early = false;
  if (!Gathering()) NobodyIsMissing(event);
}

// ---- reports

void Catalog::State::BeginReport(Event& event, Node& node) {
  node.report_began = node.joined = event.now;
  if (!node.report_heard) node.report_heard = event.now;
  // The last one broke off. What it named as held is named anew.
  for (const auto& segment : node.segments) {
    for (size_t s = 0; s < kStandings; ++s) {
      for (HeldReplica* r = segment->First(static_cast<Standing>(s)); r; r = r->next) {
        r->reported = false;
      }
    }
    std::vector<HeldReplica*> held;
    for (HeldReplica* r = segment->First(Standing::kWithdrawn); r; r = r->next) {
      if (IsHeldMemory(r->object())) held.push_back(r);
    }
    for (HeldReplica* replica : held) Freed(*replica);
  }
}

Status Catalog::State::HandleReport(Event& event, Node& node, const Report& report) {
  const Status status = TakeReport(event, node, report);
  if (!status.ok()) Strike(event, node, NodeEvent::What::kGone, status.message());
  return status;
}

Status Catalog::State::TakeReport(Event& event, Node& node, const Report& report) {
  if (node.reported) return Contradiction("nobody has asked for it");
  if (report.term != term) {
    return Contradiction("it is for term " + std::to_string(report.term) + ", this is " +
                         std::to_string(term));
  }
  if (!node.missing && !report.notes.empty()) {
    return Contradiction("a node that was no member has notes");
  }
  node.counter = std::max(node.counter, report.counter);
  node.heard = std::max(node.heard, event.now);
  node.report_heard = event.now;
  for (size_t i = 0; i < report.notes.size(); ++i) {
    if (i % KeyTable::kFetched == 0) FetchNoted(report, i);
    KVSTORE_RETURN_IF_ERROR(Adopt(event, node, report.notes[i]));
  }
  for (const HeldMemory& held : report.held) {
    KVSTORE_RETURN_IF_ERROR(AdoptHeld(event, node, held));
  }
  return report.last ? EndReport(event, node, report) : Status::Ok();
}

// There are millions of notes, and what is looked up for each lies anywhere.
void Catalog::State::FetchNoted(const Report& report, size_t first) const {
  const size_t count = std::min(KeyTable::kFetched, report.notes.size() - first);
  KeyTable::Hashes names{}, puts{};
  for (size_t i = 0; i < count; ++i) {
    names[i] = KeyTable::Hash(report.notes[first + i].key);
    puts[i] = std::hash<PutId>()(report.notes[first + i].put);
  }
  keys.Fetch({names.data(), count});
  objects.Fetch({puts.data(), count});
}

Result<Segment*> Catalog::State::CheckReported(const Node& node, uint32_t index, uint64_t birth,
                                               const std::vector<Range>& ranges,
                                               const std::function<std::string()>& whose) const {
  Segment* const segment = node.FindSegment(index);
  if (!segment)
    return Contradiction(whose() + ": no segment " + std::to_string(index) + " is lent");
  if (birth > node.counter) return Contradiction(whose() + ": its birth is yet to come");
  if (ranges.empty() || ranges.size() > kMaxRangesPerReplica) {
    return Contradiction(whose() + ": " + std::to_string(ranges.size()) + " ranges");
  }
  for (const Range& range : ranges) {
    if (range.length == 0 || range.length % segment->granule() != 0 ||
        range.offset % segment->granule() != 0) {
      return Contradiction(whose() + ": a range is not whole granules");
    }
    if (range.length > segment->prepared() || range.offset > segment->prepared() - range.length) {
      return Contradiction(whose() + ": a range lies beyond what is ready");
    }
  }
  return segment;
}

Status Catalog::State::Adopt(Event& event, Node& node, const NoteOrder& note) {
  const auto whose = [&] { return Name(note.put); };
  KVSTORE_ASSIGN_OR_RETURN(Segment* const segment,
                           CheckReported(node, note.segment, note.birth, note.ranges, whose));
  uint64_t bytes = 0;
  for (const Range& range : note.ranges) bytes += range.length;
  if (bytes != segment->free().Footprint(note.size)) {
    return Contradiction(whose() + ": its ranges are not what its size takes");
  }
  if (note.put.writer.IsNone() || note.put.sequence >= kFirstHeldSequence || note.key.empty()) {
    return Contradiction(whose() + ": no writer puts so");
  }
  Object* object = Find(note.put);
  if (object && object->state == ObjectState::kAhead) {
    return Contradiction(whose() + ": it is a grant ahead");
  }
  if (object && object->state != ObjectState::kRetiring &&
      (object->key->name() != note.key || object->size != note.size ||
       object->checksum != note.checksum)) {
    return Contradiction(whose() + ": another node has it otherwise");
  }
  const bool settled = object && (object->state == ObjectState::kComplete ||
                                  object->state == ObjectState::kRetiring);
  if (object && !settled && !replacing.contains(note.put)) {
    return Contradiction(whose() + ": it is under way");
  }
  if (object) {
    for (HeldReplica& replica : object->replicas()) {
      if (!replica.segment || &replica.segment->node() != &node) continue;
      const bool same = replica.segment == segment && replica.birth == note.birth &&
                        replica.ranges.All() == note.ranges;
      if (!same) return Contradiction(whose() + ": it is named twice");
      replica.reported = true;  // by a report that was begun again
      return Status::Ok();
    }
  } else {
    object = &AddAdopted(event, node, note);
  }
  HeldReplica& replica = object->AddReplica();
  const bool committing = object->state == ObjectState::kCommitting;
  const Standing standing = committing ? Standing::kUnfinished : Standing::kEvictable;
  if (!segment->Adopt(&replica, note.ranges, note.birth, standing)) {
    object->RemoveReplica(replica);
    if (object->replicas().empty()) Unadopt(*object);
    return Contradiction(whose() + ": its memory is named twice");
  }
  ++object->not_withdrawn;
  ++object->not_free;
  replica.reported = true;
  if (object->state == ObjectState::kRetiring) {
    LetLeave(*object, note.key);
    OrderRetirement(event, replica);
    return Status::Ok();
  }
  replica.noted = true;
  if (committing) {
    // Another holder may know that nothing is replaced any more.
    if (note.replaces.writer.IsNone()) Settle(event, *object);
    if (object->state != ObjectState::kComplete) return Status::Ok();
  }
  TakeRetention(event.now, note.retention, *object);
  SettleStandings(event.now, *object);
  Review(event, *object);
  if (object->expires() > event.now) AnswerReaders(event, *object->key);
  object->key->Trim();
  DoHeldUpPut(event, note.put);
  return Status::Ok();
}

// Two puts of one key stand in manifests together while the one replaces the other: then it is
// known which is the newer. Of what has the same bytes as what is visible, it does not matter.
bool Catalog::State::Contradicts(const KeyEntry& key, const NoteOrder& note,
                                 const Object& object) const {
  const bool beside_current = !key.current() || key.current()->SameBytesAs(object) ||
                              (key.current()->id() == note.replaces && !key.unfinished());
  const bool beside_unfinished = !key.unfinished() || IsReplaced(note.put, key) ||
                                 (key.unfinished()->id() == note.replaces && !key.current());
  return !beside_current || !beside_unfinished;
}

bool Catalog::State::IsReplaced(const PutId& put, const KeyEntry& key) const {
  if (!key.unfinished()) return false;
  const auto replaced = replacing.find(key.unfinished()->id());
  return replaced != replacing.end() && replaced->second == put;
}

// It was visible: what it was noted to replace had been withdrawn everywhere.
void Catalog::State::Settle(Event& event, Object& adopted) {
  if (Object* const older = adopted.key->current()) Retire(event, *older, Cause::kReplaced);
  Complete(event, adopted);
}

// A put of the last reign: visible, unless there is another of its key, or may be.
Object& Catalog::State::AddAdopted(Event& event, const Node& node, const NoteOrder& note) {
  KeyEntry& key = FindOrAddKey(note.key);
  Object& object = objects.Add(note.put);
  object.size = note.size;
  object.checksum = note.checksum;
  object.replicas_wanted = std::clamp<uint32_t>(note.replicas, 1, limits.replicas);
  object.was_visible = object.adopted = true;
  object.committed = event.now;
  object.outcome = Outcome::kCommitted;
  object.key = nullptr;
  if (guards.contradictions_are_dropped && Contradicts(key, note, object)) {
    contradicted.insert(note.key);
    event.out.AddContradicted(note.key);
    Object* const unfinished = key.unfinished();
    Object* const current = key.current();
    if (unfinished) Retire(event, *unfinished, Cause::kHoldersLost);
    if (current) Retire(event, *current, Cause::kHoldersLost);
  }
  if (contradicted.contains(note.key)) {
    object.state = ObjectState::kRetiring;
    return object;
  }
  // Which of two with the same bytes is the newer nobody knows: what is kept is kept as long, and
  // in as many replicas, as either was to be.
  Object* const twin = key.current();
  if (twin && note.replaces != twin->id()) {
    object.state = ObjectState::kRetiring;
    twin->replicas_wanted = std::max(twin->replicas_wanted, object.replicas_wanted);
    TakeRetention(event.now, note.retention, *twin);
    ExpireLater(event.now, note.retention.ttl, *twin);
    Note(event, *twin);
    Review(event, *twin);
    return object;
  }
  object.key = &key;
  SetRetention(object, note.retention);
  // Its holder counted what was left at some time since it was asked; nobody is to find it longer.
  if (object.expires() != TimePoint::max()) {
    object.set_expires(object.expires() - std::min(object.expires().time_since_epoch(),
                                                   event.now - node.report_began));
  }
  if (Node* const writer = nodes.Find(note.put.writer)) {
    writer->outcomes.Begin(note.put.sequence, limits.outcomes_kept_per_writer);
  }
  // What is being replaced had replaced what it was to, or it would not have been visible.
  const bool is_replaced = IsReplaced(note.put, key);
  if (key.unfinished() && !is_replaced) Settle(event, *key.unfinished());
  if (!note.replaces.writer.IsNone() && !is_replaced) {
    object.was_visible = false;
    object.notes_sent = true;
    object.state = ObjectState::kCommitting;
    key.set_unfinished(&object);
    replacing.emplace(note.put, note.replaces);
    return object;
  }
  object.state = ObjectState::kComplete;
  key.set_current(&object);
  ++complete;
  BeginKeeping(event.now, object);
  return object;
}

// It was given no memory after all.
void Catalog::State::Unadopt(Object& object) {
  if (KeyEntry* const key = object.key) {
    EndKeeping(object);
    replacing.erase(object.id());
    if (key->unfinished() == &object) {
      key->set_unfinished(nullptr);
    } else {
      key->set_current(nullptr);
      --complete;
    }
    ForgetIfEmpty(*key);
  }
  objects.Erase(object);
}

// A key waits for the withdrawal of all that was ever visible under it.
void Catalog::State::LetLeave(Object& object, const std::string& name) {
  if (object.key) return;
  object.key = &FindOrAddKey(name);
  object.key->AddLeaving(&object);
}

// Holders may differ in what they were told last: the longer keeping counts.
void Catalog::State::TakeRetention(TimePoint now, const Retention& left, Object& object) {
  const bool hard = object.hard_pin || left.hard_pin;
  const Duration soft = std::max(object.soft_pin_end() - now, left.soft_pin);
  if (hard == object.hard_pin && object.soft_pin_end() >= now + left.soft_pin) return;
  SetPins(now, object, hard, std::max(soft, Duration::zero()));
}

// As if it had just been located: leases of the last reign may run on it. Lists of leases run in
// the order of their ends, so that one which runs is begun anew.
void Catalog::State::SettleStandings(TimePoint now, Object& object) {
  if (now < no_lease_ends_before || object.lease_end > now) {
    object.lease_end = LeaseFrom(now);
  }
  const bool leased = object.lease_end > now && !object.hard_pin;
  for (HeldReplica& replica : object.replicas()) {
    if (!replica.segment || IsRetiring(replica.standing)) continue;
    replica.segment->Move(&replica, leased ? Standing::kLeased : Resting(object, now));
  }
}

void Catalog::State::DoHeldUpPut(Event& event, const PutId& put) {
  const auto found = held_up_puts.find(put);
  if (found == held_up_puts.end()) return;
  const auto [request, index] = found->second;
  held_up_puts.erase(found);
  if (WaitingItem* const item = waiting.Find(request, index)) DoHeldUp(event, {item});
}

Status Catalog::State::AdoptHeld(Event& event, Node& node, const HeldMemory& held) {
  const PutId id{node.peer.incarnation, held.sequence};
  const auto whose = [&] { return "held memory " + std::to_string(held.sequence); };
  if (held.sequence < kFirstHeldSequence) return Contradiction(whose() + ": a writer may name it");
  if (Find(id)) return Contradiction(whose() + ": it is named twice");
  KVSTORE_ASSIGN_OR_RETURN(Segment* const segment,
                           CheckReported(node, held.segment, held.birth, held.ranges, whose));
  Object& object = objects.Add(id);
  object.state = ObjectState::kRetiring;
  HeldReplica& replica = object.AddReplica();
  if (!segment->Adopt(&replica, held.ranges, held.birth, Standing::kWithdrawn)) {
    objects.Erase(object);
    return Contradiction(whose() + ": its memory is named twice");
  }
  object.size = replica.bytes();
  object.not_free = 1;
  replica.set_sent(event.now);
  return Status::Ok();
}

Status Catalog::State::EndReport(Event& event, Node& node, const Report& report) {
  for (const LentSegment& lent : report.segments) {
    Segment* const segment = node.FindSegment(lent.index);
    if (!segment) continue;  // it came after the hello: the node says so once more
    if (segment->granule() != lent.granule) {
      return Contradiction("its hello lent segment " + std::to_string(lent.index) +
                           " with another granule");
    }
    segment->Ready(lent.ready, /*ends=*/false);
  }
  ForgetUnreported(event, node);
  node.reported = true;
  node.report_heard.reset();
  node.acks_heard = event.now;
  if (node.missing) event.out.Add(AboutNode(NodeEvent::What::kReported, node));
  ResendOrders(event, node, TimePoint::max());
  for (const auto& segment : node.segments) {
    nodes.NoteSpace(segment.get());
    KeepReady(event, *segment);
    ServeQueue(event, *segment);
    MakeRoom(event, *segment);
  }
  NoLongerMissing(event, node);
  RetryParked(event);
  return Status::Ok();
}

// What a report that broke off had named, and the whole one did not.
void Catalog::State::ForgetUnreported(Event& event, Node& node) {
  for (const auto& segment : node.segments) {
    std::vector<HeldReplica*> unreported;
    for (size_t s = 0; s < kStandings; ++s) {
      const auto standing = static_cast<Standing>(s);
      if (IsRetiring(standing)) continue;
      for (HeldReplica* r = segment->First(standing); r; r = r->next) {
        if (!r->reported) unreported.push_back(r);
      }
    }
    for (HeldReplica* replica : unreported) Lose(event, *replica);
  }
}

}  // namespace kvstore::master
