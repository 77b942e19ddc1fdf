// RemoveMatching: one look at all keys, then as many withdrawals to wait for as it removed.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr size_t kSweeps = 64;  // at a time: each keeps the names of what it waits for

}  // namespace

void Catalog::State::Do(Event& event, const Asking& asking, const RemoveMatching& verb) {
  if (waiting.Contains(asking.request, 0)) return;
  const auto answer = [&](Status status, uint64_t count) {
    event.out.Add(asking.request, CountAnswer{0, std::move(status), count});
  };
  const std::optional<uint64_t> known = asking.caller.sweeps.Find(asking.request.id);
  if (known && !sweeps.contains(asking.request)) return answer(Status::Ok(), *known);
  if (!known) {
    if (sweeps.size() >= kSweeps || waiting.IsFull()) {
      return answer(ResourceExhaustedError(std::to_string(sweeps.size()) +
                                           " removals by prefix are under way; retry"),
                    0);
    }
    BeginSweep(event, asking, verb.prefix);
    if (!sweeps.contains(asking.request)) return;
  }
  WaitingItem item;
  item.verb = WaitingVerb::kSweep;
  item.list = &sweeps.at(asking.request).waiting;
  Wait(event, asking, item);
}

void Catalog::State::BeginSweep(Event& event, const Asking& asking, std::string_view prefix) {
  Sweep& sweep = sweeps[asking.request];
  std::vector<PutId> found;
  keys.ForEach([&](const KeyEntry& key) {
    if (!key.name().starts_with(prefix)) return;
    if (key.current()) found.push_back(key.current()->id());
    // Of these, too, readers may still be served.
    for (const Object* leaving : key.leaving()) sweep.puts.push_back(leaving->id());
  });
  std::sort(found.begin(), found.end());  // in an order that no hash decides
  std::sort(sweep.puts.begin(), sweep.puts.end());
  sweep.count = found.size();
  for (const PutId& put : found) Retire(event, *Find(put), Cause::kRemoved);
  sweep.puts.insert(sweep.puts.end(), found.begin(), found.end());
  if (!guards.remove_waits_for_withdrawal) sweep.puts.clear();
  asking.caller.sweeps.Add(asking.request.id, sweep.count, limits.outcomes_kept_per_writer);
  Advance(event, asking.request);
  if (!sweeps.contains(asking.request)) {
    event.out.Add(asking.request, CountAnswer{0, Status::Ok(), found.size()});
  }
}

void Catalog::State::Advance(Event& event, const RequestName& request) {
  const auto it = sweeps.find(request);
  Sweep& sweep = it->second;
  for (; !sweep.puts.empty(); sweep.puts.pop_back()) {
    const Object* const object = Find(sweep.puts.back());
    if (!object || !object->key) continue;
    swept.emplace(object->id(), request);
    return;
  }
  while (WaitingItem* const item = sweep.waiting.front()) {
    event.out.Add(request, CountAnswer{0, Status::Ok(), sweep.count});
    waiting.Remove(item);
  }
  sweeps.erase(it);
}

void Catalog::State::AdvanceSweeps(Event& event, const PutId& put) {
  const auto [begin, end] = swept.equal_range(put);
  std::vector<RequestName> requests;
  for (auto it = begin; it != end; ++it) requests.push_back(it->second);
  swept.erase(begin, end);
  for (const RequestName& request : requests) Advance(event, request);
}

void Catalog::State::ForgetSweepsOf(Incarnation caller) {
  std::erase_if(swept, [&](const auto& entry) { return entry.second.caller == caller; });
  std::erase_if(sweeps, [&](const auto& entry) { return entry.first.caller == caller; });
}

Status Catalog::State::StillSweeping(const RequestName& request, const std::string& waited) const {
  const Sweep& sweep = sweeps.at(request);
  const Object& object = *Find(sweep.puts.back());
  return DeadlineExceededError(
      std::to_string(sweep.count) + " objects are no longer found, but after " + waited + " node " +
      SlowestHolder(object) + " has not confirmed that it refuses old locations; ask again");
}

}  // namespace kvstore::master
