// Puts that are awaited by who reads what others have only just computed. A prefill worker answers
// its request before it has put what it computed; the decode worker that is asked next would find
// nothing and compute it again. No rule depends on any of this: it says only how long a miss may
// take.

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

// From the question of a worker that looks for what it has to compute, to its put.
constexpr Duration kAnnouncedFor = std::chrono::seconds(30);
// From the commit of one part of a prompt to the put of the next, which is computed meanwhile.
constexpr Duration kNextWithin = std::chrono::seconds(10);
// A shorter wait says nothing of whether a put comes.
constexpr Duration kFairWait = std::chrono::milliseconds(100);

}  // namespace

void Catalog::State::LocateAwaiting(Event& event, const Asking& asking, const Locate& verb) {
  std::string_view after = verb.await.after;
  bool awaited = false;  // the key before
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    const std::string_view name = verb.keys[i];
    if (i % KeyTable::kFetched == 0) keys.Fetch(verb.keys, i);
    KeyEntry* const key = FindKey(event, name);
    WaitingItem item;
    item.index = i;
    item.verb = WaitingVerb::kLocate;
    item.want_lease = verb.want_lease;
    item.only_reads = true;
    item.readable = verb.readable;
    if (waiting.Contains(asking.request, i)) {
      awaited = true;  // a retry
    } else if (key && key->current()) {
      awaited = false;
      if (!Finds(key, verb.readable)) {
        MissOne(event, asking, i, name, false);
        after = {};  // the prompt ends here for who asks: nothing behind it is worth a wait
        continue;
      }
      ++asking.caller.hits;
      LocateOne(event, asking.request, i, *key->current(), verb.want_lease, Duration::zero());
    } else if (IsUnsettled(key)) {
      awaited = true;
      WaitForKey(event, asking, item, name);
    } else if (awaited || IsAnnounced(event, asking, key, name, after)) {
      awaited = true;
      item.awaits = verb.await.at_most;
      WaitForKey(event, asking, item, name);
    } else {
      MissOne(event, asking, i, name, false);
    }
    after = name;
  }
}

// A put of a key that is not there may be on its way:
//   it has been started;
//   another caller lately asked for it in vain, and may do so because it is to put it;
//   what comes before it in the same prompt was lately committed by another caller.
// Once it was waited for in vain, or its put has failed, it must be announced anew, so that what
// never comes costs one wait. Who awaits announces nothing by that, nor to itself.
bool Catalog::State::IsAnnounced(const Event& event, const Asking& asking, const KeyEntry* key,
                                 std::string_view name, std::string_view after) {
  const Incarnation self = asking.caller.peer.incarnation;
  const KeyTrace* const trace = trail.Find(name);
  const TimePoint given_up = trace ? trace->given_up : TimePoint();
  const Object* const started = key ? key->unfinished() : nullptr;
  if (started && started->rest().asked > given_up && started->id().writer != self) return true;
  if (trace && trace->announced > given_up && trace->announced + kAnnouncedFor > event.now &&
      trace->announcer != self) {
    return true;
  }
  const KeyEntry* const before = after.empty() ? nullptr : FindKey(after);
  if (!before || !before->current()) return false;
  const Object& object = *before->current();
  return object.id().writer != self && object.committed > given_up &&
         object.committed + kNextWithin > event.now;
}

void Catalog::State::AnswerAwaitedInVain(Event& event, const WaitingItem& item) {
  ++counters.awaited_in_vain;
  ++counters.locate_misses;
  if (Node* const caller = nodes.Find(item.request.caller)) ++caller->misses;
  KeyTrace& trace = trail.Missed(item.key->name(), event.now, item.request.caller);
  if (event.now - item.since >= kFairWait) trace.given_up = event.now;
  AnswerStatus(event, item.request, item.index, item.verb, NotFoundError("no such object"));
}

}  // namespace kvstore::master
