#include "client/failures.h"

#include <algorithm>
#include <numeric>

namespace kvstore::client {
namespace {

constexpr Duration kFairTime = std::chrono::milliseconds(250);

}  // namespace

void Failures::Add(const SegmentId& segment, TimePoint now) {
  untold_.Add(segment);
  MutexLock lock(mu_);
  if (until_.size() >= kMostKept) {
    std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  }
  if (until_.size() >= kMostKept) until_.clear();
  until_[segment.holder] = now + kReadLastFor;
  any_ = true;
}

std::vector<size_t> Failures::Order(std::span<const Replica> replicas, TimePoint now) const {
  if (replicas.size() < 2 || !any_) return {};
  std::vector<size_t> order(replicas.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<bool> is_good(replicas.size());
  {
    MutexLock lock(mu_);
    for (size_t i = 0; i < replicas.size(); ++i) {
      const auto found = until_.find(replicas[i].segment.holder);
      is_good[i] = found == until_.end() || found->second <= now;
    }
  }
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return is_good[i]; });
  return order;
}

bool WasFair(Duration silence) { return silence >= kFairTime; }

bool MetNobody(const transfer::Completion& completion) {
  return completion.status.code() == StatusCode::kUnavailable;
}

}  // namespace kvstore::client
