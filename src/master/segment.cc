#include "master/segment.h"

#include <algorithm>

namespace kvstore::master {

Segment::Segment(Node* node, const LentSegment& lent, SegmentId id)
    : node_(node), id_(id), granule_(lent.granule), size_(lent.size), free_(lent.granule) {
  Ready(lent.ready, /*ends=*/false);
}

bool Segment::Grant(HeldReplica* replica, uint64_t bytes, size_t max_ranges, uint64_t birth) {
  replica->ranges = free_.Allocate(bytes, max_ranges);
  if (replica->ranges.empty()) return false;
  replica->segment = this;
  replica->birth = birth;
  replica->bytes = bytes;
  replica->standing = Standing::kUnfinished;
  Of(Standing::kUnfinished).replicas.PushBack(replica);
  Of(Standing::kUnfinished).bytes += bytes;
  return true;
}

void Segment::Move(HeldReplica* replica, Standing to) {
  Of(replica->standing).replicas.Remove(replica);
  Of(replica->standing).bytes -= replica->bytes;
  replica->standing = to;
  Of(to).replicas.PushBack(replica);
  Of(to).bytes += replica->bytes;
}

void Segment::FreeMemory(HeldReplica* replica) {
  if (replica->bytes == 0) return;
  Of(replica->standing).bytes -= replica->bytes;
  replica->bytes = 0;
  for (const Range& range : replica->ranges) free_.Release(range);
}

void Segment::Release(HeldReplica* replica) {
  FreeMemory(replica);
  Of(replica->standing).replicas.Remove(replica);
  replica->segment = nullptr;
}

void Segment::AskForPages(uint64_t limit, TimePoint now) {
  asked_ = std::min(limit, size_);
  asked_at_ = now;
}

void Segment::Ready(uint64_t limit, bool ends) {
  limit = std::min(limit, size_) / granule_ * granule_;
  if (limit > prepared_) {
    free_.Release({prepared_, limit - prepared_});
    prepared_ = limit;
  }
  if (ends) size_ = asked_ = prepared_;
  asked_ = std::max(asked_, prepared_);
}

void Segment::Enqueue(Object* object) {
  queue_.emplace(object->arrival, object);
  claimed_ += free_.Footprint(object->size);
}

void Segment::Dequeue(Object* object) {
  queue_.erase(object->arrival);
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
  return size_ == 0 ? 0
                    : static_cast<uint32_t>(1024.0 * static_cast<double>(unclaimed) /
                                            static_cast<double>(size_));
}

Space Segment::TakeSpace() const {
  Space space;
  space.size = size_;
  space.unprepared = Unprepared();
  space.free = free_.free_bytes();
  space.unfinished = Bytes(Standing::kUnfinished);
  space.leased = Bytes(Standing::kLeased);
  space.pinned = Bytes(Standing::kSoftPinned) + Bytes(Standing::kPinned);
  space.committed = Bytes(Standing::kEvictable) + space.pinned + space.leased;
  space.retiring = Bytes(Standing::kOrdered) + Bytes(Standing::kWithdrawn);
  return space;
}

}  // namespace kvstore::master
