// Replicas made anew: where too few are left, where memory is emptied, and where an operator asks.
// The story of one copy: Review finds the object wanting -> RunCopies, in its turn -> Advance: from
// where, whereto -> StartCopy -> the holder fills it -> HandleCopied -> it is noted -> EndMoves.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr size_t kWorksLookedAt = 128;    // per event
constexpr size_t kSegmentsLookedAt = 64;  // for one copy, those with the most free first,
constexpr size_t kMoreLookedAt = 16'384;  // and, where these have no room, others; per event
constexpr uint32_t kLongestBackOff = 4;   // doublings
constexpr uint32_t kTriesOfATask = 4;
constexpr Duration kLookAgainAfter =
    std::chrono::milliseconds(20);  // where others are served first
constexpr Duration kBackOff = std::chrono::milliseconds(500);

Duration BackOff(uint32_t failures) {
  return kBackOff * (1u << std::min(failures, kLongestBackOff));
}

// In memory that is being emptied.
bool IsLeaving(const HeldReplica& replica) {
  return replica.segment->node().draining || replica.segment->LiesBeyond(replica);
}

bool IsServing(const HeldReplica& replica) {
  return replica.segment && IsCommitted(replica.standing);
}

}  // namespace

// How a complete object's replicas stand.
struct Catalog::State::Stock {
  std::vector<HeldReplica*> leaving;
  size_t serving = 0;  // `leaving` included
  // Those that serve, don't leave, and whose holders are live:
  size_t staying = 0;  // and keep them for the next master
  size_t unnoted = 0;  // and have not said yet that they do
};

Catalog::State::Stock Catalog::State::TakeStock(Object& object) {
  Stock stock;
  for (HeldReplica& replica : object.replicas()) {
    if (!IsServing(replica)) continue;
    ++stock.serving;
    if (IsLeaving(replica)) {
      stock.leaving.push_back(&replica);
    } else if (!replica.segment->node().suspected) {
      ++(replica.noted ? stock.staying : stock.unnoted);
    }
  }
  return stock;
}

size_t Catalog::State::Serving(const Object& object) {
  const bool complete = object.state == ObjectState::kComplete;
  return static_cast<size_t>(std::count_if(
      object.replicas().begin(), object.replicas().end(), [complete](const HeldReplica& replica) {
        return complete ? IsServing(replica) : replica.segment && !IsRetiring(replica.standing);
      }));
}

bool Catalog::State::IsEmptying(const Object& object) {
  return std::any_of(object.replicas().begin(), object.replicas().end(),
                     [](const HeldReplica& each) { return IsServing(each) && IsLeaving(each); });
}

void Catalog::State::Review(Event& event, Object& object) {
  if (object.state != ObjectState::kComplete) return;
  const bool lacking = Serving(object) < object.replicas_wanted;
  if (!lacking && !IsEmptying(object)) {
    CopyWork* const work = copies.empty() ? nullptr : copies.Find(object.id());
    if (!work) return;
    copies.SetLacking(work, false);
    if (work->task == 0 && !copies.Running(object.id())) copies.Forget(object.id());
    return;
  }
  copies.SetLacking(&copies.Want(object.id(), event.now), lacking);
}

void Catalog::State::RunCopies(Event& event) {
  if (Gathering()) return;
  TendCopies(event);
  for (size_t i = 0; i < kWorksLookedAt; ++i) {
    if (copies.running().size() >= limits.copies_in_flight) return;
    const std::optional<PutId> put = copies.FirstDue(event.now);
    if (!put || !copy_budget.IsLeft(event.now, limits.repair_bytes_per_second)) return;
    Object& object = *Find(*put);
    CopyWork& work = *copies.Find(*put);
    switch (Advance(event, object, work)) {
      case CopyStep::kStarted:
      case CopyStep::kObjectGone:
        break;
      case CopyStep::kNotNeeded:
        copies.Forget(*put);
        break;
      case CopyStep::kBusy:
        copies.Postpone(*put, event.now + kLookAgainAfter);
        break;
      case CopyStep::kUnnoted:
        // The ack brings it on (EndMoves); this is for a holder that is lost meanwhile.
        copies.Postpone(*put, event.now + limits.order_resend_after);
        break;
      case CopyStep::kNoSource:
        Failed(event, object, UnavailableError("no live node that holds it can be read"));
        break;
      case CopyStep::kNoRoom:
        Failed(event, object, WhyNoTarget(object, work));
        break;
    }
  }
}

Duration Catalog::State::LongestCopy(uint64_t bytes) const {
  const std::chrono::duration<double> transfer(
      static_cast<double>(bytes) / static_cast<double>(limits.slowest_copy_bytes_per_second));
  const Duration longest = std::chrono::seconds(2) + std::chrono::duration_cast<Duration>(transfer);
  return std::max(longest, limits.shortest_copy);
}

void Catalog::State::TendCopies(Event& event) {
  std::vector<PutId> overdue;
  for (const auto& [put, copy] : copies.running()) {
    if (event.now - copy.started >= LongestCopy(copy.filled->object().size)) {
      overdue.push_back(put);
    } else if (event.now - copy.filled->sent() >= limits.order_resend_after) {
      ++counters.orders_resent;
      SendCopy(event, *copy.filled, copy.from);
    }
  }
  for (const PutId& put : overdue) {
    Abandon(event, *Find(put), DeadlineExceededError("the copy took too long"));
  }
}

void Catalog::State::Failed(Event& event, Object& object, const Status& status) {
  CopyWork& work = *copies.Find(object.id());
  ++work.failures;
  copies.Postpone(object.id(), event.now + BackOff(work.failures));
  if (work.task != 0 && work.failures >= kTriesOfATask) {
    tasks.End(work.task, status, limits.tasks_kept);
    work.task = 0;
  }
  Review(event, object);
}

Catalog::State::CopyStep Catalog::State::Advance(Event& event, Object& object, CopyWork& work) {
  if (work.moved) EndMove(event, object, work);
  if (work.moved) return CopyStep::kUnnoted;
  const TaskRequest* const task = work.task == 0 ? nullptr : &tasks.Find(work.task)->request;
  const Stock stock = TakeStock(object);
  if (!task) {
    if (stock.serving >= object.replicas_wanted && stock.leaving.empty()) {
      return CopyStep::kNotNeeded;
    }
    if (stock.staying >= object.replicas_wanted) {
      for (HeldReplica* replica : stock.leaving) GiveUp(event, *replica);
      return CopyStep::kNotNeeded;
    }
    if (stock.staying + stock.unnoted >= object.replicas_wanted) return CopyStep::kUnnoted;
  }
  bool busy = false;
  HeldReplica* const source = FindSource(object, task ? task->from : "", &busy);
  if (!source) return busy ? CopyStep::kBusy : CopyStep::kNoSource;
  const CopyTarget target =
      FindTarget(event, object, task ? task->to : "", /*spare=*/!task && !stock.leaving.empty());
  if (target.segment && StartCopy(event, object, *source, *target.segment)) {
    return CopyStep::kStarted;
  }
  if (target.busy) return CopyStep::kBusy;
  // What must go and has nowhere to go to is given up, but for the last replica of what is pinned.
  if (task || stock.leaving.empty()) return CopyStep::kNoRoom;
  if (!target.looked && MayBeAbleLater(object)) return CopyStep::kNoRoom;
  if (stock.staying > 0) {
    for (HeldReplica* replica : stock.leaving) GiveUp(event, *replica);
    return CopyStep::kNoRoom;
  }
  if (stock.unnoted > 0) return CopyStep::kUnnoted;
  const bool evictable =
      std::all_of(stock.leaving.begin(), stock.leaving.end(), [](const HeldReplica* replica) {
        return replica->standing == Standing::kEvictable ||
               replica->standing == Standing::kUnpinned;
      });
  if (!evictable || stock.serving > stock.leaving.size()) return CopyStep::kNoRoom;
  Retire(event, object, Cause::kEvictedForRoom);
  return CopyStep::kObjectGone;
}

HeldReplica* Catalog::State::FindSource(Object& object, std::string_view name, bool* busy) {
  HeldReplica* best = nullptr;
  for (HeldReplica& replica : object.replicas()) {
    if (!IsServing(replica) || replica.segment->node().suspected) continue;
    if (!name.empty() && replica.segment->node().peer.name != name) continue;
    if (copies.RunningAt(replica.segment->id().holder) >= limits.copies_per_node) {
      *busy = true;
    } else if (!best || (best->segment->sick() && !replica.segment->sick())) {
      best = &replica;
    }
  }
  return best;
}

bool Catalog::State::MayTakeCopy(const Object& object, const Node& node) const {
  return std::none_of(object.replicas().begin(), object.replicas().end(),
                      [&](const HeldReplica& replica) {
                        // Acks name put, segment and birth: two grants of one put there could not
                        // be told apart.
                        return replica.segment && &replica.segment->node() == &node &&
                               (guards.copies_go_where_none_is || !IsRetiring(replica.standing));
                      });
}

bool Catalog::State::MayBeAbleLater(const Object& object) const {
  return std::any_of(nodes.all().begin(), nodes.all().end(), [&](const auto& member) {
    const Node& node = *member.second;
    return node.Lends() && !node.draining && !node.striking && MayTakeCopy(object, node);
  });
}

Catalog::State::CopyTarget Catalog::State::FindTarget(Event& event, const Object& object,
                                                      std::string_view name, bool spare) {
  CopyTarget target;
  Segment* coming = nullptr;
  size_t looked = 0;
  for (const auto& [order, segment] : nodes.by_free_share().order()) {
    const Node& node = segment->node();
    if (!name.empty() && node.peer.name != name) continue;
    if (!MayTakeCopy(object, node) || !MayGrant(node)) continue;
    if (++looked > kSegmentsLookedAt) {
      if (target.busy || coming) break;
      // Rarely needed: so many in one event, and the others when they are looked at again.
      target.busy = ++event.segments_looked_at > kMoreLookedAt;
      if (target.busy) break;
    }
    target.looked = true;
    if (copies.RunningAt(node.peer.incarnation) >= limits.copies_per_node) {
      target.busy = true;
      continue;
    }
    if (object.size > segment->limit()) continue;
    const uint64_t bytes = segment->free().Footprint(object.size);
    // What is only moved evicts nothing, not even by the watermark.
    const uint64_t wanted = bytes + (spare ? LowWatermark(*segment) : 0);
    if (segment->Available() >= bytes && segment->Available() + segment->Unprepared() >= wanted &&
        segment->free().CanAllocate(bytes, limits.ranges_per_replica)) {
      target.segment = segment;
      return target;
    }
    if (!coming &&
        segment->free().free_bytes() + segment->Unprepared() + segment->Bytes(Standing::kOrdered) >=
            wanted + segment->claimed()) {
      coming = segment;
    }
  }
  if (coming && !target.busy) {
    target.busy = true;
    AskForPages(event, *coming,
                coming->claimed() + coming->free().Footprint(object.size) + LowWatermark(*coming));
  }
  return target;
}

bool Catalog::State::StartCopy(Event& event, Object& object, const HeldReplica& source,
                               Segment& segment) {
  HeldReplica& filled = object.AddReplica();
  if (!segment.Grant(&filled, segment.free().Footprint(object.size), limits.ranges_per_replica,
                     segment.node().counter)) {
    object.RemoveReplica(filled);
    return false;
  }
  ++object.not_withdrawn;
  ++object.not_free;
  const uint64_t task = copies.Find(object.id())->task;
  copies.Start(object.id(),
               {&filled, segment.id(),
                Replica{source.segment->id(), source.birth, source.ranges.All()}, event.now, task});
  copy_budget.Spend(object.size);
  if (task != 0) tasks.Begin(task);
  ++counters.copies_started;
  ++counters.orders_sent;
  SendCopy(event, filled, copies.Running(object.id())->from);
  nodes.NoteSpace(&segment);
  AskForPages(event, segment, LowWatermark(segment) + segment.claimed());
  return true;
}

void Catalog::State::SendCopy(Event& event, HeldReplica& filled, const Replica& from) {
  filled.set_sent(event.now);
  const Segment& segment = *filled.segment;
  const Object& object = filled.object();
  event.out.Add(segment.id().holder,
                CopyOrder{object.id(), object.size, object.checksum, from, segment.id().index,
                          filled.birth, filled.ranges.All()});
}

bool Catalog::State::HandleCopied(Event& event, const Node& node, const CopyAck& ack) {
  const RunningCopy* const copy = copies.Running(ack.put);
  if (!copy || copy->to != SegmentId{node.peer.incarnation, ack.segment} ||
      copy->filled->birth != ack.birth) {
    return false;
  }
  Object& object = *Find(ack.put);
  if (!ack.status.ok()) {
    Abandon(event, object, ack.status);
    return true;
  }
  HeldReplica& filled = *copy->filled;
  const uint64_t task = copy->task;
  copies.End(ack.put, event.now);
  ++counters.copies_made;
  // What was leased stays so a little longer: leases end in the order of their list.
  const bool leased = object.lease_end > event.now;
  filled.segment->Move(&filled, Resting(object, event.now));
  NoteReplica(event, filled);
  if (leased) HoldLease(event.now, object);
  Tell(event, ObjectEvent::What::kCopied, object, filled.segment);
  CopyWork& work = *copies.Find(ack.put);
  work.failures = 0;
  if (task != 0 && tasks.Find(task)->request.kind == TaskRequest::Kind::kMove) {
    work.moved = true;
  } else if (task != 0) {
    tasks.End(task, Status::Ok(), limits.tasks_kept);
    work.task = 0;
  }
  Review(event, object);
  return true;
}

void Catalog::State::Abandon(Event& event, Object& object, const Status& status) {
  HeldReplica& filled = *copies.Running(object.id())->filled;
  copies.End(object.id(), event.now);
  ++counters.copies_failed;
  OrderRetirement(event, filled);
  Failed(event, object, status);
}

void Catalog::State::AbandonCopies(Event& event, const Node& node, bool as_source_too) {
  std::vector<PutId> abandoned;
  for (const auto& [put, copy] : copies.running()) {
    if (copy.to.holder == node.peer.incarnation ||
        (as_source_too && copy.from.segment.holder == node.peer.incarnation)) {
      abandoned.push_back(put);
    }
  }
  for (const PutId& put : abandoned) {
    Abandon(event, *Find(put), UnavailableError("node " + node.peer.name + " can't be relied on"));
  }
}

void Catalog::State::GiveUp(Event& event, HeldReplica& replica) {
  ++counters.replicas_given_up;
  Tell(event, ObjectEvent::What::kMoved, replica.object(), replica.segment);
  OrderRetirement(event, replica);
}

void Catalog::State::EndMove(Event& event, Object& object, CopyWork& work) {
  const TaskRequest& request = tasks.Find(work.task)->request;
  const auto lies_at = [](const HeldReplica& replica, const std::string& name) {
    return IsServing(replica) && replica.segment->node().peer.name == name;
  };
  const auto to = std::find_if(object.replicas().begin(), object.replicas().end(),
                               [&](const HeldReplica& each) { return lies_at(each, request.to); });
  if (to == object.replicas().end()) work.moved = false;  // lost meanwhile
  if (!work.moved || !to->noted) return;
  for (HeldReplica& replica : object.replicas()) {
    if (&replica != &*to && lies_at(replica, request.from)) GiveUp(event, replica);
  }
  tasks.End(work.task, Status::Ok(), limits.tasks_kept);
  work.task = 0;
  work.moved = false;
}

void Catalog::State::EndMoves(Event& event, Object& object) {
  CopyWork* const work = copies.empty() ? nullptr : copies.Find(object.id());
  if (!work || copies.Running(object.id())) return;
  if (work->moved) EndMove(event, object, *work);
  const Stock stock = TakeStock(object);
  if (stock.staying >= object.replicas_wanted) {
    for (HeldReplica* replica : stock.leaving) GiveUp(event, *replica);
  } else if (!stock.leaving.empty()) {
    copies.Postpone(object.id(), event.now);  // as many as there are nodes for may be noted now
  }
  Review(event, object);
}

void Catalog::State::ForgetCopies(const Object& object) {
  CopyWork* const work = copies.empty() ? nullptr : copies.Find(object.id());
  if (!work) return;
  if (work->task != 0) {
    tasks.End(work->task, NotFoundError("the object is there no more"), limits.tasks_kept);
  }
  copies.Forget(object.id());
}

}  // namespace kvstore::master
