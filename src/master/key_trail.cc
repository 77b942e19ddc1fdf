#include "master/key_trail.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace kvstore::master {

KeyTrace& KeyTrail::Missed(std::string_view key, TimePoint now, Incarnation asker) {
  const std::span<KeyTrace> ways = WaysOf(key);
  const std::span<KeyTrace> own = ways.first(kWays / 2);
  KeyTrace& found = FindOrReplace(key, ways, own);
  KeyTrace* trace = &found;
  if (&found >= own.data() + own.size()) {  // it had only ended so far
    trace = &FindOrReplace(key, own, own);
    *trace = std::exchange(found, {});
  }
  ++trace->misses;
  trace->missed = now;
  trace->asker = asker;
  return *trace;
}

void KeyTrail::Ended(std::string_view key, TimePoint now, ObjectEvent::What how) {
  const std::span<KeyTrace> ways = WaysOf(key);
  KeyTrace& trace = FindOrReplace(key, ways, ways.last(kWays / 2));
  trace.ended = now;
  trace.how = how;
  trace.announced = {};
  trace.given_up = now;
}

void KeyTrail::GaveUp(std::string_view key, TimePoint now) {
  const Place place = PlaceOf(key);
  if (parts_[place.part] == nullptr) return;
  for (KeyTrace& trace : std::span(*parts_[place.part]).subspan(place.first, kWays)) {
    if (trace.key == key) trace.given_up = now;
  }
}

const KeyTrace* KeyTrail::Find(std::string_view key) const {
  const Place place = PlaceOf(key);
  const Part* const part = parts_[place.part].get();
  if (part == nullptr) return nullptr;
  const auto ways = std::span(*part).subspan(place.first, kWays);
  const auto found = std::find_if(ways.begin(), ways.end(),
                                  [key](const KeyTrace& trace) { return trace.key == key; });
  return found == ways.end() ? nullptr : &*found;
}

std::span<KeyTrace> KeyTrail::WaysOf(std::string_view key) {
  const Place place = PlaceOf(key);
  std::unique_ptr<Part>& part = parts_[place.part];
  if (part == nullptr) part = std::make_unique<Part>();
  return std::span(*part).subspan(place.first, kWays);
}

KeyTrail::Place KeyTrail::PlaceOf(std::string_view key) {
  constexpr size_t kSets = kMostKeys / kParts / kWays;
  const size_t hash = std::hash<std::string_view>()(key);
  return {hash % kParts, hash / kParts % kSets * kWays};
}

// The key among `all`; else a new one in the place of the oldest of `own`.
KeyTrace& KeyTrail::FindOrReplace(std::string_view key, std::span<KeyTrace> all,
                                  std::span<KeyTrace> own) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [key](const KeyTrace& trace) { return trace.key == key; });
  if (found != all.end()) return *found;
  KeyTrace& oldest = *std::min_element(
      own.begin(), own.end(),
      [](const KeyTrace& a, const KeyTrace& b) { return a.changed() < b.changed(); });
  oldest = {};
  oldest.key = key;
  return oldest;
}

}  // namespace kvstore::master
