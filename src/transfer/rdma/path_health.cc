#include "transfer/rdma/path_health.h"

#include <algorithm>
#include <optional>

namespace kvstore::transfer {
namespace {

constexpr Duration kFirstBackOff = std::chrono::seconds(1);
constexpr int kMaxDoublings = 5;
// Peers come and go; what failed that long ago says nothing any more.
constexpr Duration kForgetAfter = std::chrono::minutes(10);
constexpr Duration kCrossAgainAfter = std::chrono::minutes(10);
constexpr Duration kFairSilence = std::chrono::milliseconds(200);

}  // namespace

const PathHealth::Path* PathHealth::Find(const Incarnation& peer, size_t device) const {
  const auto found = paths_.find({peer, device});
  return found == paths_.end() ? nullptr : &found->second;
}

bool PathHealth::MayLead(const Incarnation& peer, size_t device) const {
  const Path* const path = Find(peer, device);
  return is_up_(device) && (path == nullptr || path->failures == 0);
}

bool PathHealth::IsReachedNow(const Incarnation& peer) const {
  for (size_t device = 0; device < lanes_.size(); ++device) {
    const Path* const path = Find(peer, device);
    if (path != nullptr && path->reached && is_up_(device)) return true;
  }
  return false;
}

bool PathHealth::IsToBeTried(const Incarnation& peer, size_t device, TimePoint now) const {
  if (!is_up_(device)) return false;
  const Path* const path = Find(peer, device);
  if (path != nullptr && path->failures > 0) return path->again_at <= now;
  return !IsReachedNow(peer);
}

bool PathHealth::IsBetter(size_t other, size_t device, size_t by_lanes) const {
  const bool near = is_near_(device);
  if (is_near_(other) != near) return !near;
  return lanes_[other] + by_lanes <= lanes_[device];
}

std::unique_ptr<PathHealth::Place> PathHealth::TakeBest(const std::set<size_t>& tried,
                                                        const Test& may) {
  std::optional<size_t> best;
  for (size_t device = 0; device < lanes_.size(); ++device) {
    if (tried.contains(device) || !may(device)) continue;
    if (!best || IsBetter(device, *best, 1)) best = device;
  }
  if (!best) return nullptr;
  ++lanes_[*best];
  return std::make_unique<Place>(*this, *best);
}

std::unique_ptr<PathHealth::Place> PathHealth::Take(const Incarnation& peer,
                                                    const std::set<size_t>& tried) {
  MutexLock lock(mu_);
  return TakeBest(tried,
                  [&](size_t device) NO_THREAD_SAFETY_ANALYSIS { return MayLead(peer, device); });
}

std::unique_ptr<PathHealth::Place> PathHealth::TakeToTry(const Incarnation& peer,
                                                         const std::set<size_t>& tried,
                                                         TimePoint now) {
  MutexLock lock(mu_);
  return TakeBest(tried, [&](size_t device)
                             NO_THREAD_SAFETY_ANALYSIS { return IsToBeTried(peer, device, now); });
}

bool PathHealth::IsToBeTried(const Incarnation& peer, TimePoint now) {
  MutexLock lock(mu_);
  for (size_t device = 0; device < lanes_.size(); ++device) {
    if (IsToBeTried(peer, device, now)) return true;
  }
  return false;
}

bool PathHealth::IsReached(const Incarnation& peer) {
  MutexLock lock(mu_);
  return IsReachedNow(peer);
}

Status PathHealth::WhyNot(const Incarnation& peer) {
  MutexLock lock(mu_);
  Status why = UnavailableError("no device is up");
  for (size_t device = 0; device < lanes_.size(); ++device) {
    if (!is_up_(device)) continue;
    const Path* const path = Find(peer, device);
    if (path == nullptr || path->failures == 0) return Status::Ok();
    why = path->why;
  }
  return why;
}

bool PathHealth::IsCrowded(const Incarnation& peer, size_t device) {
  MutexLock lock(mu_);
  if (!MayLead(peer, device)) return true;
  for (size_t other = 0; other < lanes_.size(); ++other) {
    if (IsBetter(other, device, 2) && MayLead(peer, other)) return true;
  }
  return false;
}

PathHealth::Path& PathHealth::PathTo(const Incarnation& peer, size_t device, TimePoint now) {
  const auto found = paths_.find({peer, device});
  if (found == paths_.end()) {
    std::erase_if(paths_,
                  [&](const auto& entry) { return now - entry.second.noted_at > kForgetAfter; });
  }
  Path& path = found == paths_.end() ? paths_[{peer, device}] : found->second;
  path.noted_at = now;
  return path;
}

void PathHealth::NoteReached(const Incarnation& peer, size_t device, TimePoint now) {
  MutexLock lock(mu_);
  Path& path = PathTo(peer, device, now);
  const TimePoint may_cross_at = path.may_cross_at;
  path = Path();
  path.reached = true;
  path.noted_at = now;
  path.may_cross_at = may_cross_at;
}

bool PathHealth::MayCross(const Incarnation& peer, size_t device, TimePoint now) {
  MutexLock lock(mu_);
  const Path* const path = Find(peer, device);
  return path == nullptr || now >= path->may_cross_at;
}

void PathHealth::NoteCrossing(const Incarnation& peer, size_t device, bool may, TimePoint now) {
  MutexLock lock(mu_);
  PathTo(peer, device, now).may_cross_at = may ? now : now + kCrossAgainAfter;
}

void PathHealth::Leave(size_t device) {
  MutexLock lock(mu_);
  --lanes_[device];
}

void PathHealth::Fail(Path* path, const Status& why, TimePoint now) {
  path->reached = false;
  path->silence = Duration::zero();
  if (path->failures > 0 && now < path->again_at) return;
  path->why = why;
  path->again_at = now + kFirstBackOff * (1 << std::min(path->failures, kMaxDoublings));
  ++path->failures;
}

void PathHealth::NoteFailed(const Incarnation& peer, size_t device, const Status& why,
                            TimePoint now) {
  MutexLock lock(mu_);
  ++troubles_;
  Fail(&PathTo(peer, device, now), why, now);
}

void PathHealth::NoteSilence(const Incarnation& peer, size_t device, Duration silence,
                             TimePoint now) {
  MutexLock lock(mu_);
  ++troubles_;
  Path& path = PathTo(peer, device, now);
  path.silence += silence;
  if (path.silence < kFairSilence) return;
  Fail(&path, UnavailableError("nothing has come over device " + std::to_string(device)), now);
}

}  // namespace kvstore::transfer
