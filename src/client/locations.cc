#include "client/locations.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace kvstore::client {
namespace {

constexpr size_t kFirstBuckets = 64;

uint32_t HashOf(std::string_view key) {
  return static_cast<uint32_t>(std::hash<std::string_view>()(key));
}

}  // namespace

std::shared_ptr<const Location> Locations::Find(std::string_view key, const Incarnation& self,
                                                TimePoint now) {
  if (capacity_ == 0) return nullptr;
  const uint32_t hash = HashOf(key);
  MutexLock lock(mu_);
  const Index index = Lookup(key, hash);
  if (index == kNone) return nullptr;
  const Location& location = *places_[index].location;
  if (location.until <= now || location.learned_as != self) {
    Erase(index);
    return nullptr;
  }
  if (index != newest_) {
    LeaveOrder(index);
    BecomeNewest(index);
  }
  return places_[index].location;
}

void Locations::Remember(std::string_view key, std::shared_ptr<const Location> location) {
  if (location->until == TimePoint::min()) return Forget(key);
  if (capacity_ == 0) return;
  const uint32_t hash = HashOf(key);
  std::shared_ptr<const Location> old;  // goes without the lock
  MutexLock lock(mu_);
  Index index = Lookup(key, hash);
  if (index != kNone) {
    LeaveOrder(index);
  } else {
    index = TakePlace();
    Place& place = places_[index];
    place.key = key;
    place.hash = hash;
    EnterBucket(index);
    ++size_;
  }
  BecomeNewest(index);
  old = std::exchange(places_[index].location, std::move(location));
}

void Locations::Fetch(std::span<const std::string_view> keys) {
  std::array<uint32_t, kFetched> hashes{};
  MutexLock lock(mu_);
  if (buckets_.empty()) return;
  keys = keys.first(std::min(keys.size(), kFetched));
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(keys[i]);
    __builtin_prefetch(&BucketOf(hashes[i]));
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const Index index = BucketOf(hashes[i]);
    if (index != kNone) __builtin_prefetch(&places_[index]);
  }
  if (places_.size() < capacity_) return;
  Index leaves = oldest_;
  for (size_t i = 0; i < keys.size() && leaves != kNone; ++i, leaves = places_[leaves].newer) {
    __builtin_prefetch(&BucketOf(places_[leaves].hash));
  }
}

void Locations::Forget(std::string_view key) {
  if (capacity_ == 0) return;
  const uint32_t hash = HashOf(key);
  MutexLock lock(mu_);
  if (const Index index = Lookup(key, hash); index != kNone) Erase(index);
}

void Locations::Forget(std::string_view key, const PutId& put) {
  if (capacity_ == 0) return;
  const uint32_t hash = HashOf(key);
  MutexLock lock(mu_);
  const Index index = Lookup(key, hash);
  if (index != kNone && places_[index].location->put == put) Erase(index);
}

void Locations::ForgetMatching(std::string_view prefix) {
  MutexLock lock(mu_);
  for (Index index = 0; index < places_.size(); ++index) {
    const Place& place = places_[index];
    if (place.location != nullptr && std::string_view(place.key).starts_with(prefix)) Erase(index);
  }
}

size_t Locations::size() const {
  MutexLock lock(mu_);
  return size_;
}

Locations::Index Locations::Lookup(std::string_view key, uint32_t hash) {
  if (buckets_.empty()) return kNone;
  for (Index index = BucketOf(hash); index != kNone; index = places_[index].next) {
    if (places_[index].hash == hash && places_[index].key == key) return index;
  }
  return kNone;
}

Locations::Index Locations::TakePlace() {
  if (free_ != kNone) return std::exchange(free_, places_[free_].next);
  if (places_.size() == capacity_) {
    const Index index = oldest_;
    Clear(index);
    return index;
  }
  if (places_.size() >= buckets_.size()) {
    buckets_.assign(buckets_.empty() ? kFirstBuckets : 2 * buckets_.size(), kNone);
    for (Index index = newest_; index != kNone; index = places_[index].older) EnterBucket(index);
  }
  places_.emplace_back();
  return static_cast<Index>(places_.size() - 1);
}

void Locations::EnterBucket(Index index) {
  Index& bucket = BucketOf(places_[index].hash);
  places_[index].next = std::exchange(bucket, index);
}

void Locations::LeaveBucket(Index index) {
  Index* link = &BucketOf(places_[index].hash);
  while (*link != index) link = &places_[*link].next;
  *link = places_[index].next;
}

void Locations::BecomeNewest(Index index) {
  Place& place = places_[index];
  place.newer = kNone;
  place.older = newest_;
  (newest_ == kNone ? oldest_ : places_[newest_].newer) = index;
  newest_ = index;
}

void Locations::LeaveOrder(Index index) {
  const Place& place = places_[index];
  (place.newer == kNone ? newest_ : places_[place.newer].older) = place.older;
  (place.older == kNone ? oldest_ : places_[place.older].newer) = place.newer;
}

void Locations::Clear(Index index) {
  LeaveBucket(index);
  LeaveOrder(index);
  places_[index].location.reset();
  --size_;
}

void Locations::Erase(Index index) {
  Clear(index);
  places_[index].next = std::exchange(free_, index);
}

}  // namespace kvstore::client
