#include "transfer/rdma/reached_regions.h"

#include <algorithm>

namespace kvstore::transfer {
namespace {

constexpr Duration kFirstBackOff = std::chrono::seconds(1);
constexpr int kMaxDoublings = 5;

}  // namespace

std::optional<Status> ReachedRegions::Find(PeerId peer, RegionId region, TimePoint now) const {
  MutexLock lock(mu_);
  const auto found = known_.find({peer, region});
  if (found == known_.end()) return std::nullopt;
  const Known& known = found->second;
  if (!known.answer.ok() && known.ask_at <= now) return std::nullopt;
  return known.answer;
}

void ReachedRegions::Note(PeerId peer, RegionId region, const Status& answer, TimePoint now) {
  MutexLock lock(mu_);
  Known& known = known_[{peer, region}];
  known.answer = answer;
  if (answer.ok()) {
    known.refusals = 0;
    return;
  }
  if (known.refusals > 0 && now < known.ask_at) return;  // asked for by several at once
  known.ask_at = now + kFirstBackOff * (1 << std::min(known.refusals, kMaxDoublings));
  ++known.refusals;
}

void ReachedRegions::Forget(PeerId peer) {
  MutexLock lock(mu_);
  known_.erase(known_.lower_bound({peer, 0}), known_.lower_bound({peer + 1, 0}));
}

}  // namespace kvstore::transfer
