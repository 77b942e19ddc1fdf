#include "transfer/rdma/path_health.h"

#include <algorithm>
#include <optional>

namespace kvstore::transfer {
namespace {

constexpr Duration kFirstBackOff = std::chrono::seconds(1);
constexpr int kMaxDoublings = 5;
// Peers come and go; what failed that long ago says nothing any more.
constexpr Duration kForgetAfter = std::chrono::minutes(10);

}  // namespace

bool PathHealth::MayLead(const Incarnation& peer, size_t device, TimePoint now) const {
  const auto failed = failures_.find({peer, device});
  return is_up_(device) && (failed == failures_.end() || failed->second.again_at <= now);
}

bool PathHealth::IsBetter(size_t other, size_t device, size_t by_lanes) const {
  const bool near = is_near_(device);
  if (is_near_(other) != near) return !near;
  return lanes_[other] + by_lanes <= lanes_[device];
}

std::unique_ptr<PathHealth::Place> PathHealth::Take(const Incarnation& peer,
                                                    const std::set<size_t>& tried, TimePoint now) {
  MutexLock lock(mu_);
  std::optional<size_t> best;
  for (size_t device = 0; device < lanes_.size(); ++device) {
    if (tried.contains(device) || !MayLead(peer, device, now)) continue;
    if (!best || IsBetter(device, *best, 1)) best = device;
  }
  if (!best) return nullptr;
  ++lanes_[*best];
  return std::make_unique<Place>(*this, *best);
}

bool PathHealth::MayReach(const Incarnation& peer, TimePoint now) {
  MutexLock lock(mu_);
  for (size_t device = 0; device < lanes_.size(); ++device) {
    if (MayLead(peer, device, now)) return true;
  }
  return false;
}

bool PathHealth::IsCrowded(const Incarnation& peer, size_t device, TimePoint now) {
  MutexLock lock(mu_);
  for (size_t other = 0; other < lanes_.size(); ++other) {
    if (IsBetter(other, device, 2) && MayLead(peer, other, now)) return true;
  }
  return false;
}

void PathHealth::NoteReached(const Incarnation& peer, size_t device) {
  MutexLock lock(mu_);
  failures_.erase({peer, device});
}

void PathHealth::Leave(size_t device) {
  MutexLock lock(mu_);
  --lanes_[device];
}

void PathHealth::NoteFailed(const Incarnation& peer, size_t device, TimePoint now) {
  MutexLock lock(mu_);
  std::erase_if(failures_,
                [&](const auto& entry) { return now - entry.second.again_at > kForgetAfter; });
  Failures& failures = failures_[{peer, device}];
  if (failures.in_a_row > 0 && now < failures.again_at) return;
  failures.again_at = now + kFirstBackOff * (1 << std::min(failures.in_a_row, kMaxDoublings));
  ++failures.in_a_row;
}

}  // namespace kvstore::transfer
