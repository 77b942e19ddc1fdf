// Which objects go: for room, to keep some ready, on request; and with which others.

#include <algorithm>
#include <chrono>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

// Per call: objects that were looked at and can't be had, because of their holders, or of their
// group.
constexpr size_t kMostInVain = 512;

}  // namespace

void Catalog::State::Evict(Event& event, Segment& segment, uint64_t missing, Cause cause) {
  if (missing == 0) return;
  ExpireLeases(segment, event.now);
  const auto coming = [&segment] {
    return segment.free().free_bytes() + segment.Bytes(Standing::kOrdered);
  };
  const uint64_t enough = coming() + missing;
  size_t in_vain = 0;
  for (const bool soft : {true, false}) {
    // Neither some spare room nor an operator's wish is worth a pin.
    if (!soft && cause != Cause::kEvictedForRoom) return;
    const auto there = [&segment, soft] {
      return soft ? segment.List(Standing::kEvictable).size() +
                        segment.List(Standing::kUnpinned).size()
                  : segment.List(Standing::kSoftPinned).size();
    };
    size_t passed_over = 0;
    while (coming() < enough && passed_over < there()) {
      HeldReplica* const victim = soft ? segment.Coldest() : segment.First(Standing::kSoftPinned);
      if (Yields(victim->object(), event.now, soft, &in_vain)) {
        EvictWithGroup(event, victim->object(), cause);
        continue;
      }
      if (in_vain > kMostInVain || segment.node().IsSlow(event.now)) return;
      segment.Move(victim, soft ? Standing::kEvictable : Standing::kSoftPinned);
      ++passed_over;
    }
  }
}

bool Catalog::State::Yields(const Object& object, TimePoint now, bool soft, size_t* in_vain) const {
  if (!object.group()) {
    if (YieldsVictims(object, now)) return true;
    ++*in_vain;
    return false;
  }
  Group& group = *object.group();
  if (group.IsBarred(soft)) {
    ++*in_vain;
    return false;
  }
  for (size_t i = 0; i < group.members.size(); ++i) {
    if (YieldsVictims(*group.members[i], now)) continue;
    *in_vain += i + 1;
    group.BringForward(i);  // looked at first the next time: it is likely to bar the group still
    return false;
  }
  return true;
}

bool Catalog::State::YieldsVictims(const Object& object, TimePoint now) const {
  return std::none_of(
      object.replicas().begin(), object.replicas().end(), [&](const HeldReplica& replica) {
        const bool spares = guards.suspected_yield_no_victims;
        return replica.segment && ((replica.segment->node().suspected && spares) ||
                                   replica.segment->node().IsSlow(now) || replica.segment->sick());
      });
}

void Catalog::State::EvictWithGroup(Event& event, Object& object, Cause cause) {
  std::vector<Object*> others;
  if (object.group()) others = object.group()->members;
  std::erase_if(others, [&object](const Object* other) {
    return other == &object || other->state != ObjectState::kComplete;
  });
  const auto evict = [&](Object& victim, Cause why) {
    counters.bytes_evicted += victim.size;
    if (victim.soft_pin_end() > event.now) ++counters.soft_pins_broken;
    Retire(event, victim, why);
  };
  evict(object, cause);
  for (Object* other : others) evict(*other, Cause::kEvictedWithGroup);
}

EvictOutcome Catalog::State::EvictOnRequest(Event& event, const EvictRequest& request) {
  const Counters before = counters;
  EvictOutcome outcome;
  for (const std::string& key : request.keys) outcome.statuses.push_back(EvictByName(event, key));
  if (request.keys.empty()) {
    std::vector<Segment*> segments;
    uint64_t size = 0;
    for (const auto& [incarnation, node] : nodes.all()) {
      const bool meant = request.node.empty() || node->peer.name == request.node;
      if (!meant || node->suspected) continue;
      for (const auto& segment : node->segments) {
        if (segment->size() == 0) continue;
        segments.push_back(segment.get());
        size += segment->size();
      }
    }
    for (Segment* segment : segments) {
      const double share = static_cast<double>(segment->size()) / static_cast<double>(size);
      const double bytes = std::min(share * static_cast<double>(request.bytes),
                                    static_cast<double>(segment->size()));
      Evict(event, *segment, static_cast<uint64_t>(bytes), Cause::kEvictedByOperator);
    }
  }
  outcome.objects = counters.evicted_by_operator - before.evicted_by_operator +
                    counters.evicted_with_group - before.evicted_with_group;
  outcome.bytes = counters.bytes_evicted - before.bytes_evicted;
  if (request.keys.empty() && outcome.objects == 0 && Gathering()) {
    outcome.status = UnavailableError("nothing could be evicted: " + WhoIsMissing());
  }
  return outcome;
}

Status Catalog::State::EvictByName(Event& event, std::string_view name) {
  const KeyEntry* const key = FindKey(event, name);
  if (!key || !key->current()) {
    return key && key->unfinished()
               ? FailedPreconditionError("unfinished: a put of the key is under way")
               : OrNotKnown(NotFoundError("no such object"));
  }
  Object& object = *key->current();
  if (object.hard_pin || object.soft_pin_end() > event.now) {
    return FailedPreconditionError("it is pinned; unpin it first");
  }
  if (object.lease_end > event.now) {
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(object.lease_end - event.now);
    return FailedPreconditionError("it is leased for another " + std::to_string(left.count()) +
                                   " ms; remove it, or wait");
  }
  for (HeldReplica& replica : object.replicas()) {
    if (replica.segment) ExpireLeases(*replica.segment, event.now);
  }
  if (object.group() && object.group()->IsBarred(/*soft=*/true)) {
    return FailedPreconditionError("an object of its group is leased, pinned or unfinished");
  }
  size_t in_vain = 0;
  if (!Yields(object, event.now, /*soft=*/true, &in_vain)) {
    return FailedPreconditionError("a holder of it, or of its group, is silent or slow; try later");
  }
  EvictWithGroup(event, object, Cause::kEvictedByOperator);
  return Status::Ok();
}

}  // namespace kvstore::master
