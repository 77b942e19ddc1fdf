#include "transfer/rdma/path_health.h"

#include <algorithm>

namespace kvstore::transfer {
namespace {

constexpr Duration kFirstBackOff = std::chrono::seconds(1);
constexpr int kMaxDoublings = 5;
// Peers come and go; what failed that long ago says nothing any more.
constexpr Duration kForgetAfter = std::chrono::minutes(10);

}  // namespace

std::vector<size_t> PathHealth::Candidates(const Incarnation& peer, TimePoint now) {
  MutexLock lock(mu_);
  std::vector<size_t> candidates;
  for (size_t device = 0; device < lanes_.size(); ++device) {
    const auto failed = failures_.find({peer, device});
    if (failed == failures_.end() || failed->second.again_at <= now) candidates.push_back(device);
  }
  const std::vector<size_t> lanes = lanes_;
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&lanes](size_t a, size_t b) { return lanes[a] < lanes[b]; });
  return candidates;
}

void PathHealth::NoteOpened(const Incarnation& peer, size_t device) {
  MutexLock lock(mu_);
  ++lanes_[device];
  failures_.erase({peer, device});
}

void PathHealth::NoteClosed(size_t device) {
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
