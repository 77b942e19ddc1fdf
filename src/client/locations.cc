#include "client/locations.h"

#include <utility>

namespace kvstore::client {

std::shared_ptr<const Location> Locations::Find(std::string_view key, const Incarnation& self,
                                                TimePoint now) {
  if (capacity_ == 0) return nullptr;
  MutexLock lock(mu_);
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  const Location& location = *found->second->location;
  if (location.until <= now || location.learned_as != self) {
    Erase(found);
    return nullptr;
  }
  used_last_first_.splice(used_last_first_.begin(), used_last_first_, found->second);
  return found->second->location;
}

void Locations::Remember(std::string_view key, std::shared_ptr<const Location> location) {
  if (location->until == TimePoint::min()) return Forget(key);
  if (capacity_ == 0) return;
  MutexLock lock(mu_);
  if (const auto found = places_.find(key); found != places_.end()) {
    found->second->location = std::move(location);
    used_last_first_.splice(used_last_first_.begin(), used_last_first_, found->second);
    return;
  }
  if (places_.size() == capacity_) Erase(places_.find(used_last_first_.back().key));
  used_last_first_.push_front({std::string(key), std::move(location)});
  places_[used_last_first_.front().key] = used_last_first_.begin();
}

void Locations::Forget(std::string_view key) {
  if (capacity_ == 0) return;
  MutexLock lock(mu_);
  if (const auto found = places_.find(key); found != places_.end()) Erase(found);
}

void Locations::Forget(std::string_view key, const PutId& put) {
  if (capacity_ == 0) return;
  MutexLock lock(mu_);
  const auto found = places_.find(key);
  if (found != places_.end() && found->second->location->put == put) Erase(found);
}

void Locations::ForgetMatching(std::string_view prefix) {
  if (capacity_ == 0) return;
  MutexLock lock(mu_);
  for (auto it = places_.begin(); it != places_.end();) {
    const auto place = it++;
    if (place->first.starts_with(prefix)) Erase(place);
  }
}

size_t Locations::size() const {
  MutexLock lock(mu_);
  return places_.size();
}

void Locations::Erase(std::unordered_map<std::string_view, Place>::iterator found) {
  const Place place = found->second;
  places_.erase(found);  // its key is the entry's
  used_last_first_.erase(place);
}

}  // namespace kvstore::client
