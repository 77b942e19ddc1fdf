// Finding room for a put, and making it: pages, and the queues of parked puts.

#include <algorithm>
#include <functional>
#include <string>

#include "master/bytes_text.h"
#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr size_t kParkedRetried = 128;  // per event, of the longest parked; and of the others

bool IsOnNodeOf(const std::vector<Segment*>& segments, const Segment& candidate) {
  return std::any_of(segments.begin(), segments.end(), [&candidate](const Segment* segment) {
    return &segment->node() == &candidate.node();
  });
}

// Takes from `candidates` those that have room by `has_room`, on nodes not yet in `segments`, until
// these are as many as wanted.
template <typename HasRoom>
void Choose(Candidates candidates, size_t wanted, std::vector<Segment*>* segments,
            const HasRoom& has_room) {
  while (segments->size() < wanted) {
    Segment* const next = candidates.Next();
    if (!next) return;
    if (!IsOnNodeOf(*segments, *next) && has_room(*next)) segments->push_back(next);
  }
}

uint64_t Missing(uint64_t wanted, uint64_t have) { return wanted > have ? wanted - have : 0; }

// ---- why there is no room, in words; `allowed` are the members that the put's placement allows

bool LivesAndLends(const Node& node) { return !node.suspected && !node.draining && node.Lends(); }

Space SpaceOf(const std::vector<const Node*>& allowed) {
  Space space;
  for (const Node* node : allowed) {
    for (const auto& segment : node->segments) space += segment->TakeSpace();
  }
  return space;
}

const char* LentWhere(const Object& object) {
  return object.placement == Placement::kThisHost ? " lent on this host" : " lent in all";
}

const char* MoreMemory(const Object& object) {
  return object.placement == Placement::kThisHost ? "lend more on this host" : "add nodes";
}

// resource_exhausted: fewer live nodes lend than the put wants replicas.
Status TooFew(const Object& object, const std::vector<const Node*>& allowed) {
  const auto lenders = static_cast<uint64_t>(std::count_if(
      allowed.begin(), allowed.end(), [](const Node* node) { return LivesAndLends(*node); }));
  if (lenders >= object.replicas_wanted) return Status::Ok();
  const bool this_host = object.placement == Placement::kThisHost;
  if (this_host && lenders == 0) {
    return ResourceExhaustedError(
        "no live node of this host lends memory; lend some, or start a kvstore_node here");
  }
  return ResourceExhaustedError(std::string("replicas lie on distinct live nodes ") +
                                (this_host ? "of this host " : "") +
                                "that lend memory: " + std::to_string(object.replicas_wanted) +
                                " wanted, " + std::to_string(lenders) + " there; add nodes");
}

// resource_exhausted: the put would not fit even if all live nodes were empty. As many of them lend
// as it wants replicas.
Status TooLarge(const Object& object, const std::vector<const Node*>& allowed) {
  std::vector<uint64_t> largest;  // of each live node that lends
  for (const Node* node : allowed) {
    if (!LivesAndLends(*node)) continue;
    largest.push_back(0);
    for (const auto& segment : node->segments) {
      largest.back() = std::max(largest.back(), segment->limit());
    }
  }
  const size_t wanted = object.replicas_wanted;
  const auto last = largest.begin() + static_cast<ptrdiff_t>(wanted - 1);
  std::nth_element(largest.begin(), last, largest.end(), std::greater<>());
  // Segments are whole granules: what is no larger than one fits into it.
  if (object.size <= *last) return Status::Ok();
  const std::string lenders = wanted == 1 ? "live node lends a segment"
                                          : std::to_string(wanted) + " live nodes lend segments";
  return ResourceExhaustedError(
      "too large: " + std::to_string(wanted) + " x " + BytesText(object.size) +
      " needed, each in one segment; of " + BytesText(SpaceOf(allowed).size) + LentWhere(object) +
      ", no " + lenders + " larger than " + BytesText(*last) + ", " +
      BytesText(object.size - *last) + " too little; put smaller objects or lend larger segments");
}

}  // namespace

bool Catalog::State::MayGrant(const Node& node) const {
  return node.reported || !guards.grant_after_report;
}

Room Catalog::State::FindFreeRoom(const Object& object) const {
  Room room;
  const Candidates candidates(nodes, nodes.Find(object.id().writer), object);
  const auto has_it_free = [&](const Segment& segment) {
    if (object.size > segment.Available() || !MayGrant(segment.node())) return false;
    const uint64_t bytes = segment.free().Footprint(object.size);
    return bytes <= segment.Available() && PinFits(object, segment) &&
           segment.free().CanAllocate(bytes, limits.ranges_per_replica);
  };
  // First where the low watermark stays free: else the writer's own segment would evict for ever
  // what other segments have room for.
  Choose(candidates, object.replicas_wanted, &room.segments, [&](const Segment& segment) {
    return has_it_free(segment) && segment.free().Footprint(object.size) + LowWatermark(segment) <=
                                       segment.Available() + segment.Unprepared();
  });
  Choose(candidates, object.replicas_wanted, &room.segments, has_it_free);
  return room;
}

Room Catalog::State::FindRoom(const Event& event, const Object& object) {
  Room room = FindFreeRoom(object);
  if (room.segments.size() == object.replicas_wanted) return room;
  room.now = false;
  const Candidates candidates(nodes, nodes.Find(object.id().writer), object);
  const auto can_make_it = [&](Segment& segment, bool soft_pins_too) {
    if (object.size > segment.limit() || !MayGrant(segment.node()) || !PinFits(object, segment)) {
      return false;
    }
    ExpireLeases(segment, event.now);
    const uint64_t wanted = segment.claimed() + segment.free().Footprint(object.size);
    uint64_t room_made =
        segment.free().free_bytes() + segment.Unprepared() + segment.Bytes(Standing::kOrdered);
    room_made += segment.Bytes(Standing::kAhead);
    if (!segment.node().IsSlow(event.now)) room_made += segment.Evictable(soft_pins_too);
    return wanted <= room_made;
  };
  // Where pages or victims are to be had at once, without soft pins and then with them; and only
  // then where others must finish first.
  for (const bool soft_pins_too : {false, true}) {
    Choose(candidates, object.replicas_wanted, &room.segments,
           [&](Segment& segment) { return can_make_it(segment, soft_pins_too); });
  }
  // What the last master's readers may have leased is evictable soon.
  const bool leases_end_soon = event.now < no_lease_ends_before;
  Choose(candidates, object.replicas_wanted, &room.segments, [&](const Segment& segment) {
    const uint64_t reachable =
        segment.Reachable() + (leases_end_soon ? segment.Bytes(Standing::kLeased) : 0);
    return object.size <= segment.limit() && PinFits(object, segment) &&
           segment.free().Footprint(object.size) <= reachable;
  });
  return room;
}

bool Catalog::State::FitsOnceWell(const Object& object) const {
  if (sick.empty()) return false;
  const Node* const writer = nodes.Find(object.id().writer);
  const auto fitting =
      std::count_if(nodes.all().begin(), nodes.all().end(), [&](const auto& member) {
        const Node& node = *member.second;
        return LivesAndLends(node) && Allows(object, writer, node) &&
               std::any_of(node.segments.begin(), node.segments.end(), [&](const auto& segment) {
                 return object.size <= segment->limit() &&
                        segment->free().Footprint(object.size) <= segment->Reachable();
               });
      });
  return static_cast<size_t>(fitting) >= object.replicas_wanted;
}

bool Catalog::State::PinFits(const Object& object, const Segment& segment) const {
  return !object.hard_pin || MayPin(segment, segment.free().Footprint(object.size));
}

void Catalog::State::Park(Event& event, Object& object, std::vector<Segment*> segments) {
  object.more().targets = std::move(segments);
  for (Segment* segment : object.rest().targets) {
    segment->Enqueue(&object);
    nodes.NoteSpace(segment);
  }
  for (Segment* segment : object.rest().targets) MakeRoom(event, *segment);
}

void Catalog::State::LeaveQueues(Object& object) {
  for (Segment* segment : object.rest().targets) {
    segment->Dequeue(&object);
    nodes.NoteSpace(segment);
  }
  object.more().targets.clear();
}

void Catalog::State::EndParked(Event& event, Object& object, const Status& status) {
  LeaveQueues(object);
  AnswerAll(event, object.waiting(), status);
  EndKeeping(object);
  parked.erase(object.rest().arrival);
  Node& writer = *nodes.Find(object.id().writer);
  writer.unfinished.erase(object.id().sequence);
  writer.outcomes.Refuse(object.id().sequence, limits.outcomes_kept_per_writer);
  KeyEntry& key = *object.key;
  key.set_unfinished(nullptr);
  trail.GaveUp(key.name(), event.now);
  if (!IsUnsettled(&key)) AnswerReaders(event, key);
  ForgetIfEmpty(key);
  objects.Erase(object);
}

void Catalog::State::Replan(Event& event, Object& object) {
  LeaveQueues(object);
  Room room = FindRoom(event, object);
  if (room.segments.size() < object.replicas_wanted) return;  // RetryParked looks again
  if (room.now && Grant(event, object, room.segments)) return;
  Park(event, object, std::move(room.segments));
}

void Catalog::State::ReplanQueue(Event& event, Segment& segment) {
  std::vector<uint64_t> arrivals;
  for (const auto& [arrival, object] : segment.queue()) arrivals.push_back(arrival);
  for (const uint64_t arrival : arrivals) {
    const auto it = parked.find(arrival);
    if (it != parked.end()) Replan(event, *it->second);
  }
}

void Catalog::State::MakeRoom(Event& event, Segment& segment) {
  const Object* const head = segment.FirstInQueue();
  if (!head || segment.node().suspected || !segment.node().reported) return;
  AskForPages(event, segment, segment.claimed() + LowWatermark(segment));
  const auto missing_now = [&segment] {
    return Missing(segment.claimed(), segment.free().free_bytes() + segment.Coming());
  };
  CallBack(event, segment, missing_now());
  const uint64_t missing = missing_now();
  // Enough may be free in all, but in too many pieces for the one whose turn it is.
  const uint64_t in_pieces =
      Missing(segment.free().Footprint(head->size),
              segment.free().Usable(limits.ranges_per_replica) + segment.Coming());
  Evict(event, segment, std::max(missing, in_pieces), Cause::kEvictedForRoom);
}

void Catalog::State::KeepReady(Event& event, Segment& segment) {
  if (!segment.node().reported) return;
  const uint64_t wanted = segment.claimed() + LowWatermark(segment);
  AskForPages(event, segment, wanted);
  Evict(event, segment, Missing(wanted, segment.free().free_bytes() + segment.Coming()),
        Cause::kEvictedByWatermark);
}

void Catalog::State::AskForPages(Event& event, Segment& segment, uint64_t free_wanted) {
  const uint64_t coming = segment.free().free_bytes() + segment.Coming();
  if (coming >= free_wanted || segment.asked() >= segment.limit()) return;
  const uint64_t step = std::max(limits.prepare_step, free_wanted - coming);
  const uint64_t granules = (std::min(step, segment.limit()) - 1) / segment.granule() + 1;
  segment.AskForPages(segment.asked() + granules * segment.granule(), event.now);
  ++counters.orders_sent;
  if (segment.node().has_session) {
    event.out.Add(segment.id().holder, PrepareOrder{segment.id().index, segment.asked()});
  }
}

void Catalog::State::ServeQueue(Event& event, Segment& segment) {
  std::vector<Segment*> to_serve = {&segment};
  while (!to_serve.empty()) {
    Object* const head = to_serve.back()->FirstInQueue();
    // Its turn must have come everywhere; since queues go by arrival, nobody waits in a circle.
    const std::vector<Segment*> targets = head ? head->rest().targets : std::vector<Segment*>();
    const bool is_its_turn =
        std::all_of(targets.begin(), targets.end(),
                    [head](const Segment* target) { return target->FirstInQueue() == head; });
    if (head && is_its_turn && Grant(event, *head, targets)) {
      to_serve.insert(to_serve.end(), targets.begin(), targets.end());
    } else {
      to_serve.pop_back();
    }
  }
}

void Catalog::State::RetryParked(Event& event) {
  std::vector<Object*> retried;
  const auto take_from = [&](std::map<uint64_t, Object*>::const_iterator it) {
    for (size_t i = 0; i < kParkedRetried && it != parked.end(); ++i, ++it) {
      retried.push_back(it->second);
    }
    return it;
  };
  const auto others = take_from(parked.begin());
  // The oldest may all be stuck where others are not: those take turns, from event to event.
  if (others != parked.end()) {
    const auto next = take_from(parked.lower_bound(std::max(retry_next, others->first)));
    retry_next = next == parked.end() ? 0 : next->first;
  }
  for (Object* object : retried) {
    const Room room = FindFreeRoom(*object);
    if (room.segments.size() == object->replicas_wanted && Grant(event, *object, room.segments)) {
      continue;
    }
    // Others took leases there, or pinned too much, or view in place what was evicted for it: views
    // last.
    const bool stuck = std::any_of(object->rest().targets.begin(), object->rest().targets.end(),
                                   [this, object](const Segment* target) {
                                     return target->free().Footprint(object->size) +
                                                    target->Bytes(Standing::kWithdrawn) >
                                                target->Reachable() ||
                                            !PinFits(*object, *target);
                                   });
    if (stuck || object->rest().targets.empty()) Replan(event, *object);
  }
}

void Catalog::State::ExpireLeases(Segment& segment, TimePoint now) {
  while (HeldReplica* const first = segment.First(Standing::kLeased)) {
    if (first->object().lease_end > now) return;
    segment.Move(first, Resting(first->object(), now));
  }
}

uint64_t Catalog::State::LowWatermark(const Segment& segment) const {
  return static_cast<uint64_t>(limits.free_share_wanted * static_cast<double>(segment.limit()));
}

// resource_exhausted: hard pins leave too little of too many nodes to be pinned.
Status Catalog::State::NoPin(const Object& object, const std::vector<const Node*>& allowed) {
  if (!object.hard_pin) return Status::Ok();
  uint64_t pinned = 0;
  const auto fits =
      static_cast<uint64_t>(std::count_if(allowed.begin(), allowed.end(), [&](const Node* node) {
        bool any = false;
        for (const auto& segment : node->segments) {
          pinned += segment->hard_pinned();
          any = any || PinFits(object, *segment);
        }
        return any && LivesAndLends(*node);
      }));
  if (fits >= object.replicas_wanted) return Status::Ok();
  ++counters.pins_refused;
  const uint64_t size = SpaceOf(allowed).size;
  const auto most = static_cast<uint64_t>(limits.pinned_share_allowed * static_cast<double>(size));
  return ResourceExhaustedError(
      "too much is pinned: " + std::to_string(object.replicas_wanted) + " x " +
      BytesText(object.size) + " to be pinned; of " + BytesText(size) + LentWhere(object) +
      ", at most " + BytesText(most) + " may be (pinned_share_allowed, of each segment), " +
      BytesText(pinned) + " are; unpin others, pin softly, or " + MoreMemory(object));
}

Status Catalog::State::NoRoom(const Object& object) {
  std::vector<const Node*> allowed;
  for (const auto& [incarnation, node] : nodes.all()) {
    if (Allows(object, nodes.Find(object.id().writer), *node)) allowed.push_back(node.get());
  }
  KVSTORE_RETURN_IF_ERROR(TooFew(object, allowed));
  KVSTORE_RETURN_IF_ERROR(TooLarge(object, allowed));
  KVSTORE_RETURN_IF_ERROR(NoPin(object, allowed));
  uint64_t withdrawn = 0;
  uint64_t coming = 0;
  uint64_t pinned = 0;
  for (const Node* node : allowed) {
    for (const auto& segment : node->segments) {
      withdrawn += segment->Bytes(Standing::kWithdrawn);
      coming += segment->Coming();
      pinned += segment->Bytes(Standing::kPinned);
    }
  }
  const Space space = SpaceOf(allowed);
  return ResourceExhaustedError(
      "no room: " + std::to_string(object.replicas_wanted) + " x " + BytesText(object.size) +
      " needed; of " + BytesText(space.size) + LentWhere(object) + ", " + BytesText(pinned) +
      " are pinned, " + BytesText(space.leased) + " leased, " + BytesText(space.unfinished) +
      " unfinished, " +
      (withdrawn > 0 ? BytesText(withdrawn) + " withdrawn but still being read, " : "") +
      BytesText(coming) + " coming; " +
      (space.leased > 0 ? "retry when leases have ended" : "retry later") +
      (pinned > 0 ? ", unpin others" : "") + ", put smaller objects or " + MoreMemory(object));
}

}  // namespace kvstore::master
