#include "master/object_listing.h"

#include <algorithm>
#include <utility>

namespace kvstore::master {
namespace {

constexpr size_t kBucketsPerSlice = 8192;  // about a millisecond

bool IsLess(const ObjectLine& a, const ObjectLine& b) { return a.key < b.key; }

}  // namespace

ObjectListing::Slice ObjectListing::Next(size_t buckets) {
  if (!buckets_) buckets_ = buckets;
  const size_t first = next_;
  next_ = std::min(*buckets_, first + kBucketsPerSlice);
  return {first, next_, *buckets_};
}

bool ObjectListing::Wants(std::string_view key) const {
  return key.starts_with(prefix_) && key > after_ && limit_ > 0 &&
         (least_.size() < limit_ || key < least_.front().key);
}

void ObjectListing::Add(ObjectLine line) {
  if (least_.size() == limit_) {
    std::pop_heap(least_.begin(), least_.end(), IsLess);
    least_.pop_back();
  }
  least_.push_back(std::move(line));
  std::push_heap(least_.begin(), least_.end(), IsLess);
}

std::vector<ObjectLine> ObjectListing::Take() && {
  std::sort_heap(least_.begin(), least_.end(), IsLess);
  return std::move(least_);
}

}  // namespace kvstore::master
