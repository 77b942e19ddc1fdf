#include "transfer/registry.h"

#include <limits>
#include <string>
#include <thread>
#include <utility>

namespace kvstore::transfer {

struct RegionAccess::Region {
  std::byte* base = nullptr;
  uint64_t size = 0;
  RegionOptions options;
  std::atomic<bool> closing = false;
  std::atomic<bool> abandoned = false;  // its guard may be gone
  std::atomic<int> leaving = 0;         // calls of its guard's Leave, now
  uint64_t uses = 0;                    // guarded by the registry's mutex
};

RegionAccess::RegionAccess(Registry* registry, Region* region, Access access, uint64_t offset,
                           uint64_t length, const Guard& guard, bool entered)
    : registry_(registry),
      region_(region),
      data_(region->base + offset),
      access_(access),
      offset_(offset),
      length_(length),
      guard_(guard),
      entered_(entered) {}

RegionAccess::RegionAccess(RegionAccess&& other) noexcept
    : registry_(other.registry_),
      region_(std::exchange(other.region_, nullptr)),
      data_(other.data_),
      access_(other.access_),
      offset_(other.offset_),
      length_(other.length_),
      guard_(other.guard_),
      entered_(other.entered_) {}

RegionAccess::~RegionAccess() {
  if (region_ == nullptr) return;
  if (entered_) LeaveGuard();
  registry_->EndUse(region_);
}

void RegionAccess::LeaveGuard() const {
  // Either it sees that the guard may be gone, or who abandons the region sees it here.
  ++region_->leaving;
  if (!region_->abandoned) {
    region_->options.guard->Leave(access_, guard_.first, offset_, length_, guard_.birth);
  }
  --region_->leaving;
}

bool RegionAccess::Stands() const {
  if (region_->closing.load(std::memory_order_acquire)) return false;
  RegionGuard* guard = region_->options.guard;
  return guard == nullptr || guard->Stands(guard_.first, guard_.birth);
}

bool RegionAccess::StillStands() const { return !registry_->guards_.check_during || Stands(); }

bool RegionAccess::StoodToTheEnd() const {
  return !registry_->guards_.check_after_read || Stands();
}

Registry::Registry(const TransferGuards& guards) : guards_(guards) {}

Registry::~Registry() = default;

Status Registry::CheckDisjoint(uint64_t begin, uint64_t size) const {
  auto next = by_begin_.lower_bound(begin);
  const bool hits_next = next != by_begin_.end() && next->first - begin < size;
  bool hits_previous = false;
  if (next != by_begin_.begin()) {
    const auto previous = std::prev(next);
    hits_previous = begin - previous->first < regions_.at(previous->second)->size;
  }
  if (!hits_next && !hits_previous) return Status::Ok();
  const RegionId other = hits_next ? next->second : std::prev(next)->second;
  return InvalidArgumentError("this memory overlaps region " + std::to_string(other) +
                              "; unregister that one first");
}

Result<RegionId> Registry::Add(void* base, uint64_t size, const RegionOptions& options) {
  if (options.kind == MemoryKind::kCuda) {
    return UnimplementedError("CUDA memory can't be registered: this build has no CUDA way");
  }
  if (base == nullptr || size == 0) {
    return InvalidArgumentError("a region needs a base and at least 1 byte");
  }
  const auto begin = reinterpret_cast<uintptr_t>(base);
  if (size > std::numeric_limits<uintptr_t>::max() - begin) {
    return InvalidArgumentError("a region of " + std::to_string(size) +
                                " bytes there ends beyond the address space");
  }
  MutexLock lock(mu_);
  KVSTORE_RETURN_IF_ERROR(CheckDisjoint(begin, size));
  if (next_id_ == std::numeric_limits<RegionId>::max()) {
    return ResourceExhaustedError("all region numbers are used up; restart the process");
  }
  const RegionId id = next_id_++;
  auto region = std::make_unique<Region>();
  region->base = static_cast<std::byte*>(base);
  region->size = size;
  region->options = options;
  regions_[id] = std::move(region);
  by_begin_[begin] = id;
  return id;
}

Status Registry::Remove(RegionId id, TimePoint until) {
  MutexLock lock(mu_);
  for (;;) {
    const auto found = regions_.find(id);  // anew each time: another may remove it meanwhile
    if (found == regions_.end()) {
      return NotFoundError("region " + std::to_string(id) + " isn't registered");
    }
    Region& region = *found->second;
    region.closing.store(true, std::memory_order_release);
    if (region.uses == 0) {
      by_begin_.erase(reinterpret_cast<uintptr_t>(region.base));
      regions_.erase(found);
      return Status::Ok();
    }
    if (BootClock::now() >= until) {
      region.abandoned = true;
      while (region.leaving > 0) std::this_thread::yield();  // guards don't block
      return UnavailableError("region " + std::to_string(id) +
                              " may be touched still: a peer that writes to it could not be cut "
                              "off; its memory must be kept");
    }
    // Ends soon: every access asks in steps whether its region is closing.
    use_ended_.WaitUntil(mu_, until);
  }
}

Result<RegionAccess::Region*> Registry::Use(RegionId id, uint64_t offset, uint64_t length,
                                            bool has_guard) {
  MutexLock lock(mu_);
  const auto found = regions_.find(id);
  if (found == regions_.end() || found->second->closing || !found->second->options.remote) {
    return NotFoundError("region " + std::to_string(id) + " isn't open to peers");
  }
  Region& region = *found->second;
  const bool within = offset <= region.size && length <= region.size - offset;
  if (!within && guards_.accesses_stay_in_their_region) {
    return InvalidArgumentError(std::to_string(length) + " bytes at " + std::to_string(offset) +
                                " aren't within region " + std::to_string(id) + " of " +
                                std::to_string(region.size) + " bytes");
  }
  if (region.options.guard != nullptr && !has_guard && guards_.copies_name_their_guard) {
    return InvalidArgumentError("region " + std::to_string(id) +
                                " is guarded; the copy must name the guard that it relies on");
  }
  ++region.uses;
  return &region;
}

void Registry::EndUse(Region* region) {
  MutexLock lock(mu_);
  if (--region->uses == 0 && region->closing) use_ended_.NotifyAll();
}

Result<RegionAccess> Registry::Begin(Access access, RegionId id, uint64_t offset, uint64_t length,
                                     const std::optional<Guard>& guard) {
  KVSTORE_ASSIGN_OR_RETURN(Region* const region, Use(id, offset, length, guard.has_value()));
  const Guard named = guard.value_or(Guard{});
  RegionGuard* const owner = region->options.guard;
  const bool entered =
      owner != nullptr && owner->Enter(access, named.first, offset, length, named.birth);
  if (owner != nullptr && !entered && guards_.check_before) {
    EndUse(region);
    return AbortedError("the memory at " + std::to_string(offset) + " of region " +
                        std::to_string(id) + " is no longer that of birth " +
                        std::to_string(named.birth));
  }
  return RegionAccess(this, region, access, offset, length, named, entered);
}

}  // namespace kvstore::transfer
