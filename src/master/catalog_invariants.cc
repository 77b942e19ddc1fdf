// What must hold between any two events, checked from the data alone.

#include <algorithm>
#include <array>
#include <set>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

// Gathers what is broken. Confined to one check.
class Findings {
 public:
  void Expect(bool holds, const std::string& what) {
    if (!holds) text_ += what + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string Name(const SegmentId& id) {
  return "segment " + id.holder.ToString() + "/" + std::to_string(id.index);
}

std::string Name(const Object& object) {
  return std::string(ObjectStateName(object.state)) + " put " + object.id().writer.ToString() +
         "/" + std::to_string(object.id().sequence);
}

// Rule 1: every granule below `prepared` is free, withheld, or of one replica, exactly.
void CheckTiling(const Segment& segment, Findings* findings) {
  std::vector<Range> ranges = segment.free().FreeRanges();
  for (const Range& range : ranges) {
    findings->Expect(range.offset + range.length <= segment.limit(),
                     Name(segment.id()) + ": memory beyond its limit is free");
  }
  for (const Range& range : segment.withheld().FreeRanges()) {
    findings->Expect(range.offset >= segment.limit(),
                     Name(segment.id()) + ": memory below its limit is withheld");
    ranges.push_back(range);
  }
  uint64_t hard_pinned = 0;
  for (size_t s = 0; s < kStandings; ++s) {
    const auto standing = static_cast<Standing>(s);
    uint64_t bytes = 0;
    for (const HeldReplica* r = segment.First(standing); r; r = r->next) {
      bytes += r->bytes();
      if (r->object().hard_pin && !IsRetiring(standing)) hard_pinned += r->bytes();
      findings->Expect(r->standing == standing && r->segment == &segment,
                       Name(segment.id()) + ": a replica is in the wrong list");
      for (size_t i = 0; r->bytes() > 0 && i < r->ranges.size(); ++i)
        ranges.push_back(r->ranges[i]);
    }
    findings->Expect(bytes == segment.Bytes(standing), Name(segment.id()) + ": a sum is wrong");
  }
  findings->Expect(hard_pinned == segment.hard_pinned(), Name(segment.id()) + ": pins miscounted");
  std::sort(ranges.begin(), ranges.end());
  uint64_t end = 0;
  for (const Range& range : ranges) {
    findings->Expect(
        range.offset == end,
        Name(segment.id()) + ": memory is lost or held twice at " + std::to_string(end));
    findings->Expect(range.length > 0 && range.length % segment.granule() == 0,
                     Name(segment.id()) + ": a range is not whole granules");
    end = range.offset + range.length;
  }
  findings->Expect(end == segment.prepared(), Name(segment.id()) + ": its end is lost");
  const Space space = segment.TakeSpace();
  findings->Expect(space.size == space.unprepared + space.free + space.unfinished +
                                     space.committed + space.retiring,
                   Name(segment.id()) + ": its space does not add up");
  findings->Expect(segment.prepared() <= segment.asked() && segment.asked() <= segment.size(),
                   Name(segment.id()) + ": more is prepared than asked for, or asked than lent");
}

void CheckSegment(const Segment& segment, Findings* findings) {
  CheckTiling(segment, findings);
  uint64_t claimed = 0;
  for (const auto& [arrival, object] : segment.queue()) {
    claimed += segment.free().Footprint(object->size);
    findings->Expect(object->state == ObjectState::kParked && object->rest().arrival == arrival,
                     Name(*object) + " is in a queue");
    findings->Expect(
        std::count(object->rest().targets.begin(), object->rest().targets.end(), &segment) == 1,
        Name(*object) + " is in a queue that it does not know");
  }
  for (const HeldReplica* r = segment.First(Standing::kAhead); r; r = r->next) {
    findings->Expect(segment.TakesNew() && !segment.LiesBeyond(*r),
                     Name(segment.id()) + " has a grant ahead where nothing is placed");
  }
  findings->Expect(claimed == segment.claimed(), Name(segment.id()) + ": claims don't add up");
  TimePoint last{};
  for (const HeldReplica* r = segment.First(Standing::kLeased); r; r = r->next) {
    findings->Expect(r->object().lease_end >= last,
                     Name(segment.id()) + ": leases are out of order");
    last = r->object().lease_end;
  }
}

void CheckNode(const Node& node, Findings* findings) {
  const std::string name = "node " + node.peer.name;
  findings->Expect(node.has_session || node.suspected, name + " is trusted without a session");
  size_t unconfirmed = 0;
  for (const auto& segment : node.segments) {
    unconfirmed += segment->List(Standing::kOrdered).size();
    CheckSegment(*segment, findings);
  }
  findings->Expect(unconfirmed == node.unconfirmed, name + ": unconfirmed orders miscounted");
  for (const auto& [sequence, object] : node.unfinished) {
    findings->Expect(object->id() == PutId{node.peer.incarnation, sequence} &&
                         object->state != ObjectState::kComplete &&
                         object->state != ObjectState::kRetiring,
                     name + " has as unfinished the " + Name(*object));
  }
}

void CheckNotes(const Node& node, Findings* findings) {
  findings->Expect(!node.missing || (node.kept && !node.reported),
                   "node " + node.peer.name + " is missing, and not");
  for (const auto& [serial, note] : node.notes) {
    const HeldReplica& replica = *note.replica;
    findings->Expect(
        replica.note() == serial && replica.segment && &replica.segment->node() == &node,
        Name(replica.object()) + " has another node's note");
    findings->Expect(!replica.noted && !IsRetiring(replica.standing),
                     Name(replica.object()) + " has a note that nobody waits for");
  }
}

// Memory that its holder reported as held.
bool IsHeldByHolder(const Object& object) { return object.id().sequence >= kFirstHeldSequence; }

void CheckReplicas(const Object& object, const NodeTable& nodes, bool one_grant_per_node,
                   Findings* findings) {
  size_t not_withdrawn = 0;
  size_t not_free = 0;
  size_t notes_open = 0;
  std::set<Incarnation> holders;
  std::set<Incarnation> every_holder;
  for (const HeldReplica& replica : object.replicas()) {
    if (!replica.segment) continue;
    ++not_free;
    notes_open += replica.note() != 0;
    if (replica.standing != Standing::kWithdrawn) ++not_withdrawn;
    const Incarnation holder = replica.segment->id().holder;
    findings->Expect(IsRetiring(replica.standing) || holders.insert(holder).second,
                     Name(object) + " has two replicas on a node");
    findings->Expect(nodes.Find(holder) != nullptr, Name(object) + " lies on no member");
    findings->Expect(!one_grant_per_node || every_holder.insert(holder).second,
                     Name(object) + " has two grants on a node");
    // A complete object may have replicas that a copy fills, or that have been moved away; one that
    // is committed, some that their holders would not note.
    const bool retiring = IsRetiring(replica.standing);
    const bool fits =
        object.state == ObjectState::kComplete ||
        (!IsCommitted(replica.standing) && (object.state == ObjectState::kCommitting ||
                                            retiring == (object.state == ObjectState::kRetiring)));
    findings->Expect(fits, Name(object) + " has a replica of another standing");
  }
  findings->Expect(not_withdrawn == object.not_withdrawn && not_free == object.not_free,
                   Name(object) + ": its replicas are miscounted");
  findings->Expect(notes_open == object.notes_open, Name(object) + ": its notes are miscounted");
}

// How long a complete object is kept stands where it says, and where it is looked for.
void CheckKept(const HeldReplica& replica, Findings* findings) {
  const Object& object = replica.object();
  const bool fits = replica.standing == Standing::kPinned ? object.hard_pin
                    : replica.standing == Standing::kSoftPinned
                        ? object.soft_pin_end() > TimePoint{}
                        : !object.hard_pin;
  findings->Expect(fits,
                   Name(object) + " stands as " + std::string(StandingName(replica.standing)));
}

void CheckObject(const Object& object, const NodeTable& nodes, bool one_grant_per_node,
                 Findings* findings) {
  CheckReplicas(object, nodes, one_grant_per_node, findings);
  const Node* const writer = nodes.Find(object.id().writer);
  const KeyEntry* const key = object.key;
  switch (object.state) {
    case ObjectState::kParked:
    case ObjectState::kPending:
    case ObjectState::kCommitting:
      findings->Expect(key && key->unfinished() == &object, Name(object) + " has not its key");
      findings->Expect(object.adopted || (object.bound && !writer) ||
                           (writer && writer->unfinished.contains(object.id().sequence)),
                       Name(object) + " is not its writer's");
      findings->Expect(
          object.replicas().empty() == (object.state == ObjectState::kParked),
          Name(object) + (object.replicas().empty() ? " has no memory" : " has memory"));
      break;
    case ObjectState::kComplete:
      findings->Expect(key && key->current() == &object, Name(object) + " can't be found");
      findings->Expect(std::any_of(object.replicas().begin(), object.replicas().end(),
                                   [](const HeldReplica& replica) {
                                     return replica.segment && IsCommitted(replica.standing);
                                   }),
                       Name(object) + " lies nowhere");
      for (const HeldReplica& replica : object.replicas()) {
        if (replica.segment && IsCommitted(replica.standing)) CheckKept(replica, findings);
      }
      break;
    case ObjectState::kAhead:
      findings->Expect(!key && writer && writer->ahead.contains(object.id().sequence),
                       Name(object) + " is not its writer's");
      findings->Expect(object.replicas().size() == 1 &&
                           object.replicas().front().standing == Standing::kAhead &&
                           !object.replicas().front().ranges.empty(),
                       Name(object) + " has nothing left");
      break;
    case ObjectState::kRetiring:
      findings->Expect(object.not_free > 0, Name(object) + " should be gone");
      findings->Expect((key != nullptr) ==
                           ((object.was_visible || object.notes_sent) && object.not_withdrawn > 0),
                       Name(object) + ": its key is wrong about whether it leaves");
      break;
  }
  for (const WaitingItem* item = object.waiting().front(); item; item = item->next) {
    findings->Expect(item->object == &object && item->list == &object.waiting(),
                     Name(object) + ": a waiting item is in the wrong list");
  }
}

void CheckGroup(const std::string& name, const Group& group, Findings* findings) {
  findings->Expect(!group.members.empty() && group.name == name, "an empty group is kept");
  std::array<size_t, kStandings> replicas{};
  for (size_t i = 0; i < group.members.size(); ++i) {
    const Object& member = *group.members[i];
    findings->Expect(member.group() == &group && member.rest().group_place == i,
                     Name(member) + " is lost to its group");
    findings->Expect(member.state != ObjectState::kRetiring, Name(member) + " is in a group");
    for (const HeldReplica& replica : member.replicas()) {
      if (replica.segment) ++replicas[static_cast<size_t>(replica.standing)];
    }
  }
  findings->Expect(replicas == group.replicas, "a group's standings are miscounted");
}

void CheckKey(const KeyEntry& key, bool gathering, Findings* findings) {
  findings->Expect(!key.IsEmpty(), "an empty key is kept");
  if (key.current()) {
    findings->Expect(key.current()->state == ObjectState::kComplete && key.current()->key == &key,
                     "a key's current object is a " + Name(*key.current()));
    findings->Expect(key.may_expire() || key.current()->expires() == TimePoint::max(),
                     Name(*key.current()) + " is found beyond its end");
  }
  if (key.unfinished()) {
    findings->Expect(key.unfinished()->key == &key, "a key's unfinished object is not its own");
  }
  for (const Object* object : key.leaving()) {
    findings->Expect(object->state == ObjectState::kRetiring && object->key == &key,
                     "a key is left by a " + Name(*object));
  }
  findings->Expect(key.removers().empty() || !key.leaving().empty(), "a Remove waits for nothing");
  const bool settling =
      gathering || (key.unfinished() && key.unfinished()->state == ObjectState::kCommitting);
  for (const WaitingItem* item = key.readers().front(); item; item = item->next) {
    findings->Expect(item->key == &key && item->list == &key.readers() &&
                         (item->verb == WaitingVerb::kWaitExists || item->awaits > Duration::zero()
                              ? !key.current()
                              : settling),
                     "a reader waits for nothing");
  }
  for (const WaitingItem* item = key.removers().front(); item; item = item->next) {
    findings->Expect(item->key == &key && item->list == &key.removers(),
                     "a Remove is in the wrong list");
  }
}

void CheckPlacement(const NodeTable& nodes, const std::map<SegmentId, TimePoint>& sick,
                    Findings* findings) {
  size_t taking = 0;
  for (const auto& [incarnation, node] : nodes.all()) {
    for (const auto& segment : node->segments) {
      taking += segment->TakesNew();
      findings->Expect(segment->sick() == sick.contains(segment->id()),
                       Name(segment->id()) + ": whether it is sick is not known");
    }
  }
  for (const auto& [order, segment] : nodes.by_free_share().order()) {
    findings->Expect(segment->TakesNew(), Name(segment->id()) + " is placed in");
  }
  findings->Expect(nodes.by_free_share().order().size() == taking, "placement misses segments");
}

}  // namespace

// What fills is of a copy that runs, and what is wanted elsewhere has work.
void Catalog::State::CheckCopies(const Object& object, std::string* broken) const {
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) *broken += Name(object) + what + "\n";
  };
  const CopyWork* const work = copies.Find(object.id());
  const RunningCopy* const copy = copies.Running(object.id());
  if (object.state != ObjectState::kComplete) return expect(!work, " wants copies");
  size_t filling = 0;
  for (const HeldReplica& replica : object.replicas()) {
    if (!replica.segment || replica.standing != Standing::kUnfinished) continue;
    ++filling;
    expect(copy && copy->filled == &replica && copy->to == replica.segment->id(),
           " has a replica that nobody fills");
  }
  expect(filling == (copy ? 1 : 0), " has lost what a copy fills");
  const bool lacking = Serving(object) < object.replicas_wanted;
  expect(work || (!lacking && !IsEmptying(object)), " lies where it should not, or too rarely");
  expect(!work || work->lacking == lacking, " is wrong about what it lacks");
  const TaskTable::Task* const task = work && work->task != 0 ? tasks.Find(work->task) : nullptr;
  expect(!work || work->task == 0 || task, " has a task that is not known");
}

std::string Catalog::State::CheckInvariants() const {
  Findings findings;
  CheckPlacement(nodes, sick, &findings);
  uint64_t seen_lacking = 0;
  size_t seen_works = 0;
  size_t seen_missing = 0;
  for (const auto& [incarnation, node] : nodes.all()) {
    CheckNode(*node, &findings);
    seen_missing += node->missing;
    CheckNotes(*node, &findings);
    for (const auto& segment : node->segments) {
      bool adopted = true;
      for (HeldReplica* r = segment->First(Standing::kUnfinished); r; r = r->next) {
        adopted = adopted && r->object().adopted;
      }
      findings.Expect(MayGrant(*node) || adopted,
                      "memory of node " + node->peer.name + " was granted before its report");
    }
  }
  uint64_t seen_complete = 0;
  uint64_t seen_parked = 0;
  uint64_t seen_pending = 0;
  uint64_t seen_ahead = 0;
  uint64_t seen_pinned = 0;
  uint64_t seen_expiring = 0;
  size_t seen_waiting = 0;
  size_t seen_objects = 0;
  for (size_t slot = 0; slot < objects.slots(); ++slot) {
    if (!objects.At(slot)) continue;
    const Object& object = *objects.At(slot);
    const PutId id = object.id();
    ++seen_objects;
    findings.Expect(Find(id) == &object, Name(object) + " is not found");
    CheckObject(object, nodes, guards.copies_go_where_none_is, &findings);
    seen_complete += object.state == ObjectState::kComplete;
    if (object.state == ObjectState::kComplete) {
      seen_pinned += object.hard_pin;
      seen_expiring += expiries.contains({object.expires(), id});
      findings.Expect(
          object.expires() == TimePoint::max() || expiries.contains({object.expires(), id}),
          Name(object) + " never expires");
    }
    std::string broken;
    CheckCopies(object, &broken);
    findings.Expect(broken.empty(), broken);
    if (const CopyWork* const work = copies.Find(id)) {
      ++seen_works;
      seen_lacking += work->lacking;
    }
    seen_pending += object.state == ObjectState::kPending;
    seen_ahead += ahead_by_end.contains({object.deadline(), id});
    findings.Expect(
        object.state != ObjectState::kAhead || ahead_by_end.contains({object.deadline(), id}),
        Name(object) + " never ends");
    seen_waiting += object.waiting().size();
    const Node* const writer = nodes.Find(id.writer);
    findings.Expect(object.state == ObjectState::kParked || !writer || object.adopted ||
                        IsHeldByHolder(object) || !writer->outcomes.MayBegin(id.sequence),
                    Name(object) + " may begin again");
    if (object.state == ObjectState::kParked) {
      ++seen_parked;
      findings.Expect(!object.waiting().empty(), "nobody waits for the " + Name(object));
      findings.Expect(parked.contains(object.rest().arrival), Name(object) + " is lost");
    }
    if (object.state == ObjectState::kPending) {
      findings.Expect(grants_by_end.contains({object.deadline(), id}),
                      Name(object) + " never ends");
    }
    if (object.state == ObjectState::kCommitting) {
      findings.Expect(IsHeldUp(*object.key) || (object.awaits_notes && object.notes_open > 0) ||
                          (object.adopted && Gathering()),
                      Name(object) + " waits for nothing");
    }
  }
  findings.Expect(seen_objects == objects.size(), "objects are lost");
  findings.Expect(seen_complete == complete, "complete objects are miscounted");
  findings.Expect(seen_pinned == hard_pinned, "hard pins are miscounted");
  findings.Expect(seen_expiring == expiries.size(), "a stranger is to expire");
  for (const auto& [end, put] : soft_pins) {
    const Object* const pinned = Find(put);
    findings.Expect(pinned && pinned->soft_pin_end() == end, "a stranger is pinned");
  }
  for (const auto& [name, group] : groups.all()) CheckGroup(name, group, &findings);
  for (const auto& [request, sweep] : sweeps) {
    seen_waiting += sweep.waiting.size();
    findings.Expect(!sweep.puts.empty(), "an ended sweep is kept");
    if (sweep.puts.empty()) continue;
    const Object* const last = Find(sweep.puts.back());
    findings.Expect(last && last->key, "a sweep waits for nothing");
    const auto [begin, end] = swept.equal_range(sweep.puts.back());
    findings.Expect(
        std::any_of(begin, end,
                    [&wanted = request](const auto& it) { return it.second == wanted; }),
        "a sweep is not woken");
  }
  findings.Expect(swept.size() == sweeps.size(), "a sweep waits twice");
  findings.Expect(seen_works == copies.size() && seen_lacking == copies.lacking(),
                  "objects that want copies are miscounted");
  findings.Expect(seen_parked == parked.size(), "parked puts are miscounted");
  findings.Expect(seen_pending == grants_by_end.size(), "grants are miscounted");
  findings.Expect(seen_ahead == ahead_by_end.size(), "grants ahead are miscounted");
  keys.ForEach([&](const KeyEntry& key) {
    CheckKey(key, Gathering(), &findings);
    seen_waiting += key.readers().size() + key.removers().size();
  });
  seen_waiting += held_up.size();
  findings.Expect(held_up.empty() || Gathering(), "requests are held up for nobody");
  findings.Expect(seen_missing == nodes_missing, "missing members are miscounted");
  findings.Expect(seen_waiting == waiting.size() && waiting.All().size() == waiting.size(),
                  "waiting items are miscounted");
  for (const WaitingItem* item : waiting.All()) {
    findings.Expect(nodes.Find(item->request.caller) != nullptr, "a stranger waits");
  }
  return findings.text();
}

}  // namespace kvstore::master
