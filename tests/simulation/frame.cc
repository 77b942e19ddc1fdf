#include "simulation/frame.h"

#include <algorithm>
#include <cstring>

namespace kvstore::simulation {

using transfer::Access;

bool Region::WordStands(const transfer::Guard& granted) const {
  const uint64_t place = granted.first / granule;
  return place < words.size() && words[place].load(std::memory_order_seq_cst) <= granted.birth;
}

Status MisfitOf(const Region* region, uint64_t offset, uint64_t length,
                const std::optional<transfer::Guard>& granted) {
  if (region == nullptr) return NotFoundError("no such region");
  if (offset > region->size || length > region->size - offset) {
    return InvalidArgumentError("the copy leaves its region");
  }
  if (region->guard != nullptr && !granted.has_value()) {
    return InvalidArgumentError("the region is guarded and the copy names no birth");
  }
  return Status::Ok();
}

bool Serving::Step(uint64_t slice) {
  if (ended_) return true;
  if (!entered_) {
    if (!Begin()) return true;
    if (!frame_->bytes.empty()) return false;
  }
  MoveSlice(slice);
  if (moved_ < frame_->bytes.size()) return false;
  End();
  return true;
}

bool Serving::Begin() {
  const uint64_t length = frame_->bytes.size();
  Status verdict = MisfitOf(region_, frame_->offset, length, frame_->guard);
  if (verdict.ok() && region_->guard != nullptr &&
      !region_->guard->Enter(frame_->access, frame_->guard->first, frame_->offset, length,
                             frame_->guard->birth)) {
    refused_before_ = true;
    verdict = AbortedError("the memory has a new owner");
  }
  if (verdict.ok()) {
    entered_ = true;
    return true;
  }
  ended_ = true;
  answer_(verdict);
  return false;
}

void Serving::MoveSlice(uint64_t slice) {
  const uint64_t n = std::min<uint64_t>(slice, frame_->bytes.size() - moved_);
  if (n == 0) return;
  std::byte* memory = region_->base + frame_->offset + moved_;
  std::byte* wire = frame_->bytes.data() + moved_;
  if (frame_->access == Access::kWrite) {
    std::memcpy(memory, wire, n);
  } else {
    std::memcpy(wire, memory, n);
  }
  moved_ += n;
}

void Serving::End() {
  Status verdict;
  if (frame_->access == Access::kRead && region_->guard != nullptr &&
      !region_->guard->Stands(frame_->guard->first, frame_->guard->birth)) {
    refused_after_ = true;
    verdict = AbortedError("the memory got a new owner during the read");
  }
  ended_ = true;
  Leave();
  answer_(verdict);
}

void Serving::Abandon() {
  if (ended_) return;
  ended_ = true;
  if (entered_) Leave();
  entered_ = false;
}

void Serving::Leave() {
  if (region_->guard == nullptr) return;
  region_->guard->Leave(frame_->access, frame_->guard->first, frame_->offset, frame_->bytes.size(),
                        frame_->guard->birth);
}

}  // namespace kvstore::simulation
