#include "client/locate.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <utility>

namespace kvstore::client {
namespace {

// Durations count from before asking.
std::shared_ptr<const Location> LocationFrom(LocateAnswer answer, TimePoint asked_at,
                                             const Parts& parts) {
  auto location = std::make_shared<Location>();
  location->put = answer.put;
  location->size = answer.size;
  location->checksum = answer.checksum;
  location->replicas = std::move(answer.replicas);
  // Among equals the master's order stays. Most have one, of which nothing is to be asked.
  if (location->replicas.size() > 1) {
    std::stable_sort(location->replicas.begin(), location->replicas.end(),
                     [&](const Replica& a, const Replica& b) {
                       return DistanceTo(a, parts) < DistanceTo(b, parts);
                     });
  }
  location->learned_as = parts.self.incarnation;
  if (answer.lease > Duration::zero()) {
    location->until = After(After(asked_at, answer.parked), answer.lease);
  }
  return location;
}

// The different ones among the keys, and for each key which of these it is.
class DistinctKeys {
 public:
  explicit DistinctKeys(std::span<const std::string_view> keys) {
    if (keys.size() == 1) {
      Add(keys[0], 0);
      return;
    }
    places_.reserve(keys.size());
    table_.resize(std::bit_ceil(2 * keys.size()));
    for (const std::string_view key : keys) {
      size_t at = std::hash<std::string_view>()(key) & (table_.size() - 1);
      while (table_[at] != 0 && batch_[table_[at] - 1] != key) at = (at + 1) & (table_.size() - 1);
      if (table_[at] == 0) {
        table_[at] = static_cast<uint32_t>(batch_.size()) + 1;
        Add(key, table_[at] - 1);
      } else {
        places_.push_back(table_[at] - 1);
      }
    }
  }

  KeyBatch TakeBatch() { return std::move(batch_); }
  const std::vector<uint32_t>& places() const { return places_; }

 private:
  void Add(std::string_view key, uint32_t place) {
    batch_.Add(key);
    places_.push_back(place);
  }

  KeyBatch batch_;
  std::vector<uint32_t> places_;
  std::vector<uint32_t> table_;  // by hash, the place of a key and one; 0: none
};

}  // namespace

Distance DistanceTo(const Replica& replica, const Parts& parts) {
  if (replica.segment.holder == parts.self.incarnation) return Distance::kSameProcess;
  if (parts.self.host.empty()) return Distance::kElsewhere;
  const std::optional<Peer> peer = parts.master.FindPeer(replica.segment.holder);
  return peer && peer->host == parts.self.host ? Distance::kSameHost : Distance::kElsewhere;
}

std::vector<Located> LocateObjects(const Parts& parts, std::span<const std::string_view> keys,
                                   TimePoint deadline, Locate how) {
  std::vector<Located> all;
  if (keys.empty()) return all;
  DistinctKeys distinct(keys);
  const TimePoint asked_at = parts.clock.Now();
  how.keys = distinct.TakeBatch();
  std::vector<LocateAnswer> answers = parts.master.Find(std::move(how), deadline);
  std::vector<Located> found;
  found.reserve(answers.size());
  for (LocateAnswer& answer : answers) {
    if (answer.status.ok()) {
      found.emplace_back(LocationFrom(std::move(answer), asked_at, parts));
    } else {
      found.emplace_back(std::move(answer.status));
    }
  }
  all.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (parts.locations != nullptr && i % Locations::kFetched == 0) {
      parts.locations->Fetch(keys.subspan(i));
    }
    all.push_back(found[distinct.places()[i]]);
    if (parts.locations == nullptr) continue;
    if (all[i].ok()) {
      parts.locations->Remember(keys[i], *all[i]);
    } else if (all[i].status().code() == StatusCode::kNotFound) {
      parts.locations->Forget(keys[i]);
    }
  }
  return all;
}

}  // namespace kvstore::client
