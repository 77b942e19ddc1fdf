// How long objects are kept: pins, TTL, groups; and what is evicted on an operator's request.

#include "master/catalog_state.h"

namespace kvstore::master {

Standing Catalog::State::Resting(const Object& object, TimePoint now) const {
  if (object.hard_pin) return Standing::kPinned;
  return object.soft_pin_end > now ? Standing::kSoftPinned : Standing::kEvictable;
}

void Catalog::State::Do(Event& event, const Asking& asking, const Pin& verb) {
  for (uint32_t i = 0; i < verb.keys.size(); ++i) {
    event.out.Add(asking.request, ItemAnswer{i, UnimplementedError("this master cannot pin")});
  }
}

void Catalog::State::Do(Event& event, const Asking& asking, const RemoveMatching& /*verb*/) {
  event.out.Add(asking.request,
                CountAnswer{0, UnimplementedError("this master cannot remove by prefix"), 0});
}

EvictOutcome Catalog::State::EvictOnRequest(Event& /*event*/, const EvictRequest& request) {
  EvictOutcome outcome;
  outcome.statuses.assign(request.keys.size(), UnimplementedError("eviction on request"));
  return outcome;
}

}  // namespace kvstore::master
