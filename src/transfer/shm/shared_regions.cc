#include "transfer/shm/shared_regions.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace kvstore::transfer {
namespace {

uint64_t DrawRegistration() {
  std::random_device random;
  uint64_t drawn = 0;
  while (drawn == 0) drawn = (uint64_t{random()} << 32) | random();
  return drawn;
}

ShmReply Refusal(StatusCode code, std::string message) {
  return {.code = code, .message = std::move(message)};
}

}  // namespace

SharedRegions::~SharedRegions() {
  MutexLock lock(mu_);
  for (const auto& [id, region] : regions_) CloseOne(region);
}

Status SharedRegions::Add(RegionId id, const SharedMemory& memory, RegionGuard* guard) {
  const Shared region{
      .files = SharedFiles(memory), .guard = guard, .registration = DrawRegistration()};
  uint64_t none = 0;
  if (!region.files.registration().compare_exchange_strong(none, region.registration)) {
    return InvalidArgumentError("this shared memory is registered with an engine already");
  }
  MutexLock lock(mu_);
  regions_.emplace(id, region);
  return Status::Ok();
}

void SharedRegions::CloseOne(const Shared& region) {
  // Only ours: once it is closed, another engine may have opened the memory anew.
  uint64_t ours = region.registration;
  region.files.registration().compare_exchange_strong(ours, 0, std::memory_order_seq_cst);
}

void SharedRegions::Close(RegionId id) {
  MutexLock lock(mu_);
  const auto found = regions_.find(id);
  if (found != regions_.end()) CloseOne(found->second);
}

void SharedRegions::Remove(RegionId id) {
  MutexLock lock(mu_);
  const auto found = regions_.find(id);
  if (found == regions_.end()) return;
  CloseOne(found->second);
  while (found->second.calls > 0) call_ended_.Wait(mu_);
  regions_.erase(found);
}

SharedRegions::Opened SharedRegions::Open(const ShmRequest& request) {
  Opened opened;
  MutexLock lock(mu_);
  const auto found = regions_.find(request.region);
  if (found == regions_.end()) {
    opened.reply = Refusal(StatusCode::kNotFound, "region " + std::to_string(request.region) +
                                                      " isn't open to peers as shared memory");
    opened.reply.sequence = request.sequence;
    return opened;
  }
  const Shared& region = found->second;
  Result<FileDescriptor> data = region.files.OpenData(request.access);
  Result<FileDescriptor> words = region.files.OpenWords();
  if (data.ok() && words.ok()) {
    const SharedMemory& memory = region.files.memory();
    opened.reply = {.guarded = region.guard != nullptr,
                    .size = memory.size(),
                    .granule = memory.granule(),
                    .registration = region.registration};
    opened.data = *std::move(data);
    opened.words = *std::move(words);
  } else {
    const Status& why = data.ok() ? words.status() : data.status();
    opened.reply = Refusal(why.code(), why.message());
  }
  opened.reply.sequence = request.sequence;
  return opened;
}

std::vector<RegionId> SharedRegions::Ids() {
  std::vector<RegionId> ids;
  MutexLock lock(mu_);
  for (const auto& [id, region] : regions_) ids.push_back(id);
  return ids;
}

uint64_t SharedRegions::SizeOf(RegionId id) {
  MutexLock lock(mu_);
  const auto found = regions_.find(id);
  return found == regions_.end() ? 0 : found->second.files.memory().size();
}

void SharedRegions::CallOthersLeft() {
  for (const RegionId id : Ids()) {
    Shared* region = nullptr;
    {
      MutexLock lock(mu_);
      const auto found = regions_.find(id);
      if (found == regions_.end() || found->second.guard == nullptr) continue;
      region = &found->second;
      ++region->calls;
    }
    region->guard->OthersLeft();
    MutexLock lock(mu_);
    if (--region->calls == 0) call_ended_.NotifyAll();
  }
}

}  // namespace kvstore::transfer
