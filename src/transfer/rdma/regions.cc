#include "transfer/rdma/regions.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "transfer/shm/shared_files.h"

namespace kvstore::transfer {
namespace {

RemoteMemory Describe(const RegisteredMemory& memory, uint64_t size) {
  return {.size = size,
          .origin = memory.origin(),
          .part_bytes = memory.part_bytes(),
          .keys = memory.remote_keys()};
}

}  // namespace

RdmaRegions::RdmaRegions(std::vector<std::shared_ptr<RdmaDevice>> devices, uint64_t part_bytes,
                         Topology topology, FindNode find_node)
    : devices_(std::move(devices)),
      part_bytes_(part_bytes),
      topology_(std::move(topology)),
      find_node_(std::move(find_node)),
      keeps_pages_at_fork_(devices_.empty() || KeepsPagesAtFork(devices_.front()->verbs())),
      near_(devices_.size(), true) {}

void RdmaRegions::ChooseNearest() {
  std::set<int> nodes;
  for (const auto& [id, region] : regions_) nodes.insert(region->node);
  std::vector<int> devices;
  for (const std::shared_ptr<RdmaDevice>& device : devices_) {
    devices.push_back(device->place().numa_node);
  }
  near_ = Nearest(topology_, devices, nodes.size() == 1 ? *nodes.begin() : -1);
}

bool RdmaRegions::IsNear(size_t device) const {
  MutexLock lock(mu_);
  return near_[device];
}

size_t RdmaRegions::RankOf(size_t device) const {
  MutexLock lock(mu_);
  return static_cast<size_t>(
      std::count(near_.begin(), near_.begin() + static_cast<ptrdiff_t>(device), near_[device]));
}

Status RdmaRegions::Add(RegionId id, void* base, uint64_t size, const RegionOptions& options) {
  if (options.shared == nullptr && !keeps_pages_at_fork_) {
    if (!options.remote) return Status::Ok();
    return FailedPreconditionError(
        "this kernel, older than 5.12, gives a process that forks other pages than its RDMA "
        "devices know; memory that isn't shared is not offered over RDMA");
  }
  auto region = std::make_unique<Region>();
  region->base = static_cast<std::byte*>(base);
  region->size = size;
  region->remote = options.remote;
  region->guarded = options.guard != nullptr;
  Status failed;
  size_t added = 0;
  for (const std::shared_ptr<RdmaDevice>& device : devices_) {
    const Status status = AddTo(device, options, region.get());
    if (!status.ok() && status.code() != StatusCode::kUnavailable) return status;
    if (!status.ok()) failed = status;
    added += status.ok() ? 1 : 0;
  }
  if (added == 0 && !failed.ok()) return failed;
  // Devices go on using the pages that they know, so these may not be exchanged.
  if (options.shared != nullptr) SharedFiles::KeepPages(*options.shared);
  region->node = find_node_(region->base, size);  // its pages are there now
  MutexLock lock(mu_);
  by_begin_[reinterpret_cast<uintptr_t>(base)] = region.get();
  regions_[id] = std::move(region);
  ChooseNearest();
  return Status::Ok();
}

Status RdmaRegions::AddTo(const std::shared_ptr<RdmaDevice>& device, const RegionOptions& options,
                          Region* region) const {
  const bool has_words = options.shared != nullptr;
  region->memory.emplace_back();
  if (has_words) region->words.emplace_back();
  KVSTORE_ASSIGN_OR_RETURN(
      std::unique_ptr<RegisteredMemory> memory,
      RegisteredMemory::Create(device, region->base, region->size,
                               options.remote ? MemoryUse::kRemoteWrite : MemoryUse::kLocal,
                               part_bytes_));
  if (has_words) {
    const std::span<Word> words = options.shared->words();
    region->granule = options.shared->granule();
    KVSTORE_ASSIGN_OR_RETURN(
        region->words.back(),
        RegisteredMemory::Create(device, reinterpret_cast<std::byte*>(words.data()),
                                 words.size_bytes(), MemoryUse::kRemoteRead, part_bytes_));
  }
  region->memory.back() = std::move(memory);
  return Status::Ok();
}

Status RdmaRegions::Remove(RegionId id, TimePoint until) {
  std::unique_ptr<Region> region;
  {
    MutexLock lock(mu_);
    for (;;) {
      const auto found = regions_.find(id);  // anew each time: another may remove it meanwhile
      if (found == regions_.end()) {
        return NotFoundError("region " + std::to_string(id) + " is not known to the devices");
      }
      found->second->closing = true;
      // A newer region may begin there by now: the engine has let go of this one already.
      const auto begin = by_begin_.find(reinterpret_cast<uintptr_t>(found->second->base));
      if (begin != by_begin_.end() && begin->second == found->second.get()) by_begin_.erase(begin);
      if (found->second->uses == 0) {
        region = std::move(found->second);
        regions_.erase(found);
        break;
      }
      if (BootClock::now() >= until) {
        return UnavailableError("region " + std::to_string(id) +
                                " may be touched still, by a copy whose device does not close its "
                                "path; its memory must be kept");
      }
      use_ended_.WaitUntil(mu_, until);
    }
    ChooseNearest();
  }
  const Status closed = Close(region.get());  // without the lock: that may take long
  if (closed.ok()) return closed;
  MutexLock lock(mu_);
  regions_[id] = std::move(region);
  return closed;
}

Status RdmaRegions::Close(Region* region) {
  Status status;
  for (auto* const all : {&region->memory, &region->words}) {
    for (const std::unique_ptr<RegisteredMemory>& memory : *all) {
      const Status closed = memory == nullptr ? Status::Ok() : memory->Close();
      if (!closed.ok()) status = closed;
    }
  }
  return status;
}

Result<RegionAnswer> RdmaRegions::Find(RegionId id, size_t device) const {
  MutexLock lock(mu_);
  const auto found = regions_.find(id);
  if (found == regions_.end() || !found->second->remote || found->second->closing) {
    return NotFoundError("region " + std::to_string(id) + " isn't open to peers over RDMA");
  }
  const Region& region = *found->second;
  if (region.guarded && region.words.empty()) {
    return FailedPreconditionError("region " + std::to_string(id) +
                                   " is guarded and has no words that a peer could read");
  }
  if (device >= region.memory.size()) {
    return NotFoundError("this peer has no RDMA device " + std::to_string(device));
  }
  if (region.memory[device] == nullptr) {
    return UnavailableError(devices_[device]->name() + " has failed at this peer");
  }
  RegionAnswer answer;
  answer.memory = Describe(*region.memory[device], region.size);
  answer.guarded = region.guarded;
  if (!region.words.empty()) {
    answer.granule = region.granule;
    answer.words = Describe(*region.words[device], region.size / region.granule * sizeof(uint64_t));
  }
  return answer;
}

RdmaRegions::Use RdmaRegions::FindLocal(const void* data, uint64_t size) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  MutexLock lock(mu_);
  auto found = by_begin_.upper_bound(begin);
  if (found == by_begin_.begin()) return {};
  Region* const region = std::prev(found)->second;
  const uint64_t offset = begin - reinterpret_cast<uintptr_t>(region->base);
  if (offset > region->size || size > region->size - offset) return {};
  ++region->uses;
  return {region, EndUse{this}};
}

void RdmaRegions::EndUse::operator()(const Region* region) const {
  MutexLock lock(regions->mu_);
  if (--region->uses == 0) regions->use_ended_.NotifyAll();
}

}  // namespace kvstore::transfer
