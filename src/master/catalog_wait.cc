// Items that are answered later: kept, woken, overdue.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

template <typename Answer>
void AddStatus(Event& event, const RequestName& request, uint32_t index, Status status) {
  Answer answer;
  answer.index = index;
  answer.status = std::move(status);
  event.out.Add(request, std::move(answer));
}

std::string Milliseconds(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

// A node that has not confirmed what it is to note of the object.
std::string SlowestNoter(const Object& object) {
  for (const HeldReplica& replica : object.replicas()) {
    if (replica.segment && replica.note() != 0) return replica.segment->node().peer.name;
  }
  return "unknown";
}

}  // namespace

std::string Catalog::State::SlowestHolder(const Object& object) {
  for (const HeldReplica& replica : object.replicas()) {
    if (replica.segment && replica.standing == Standing::kOrdered) {
      return replica.segment->node().peer.name;
    }
  }
  return "unknown";
}

std::string Catalog::State::SlowestHolder(const KeyEntry& key) {
  return key.leaving().empty() ? "unknown" : SlowestHolder(*key.leaving().front());
}

bool Catalog::State::Wait(Event& event, const Asking& asking, WaitingItem item) {
  item.request = asking.request;
  item.since = event.now;
  const bool awaits = item.awaits > Duration::zero();
  item.deadline = event.now + (awaits ? std::min(item.awaits, asking.patience) : asking.patience);
  if (asking.patience == Duration::zero()) {
    AnswerOverdue(event, item);
    return false;
  }
  if (waiting.IsFull()) {
    // What is committing already may yet become visible; what is awaited need not be.
    if (item.verb == WaitingVerb::kCommitPut || awaits) {
      AnswerOverdue(event, item);
    } else {
      AnswerStatus(event, item.request, item.index, item.verb, TooManyWait());
    }
    return false;
  }
  waiting.Add(item);
  return true;
}

Status Catalog::State::TooManyWait() const {
  return ResourceExhaustedError(std::to_string(waiting.size()) +
                                " items wait for the master already; retry");
}

void Catalog::State::WaitForKey(Event& event, const Asking& asking, WaitingItem item,
                                std::string_view name) {
  if (waiting.Contains(asking.request, item.index)) return;
  KeyEntry& key = FindOrAddKey(name);
  item.key = &key;
  item.list = key.mutable_readers();
  if (!Wait(event, asking, item)) ForgetIfEmpty(key);
}

std::string Catalog::State::WhyUnsettled(const KeyEntry& key) const {
  if (!key.leaving().empty()) {
    return "node " + SlowestHolder(key) + " has not withdrawn an older object of the key";
  }
  if (key.unfinished() && !Gathering()) {
    return "node " + SlowestNoter(*key.unfinished()) +
           " has not confirmed that it keeps the object for the next "
           "master";
  }
  return WhoIsMissing();
}

std::string Catalog::State::WhoIsMissing() const {
  if (nodes_missing == 0) return "a node was given up just now, and may still be read";
  return std::to_string(nodes_missing) +
         " of the pool's nodes have not reported since the master's start";
}

Status Catalog::State::AllIsKnown() const {
  if (!Gathering() || !guards.misses_wait_for_reports) return Status::Ok();
  return UnavailableError(WhoIsMissing() + "; ask again when they have, or are gone");
}

Status Catalog::State::OrNotKnown(Status status) const {
  const bool may_change =
      status.code() == StatusCode::kNotFound || status.code() == StatusCode::kFailedPrecondition;
  const Status known = AllIsKnown();
  return may_change && !known.ok() ? known : status;
}

void Catalog::State::AnswerStatus(Event& event, const RequestName& request, uint32_t index,
                                  WaitingVerb verb, Status status) {
  switch (verb) {
    case WaitingVerb::kStartPut:
      return AddStatus<StartPutAnswer>(event, request, index, std::move(status));
    case WaitingVerb::kLocate:
      return AddStatus<LocateAnswer>(event, request, index, std::move(status));
    case WaitingVerb::kStat:
      return AddStatus<StatAnswer>(event, request, index, std::move(status));
    case WaitingVerb::kCommitPut:
    case WaitingVerb::kAbortPut:
    case WaitingVerb::kKept:
    case WaitingVerb::kExists:
    case WaitingVerb::kWaitExists:
    case WaitingVerb::kPin:
    case WaitingVerb::kRemove:
    case WaitingVerb::kItem:
      return AddStatus<ItemAnswer>(event, request, index, std::move(status));
    case WaitingVerb::kSweep:
      return AddStatus<CountAnswer>(event, request, index, std::move(status));
  }
}

void Catalog::State::AnswerOverdue(Event& event, const WaitingItem& item) {
  const std::string waited = Milliseconds(event.now - item.since);
  if (item.held_up) {
    return AnswerStatus(
        event, item.request, item.index, item.verb,
        DeadlineExceededError("not begun after " + waited + ": " + WhoIsMissing() + "; ask again"));
  }
  if (item.awaits > Duration::zero()) return AnswerAwaitedInVain(event, item);
  Status status;
  switch (item.verb) {
    case WaitingVerb::kStartPut:
      ++counters.puts_refused_full;
      status = NoRoom(*item.object);
      break;
    case WaitingVerb::kCommitPut:
    case WaitingVerb::kAbortPut:
      status = item.object->state == ObjectState::kRetiring
                   ? DeadlineExceededError("given up, but after " + waited + " node " +
                                           SlowestHolder(*item.object) +
                                           " has not confirmed that it forgets it; ask again")
                   : DeadlineExceededError("not visible after " + waited + ": " +
                                           WhyUnsettled(*item.object->key) +
                                           "; it becomes visible then, ask again");
      break;
    case WaitingVerb::kKept:
      status = DeadlineExceededError("kept so from now on, but after " + waited + " node " +
                                     SlowestNoter(*item.object) +
                                     " has not confirmed that it tells the next master; ask again");
      break;
    case WaitingVerb::kLocate:
    case WaitingVerb::kExists:
    case WaitingVerb::kPin:
    case WaitingVerb::kStat:
      status = DeadlineExceededError("not known after " + waited + ": " + WhyUnsettled(*item.key) +
                                     "; ask again");
      break;
    case WaitingVerb::kWaitExists:
      status = DeadlineExceededError("no put of the key was committed within " + waited +
                                     (Gathering() ? ", and " + WhoIsMissing() : std::string()));
      break;
    case WaitingVerb::kRemove:
      status = DeadlineExceededError("no longer found, but after " + waited + " node " +
                                     SlowestHolder(*item.key) +
                                     " has not confirmed that it refuses old locations; ask again");
      break;
    case WaitingVerb::kSweep:
      status = StillSweeping(item.request, waited);
      break;
    case WaitingVerb::kItem:
      break;  // only held up
  }
  AnswerStatus(event, item.request, item.index, item.verb, std::move(status));
}

void Catalog::State::AnswerAll(Event& event, const WaitList& list, const Status& status) {
  while (WaitingItem* const item = list.front()) {
    AnswerStatus(event, item->request, item->index, item->verb, status);
    waiting.Remove(item);
  }
}

void Catalog::State::AnswerReaders(Event& event, KeyEntry& key) {
  WaitingItem* next = key.readers().front();
  while (next) {
    WaitingItem* const item = next;
    next = item->next;
    if (item->verb == WaitingVerb::kWaitExists && !key.current()) continue;
    AnswerReader(event, item);
  }
}

void Catalog::State::AnswerReader(Event& event, WaitingItem* reader) {
  const WaitingItem item = *reader;
  Object* const object = Finds(item.key, item.readable) ? item.key->current() : nullptr;
  if (item.verb == WaitingVerb::kPin && object) return PinReader(event, reader, *object);
  waiting.Remove(reader);
  const bool awaited = item.awaits > Duration::zero();
  Node* const caller = nodes.Find(item.request.caller);
  if (caller && (item.verb == WaitingVerb::kLocate || item.verb == WaitingVerb::kExists)) {
    ++(object ? caller->hits : caller->misses);
    if (!object) KeepMiss(event, item.request.caller, item.key->name(), !item.only_reads);
  }
  if (awaited) ++(object ? counters.awaited_puts : counters.awaited_in_vain);
  switch (item.verb) {
    case WaitingVerb::kLocate:
      if (object) {
        return LocateOne(event, item.request, item.index, *object, item.want_lease,
                         event.now - item.since);
      }
      ++counters.locate_misses;
      break;
    case WaitingVerb::kStat:
      if (object) return StatOne(event, item.request, item.index, *object);
      break;
    case WaitingVerb::kExists:
      ++(object ? counters.exists_hits : counters.exists_misses);
      break;
    default:
      break;
  }
  AnswerStatus(event, item.request, item.index, item.verb,
               object ? Status::Ok() : NotFoundError("no such object"));
}

void Catalog::State::PinReader(Event& event, WaitingItem* reader, Object& object) {
  const Status status = PinOne(event, object, reader->hard, reader->soft);
  if (status.ok() && AwaitsPin(object)) {
    reader->verb = WaitingVerb::kKept;
    reader->key = nullptr;
    reader->object = &object;
    return WaitingItems::Move(reader, &object.more().waiting);
  }
  AnswerStatus(event, reader->request, reader->index, reader->verb, status);
  waiting.Remove(reader);
}

void Catalog::State::AnswerRemovers(Event& event, KeyEntry& key) {
  while (WaitingItem* const item = key.removers().front()) {
    if (Node* const caller = nodes.Find(item->request.caller)) {
      caller->removes.Add({item->request.id, item->index}, item->found,
                          limits.outcomes_kept_per_writer);
    }
    AnswerStatus(event, item->request, item->index, item->verb,
                 item->found ? Status::Ok() : NotFoundError("no such object"));
    waiting.Remove(item);
  }
}

void Catalog::State::ForgetIfEmpty(KeyEntry& key) {
  if (key.IsEmpty()) {
    keys.Erase(&key);
  } else {
    key.Trim();
  }
}

KeyEntry* Catalog::State::FindKey(std::string_view key) { return keys.Find(key); }

KeyEntry& Catalog::State::FindOrAddKey(std::string_view key) { return keys.FindOrAdd(key); }

}  // namespace kvstore::master
