#include "master/segment.h"

#include <algorithm>
#include <tuple>

#include "master/group.h"
#include "master/node_table.h"

namespace kvstore::master {

Segment::Segment(Node* node, const LentSegment& lent, SegmentId id)
    : node_(node),
      id_(id),
      granule_(lent.granule),
      size_(lent.size),
      limit_(lent.size),
      free_(lent.granule),
      withheld_(lent.granule) {
  Ready(lent.ready, /*ends=*/false);
}

bool Segment::TakesNew() const { return !node_->suspected && !node_->draining && !sick_; }

bool Segment::Grant(HeldReplica* replica, uint64_t bytes, size_t max_ranges, uint64_t birth) {
  replica->ranges.Set(free_.Allocate(bytes, max_ranges));
  if (replica->ranges.empty()) return false;
  replica->segment = this;
  replica->birth = birth;
  Enter(replica, Standing::kUnfinished);
  return true;
}

bool Segment::Adopt(HeldReplica* replica, const std::vector<Range>& ranges, uint64_t birth,
                    Standing standing) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (free_.Take(ranges[i])) continue;
    for (size_t taken = 0; taken < i; ++taken) free_.Release(ranges[taken]);
    return false;
  }
  replica->segment = this;
  replica->birth = birth;
  replica->ranges.Set(ranges);
  Enter(replica, standing);
  return true;
}

void Segment::Cut(HeldReplica* from, const Range& range, HeldReplica* to) {
  Discount(*from);
  from->ranges.Cut(range);
  Count(*from);
  to->segment = this;
  to->birth = from->birth;
  to->ranges.Set({&range, 1});
  Enter(to, Standing::kUnfinished);
}

void Segment::Move(HeldReplica* replica, Standing to) {
  Leave(replica);
  Enter(replica, to);
}

void Segment::Enter(HeldReplica* replica, Standing standing) {
  replica->standing = standing;
  Of(standing).replicas.PushBack(replica);
  if (standing == Standing::kUnpinned) unpinned_.insert(replica);
  Count(*replica);
}

void Segment::Leave(HeldReplica* replica) {
  Discount(*replica);
  if (replica->standing == Standing::kUnpinned) unpinned_.erase(replica);
  Of(replica->standing).replicas.Remove(replica);
}

void Segment::Count(const HeldReplica& replica) {
  Of(replica.standing).bytes += replica.bytes();
  if (replica.object().hard_pin && !IsRetiring(replica.standing)) hard_pinned_ += replica.bytes();
  if (Group* const group = replica.object().group()) {
    ++group->replicas[static_cast<size_t>(replica.standing)];
  }
}

void Segment::Discount(const HeldReplica& replica) {
  Of(replica.standing).bytes -= replica.bytes();
  if (replica.object().hard_pin && !IsRetiring(replica.standing)) hard_pinned_ -= replica.bytes();
  if (Group* const group = replica.object().group()) {
    --group->replicas[static_cast<size_t>(replica.standing)];
  }
}

bool Segment::ColderFirst::operator()(const HeldReplica* a, const HeldReplica* b) const {
  const auto turn = [](const Object& object) {
    return std::tuple(object.used, ~object.position, object.id());
  };
  return turn(a->object()) < turn(b->object());
}

HeldReplica* Segment::Coldest() const {
  HeldReplica* const evictable = First(Standing::kEvictable);
  if (unpinned_.empty()) return evictable;
  HeldReplica* const unpinned = *unpinned_.begin();
  return !evictable || ColderFirst()(unpinned, evictable) ? unpinned : evictable;
}

void Segment::FreeMemory(HeldReplica* replica) {
  if (replica->bytes() == 0) return;
  Discount(*replica);
  replica->freed = true;
  Count(*replica);
  for (size_t i = 0; i < replica->ranges.size(); ++i) Free(replica->ranges[i]);
}

void Segment::Release(HeldReplica* replica) {
  FreeMemory(replica);
  Leave(replica);
  replica->segment = nullptr;
}

void Segment::AskForPages(uint64_t limit, TimePoint now) {
  asked_ = std::max(prepared_, std::min(limit, limit_));
  asked_at_ = now;
}

void Segment::Ready(uint64_t limit, bool ends) {
  limit = std::min(limit, size_) / granule_ * granule_;
  if (limit > prepared_) {
    Free({prepared_, limit - prepared_});
    prepared_ = limit;
  }
  if (ends) {
    size_ = asked_ = prepared_;
    limit_ = std::min(limit_, size_);
  }
  asked_ = std::max(asked_, prepared_);
}

void Segment::Limit(uint64_t limit) {
  limit_ = std::min(limit, size_);
  for (const Range& range : withheld_.TakeFrom(0)) Free(range);
  for (const Range& range : free_.TakeFrom(limit_)) withheld_.Release(range);
  asked_ = std::max(prepared_, std::min(asked_, limit_));
}

bool Segment::IsEmptied() const {
  return withheld_.free_bytes() == (prepared_ > limit_ ? prepared_ - limit_ : 0);
}

bool Segment::LiesBeyond(const HeldReplica& replica) const {
  return IsShrinking() && replica.ranges.HasAny([this](const Range& range) {
    return range.offset + range.length > limit_;
  });
}

void Segment::Grow(uint64_t size, uint64_t ready) {
  size_ = limit_ = size;
  Ready(ready, /*ends=*/false);
}

void Segment::End() {
  withheld_.TakeFrom(0);
  size_ = limit_;
  prepared_ = std::min(prepared_, size_);
  asked_ = std::min(asked_, size_);
}

void Segment::Free(Range range) {
  const uint64_t end = range.offset + range.length;
  if (range.offset < limit_) free_.Release({range.offset, std::min(end, limit_) - range.offset});
  if (end > limit_) {
    const uint64_t start = std::max(range.offset, limit_);
    withheld_.Release({start, end - start});
  }
}

void Segment::Enqueue(Object* object) {
  queue_.emplace(object->rest().arrival, object);
  claimed_ += free_.Footprint(object->size);
}

void Segment::Dequeue(Object* object) {
  queue_.erase(object->rest().arrival);
  claimed_ -= free_.Footprint(object->size);
}

size_t Segment::objects() const {
  size_t count = 0;
  for (size_t i = 0; i < kStandings; ++i) {
    const auto standing = static_cast<Standing>(i);
    if (IsCommitted(standing)) count += List(standing).size();
  }
  return count;
}

uint32_t Segment::FreeShare() const {
  const uint64_t room = free_.free_bytes() + Unprepared();
  const uint64_t unclaimed = room > claimed_ ? room - claimed_ : 0;
  return limit_ == 0 ? 0
                     : static_cast<uint32_t>(1024.0 * static_cast<double>(unclaimed) /
                                             static_cast<double>(limit_));
}

Space Segment::TakeSpace() const {
  Space space;
  space.size = size_;
  space.unprepared = size_ - prepared_;
  space.free = free_.free_bytes();
  space.ahead = Bytes(Standing::kAhead);
  space.unfinished = Bytes(Standing::kUnfinished) + space.ahead;
  space.leased = Bytes(Standing::kLeased);
  space.pinned = Bytes(Standing::kSoftPinned) + Bytes(Standing::kPinned);
  space.committed =
      Bytes(Standing::kEvictable) + Bytes(Standing::kUnpinned) + space.pinned + space.leased;
  space.withdrawn = Bytes(Standing::kWithdrawn);
  space.withheld = withheld_.free_bytes();
  space.retiring = Bytes(Standing::kOrdered) + space.withdrawn + space.withheld;
  return space;
}

}  // namespace kvstore::master
