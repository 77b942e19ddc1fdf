#include "master/key_trail.h"

#include <algorithm>
#include <functional>
#include <span>

namespace kvstore::master {
namespace {

struct Place {
  size_t part;
  size_t first;  // of the ways
};

Place PlaceOf(std::string_view key, size_t parts, size_t per_part, size_t ways) {
  const size_t hash = std::hash<std::string_view>()(key);
  return {hash % parts, hash / parts % (per_part / ways) * ways};
}

}  // namespace

void KeyTrail::Missed(std::string_view key, TimePoint now, Incarnation asker) {
  KeyTrace& trace = FindOrReplace(key);
  ++trace.misses;
  trace.missed = now;
  trace.asker = asker;
}

void KeyTrail::Ended(std::string_view key, TimePoint now, ObjectEvent::What how) {
  KeyTrace& trace = FindOrReplace(key);
  trace.ended = now;
  trace.how = how;
}

const KeyTrace* KeyTrail::Find(std::string_view key) const {
  const Place place = PlaceOf(key, kParts, kMostKeys / kParts, kWays);
  if (parts_[place.part] == nullptr) return nullptr;
  const std::span<const KeyTrace> ways(parts_[place.part]->data() + place.first, kWays);
  const auto found = std::find_if(ways.begin(), ways.end(),
                                  [key](const KeyTrace& trace) { return trace.key == key; });
  return found == ways.end() ? nullptr : &*found;
}

KeyTrace& KeyTrail::FindOrReplace(std::string_view key) {
  const Place place = PlaceOf(key, kParts, kMostKeys / kParts, kWays);
  std::unique_ptr<Part>& part = parts_[place.part];
  if (part == nullptr) part = std::make_unique<Part>();
  const std::span<KeyTrace> ways(part->data() + place.first, kWays);
  KeyTrace* oldest = &ways.front();
  for (KeyTrace& trace : ways) {
    if (trace.key == key) return trace;
    if (trace.changed() < oldest->changed()) oldest = &trace;
  }
  *oldest = {};
  oldest->key = key;
  return *oldest;
}

}  // namespace kvstore::master
