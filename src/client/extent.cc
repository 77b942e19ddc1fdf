#include "client/extent.h"

#include <algorithm>

namespace kvstore::client {

Extent::Extent(uint64_t capacity, uint64_t granule)
    : capacity_(capacity), granule_(granule), wish_(capacity), end_(capacity) {}

void Extent::Wish(uint64_t bytes) {
  wish_ = std::min(RoundUp(std::min(bytes, capacity_)), capacity_);
  if (problem_.empty()) return;
  problem_.clear();
  asked_ = ready_;
}

bool Extent::Prepare(uint64_t limit) {
  // Pages that the master asks for again are none to be given back.
  if (release_ && limit > *release_) release_.reset();
  end_ = std::max(end_, RoundUp(std::min(limit, wish_)));
  asked_ = std::max(asked_, RoundUp(std::min(limit, end_)));
  return limit <= ready_ || ready_ >= end_ || !problem_.empty();
}

void Extent::Release(uint64_t limit) {
  end_ = RoundUp(std::min(limit, capacity_));
  asked_ = std::min(asked_, end_);
  release_ = end_;
}

void Extent::Restart() {
  asked_ = ready_;
  problem_.clear();  // another incarnation may find more memory
  end_ = std::max({end_, wish_, ready_});
  release_.reset();
}

Extent::Work Extent::Next(uint64_t step) const {
  if (release_) return {What::kGiveBack, *release_, std::max(*release_, ready_)};
  if (asked_ <= ready_ || !problem_.empty()) return {};
  return {What::kTouch, ready_, std::min(asked_, ready_ + step)};
}

uint64_t Extent::BeginGivingBack() {
  const uint64_t limit = *release_;
  release_.reset();
  ready_ = std::min(ready_, limit);
  asked_ = std::min(asked_, std::max(ready_, limit));
  return limit;
}

}  // namespace kvstore::client
