#include "transfer/rdma/staging.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr size_t kBytes = StagingBuffer::kDataBytes + StagingBuffer::kWords * sizeof(uint64_t);

}  // namespace

Result<std::unique_ptr<StagingBuffer>> StagingBuffer::Create(
    const std::vector<std::shared_ptr<RdmaDevice>>& devices) {
  std::unique_ptr<StagingBuffer> buffer(new StagingBuffer());
  void* const mapped =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return ResourceExhaustedError("no memory left for a staging buffer of 4 MiB");
  }
  buffer->base_ = static_cast<std::byte*>(mapped);
  // A child would get copies of the pages, or worse, leave the copies to us.
  (void)madvise(mapped, kBytes, MADV_DONTFORK);
  for (const std::shared_ptr<RdmaDevice>& device : devices) {
    Result<std::unique_ptr<RegisteredMemory>> memory =
        RegisteredMemory::Create(device, buffer->base_, kBytes, MemoryUse::kLocal);
    if (!memory.ok() && memory.status().code() != StatusCode::kUnavailable) return memory.status();
    buffer->memory_.push_back(memory.ok() ? *std::move(memory) : nullptr);
  }
  return buffer;
}

StagingBuffer::~StagingBuffer() {
  bool untouched = true;
  for (const auto& memory : memory_) {
    untouched = (memory == nullptr || memory->Close().ok()) && untouched;
  }
  // What a device may write still is nobody else's.
  if (base_ != nullptr && untouched) munmap(base_, kBytes);
}

StagingPool::StagingPool(std::vector<std::shared_ptr<RdmaDevice>> devices)
    : devices_(std::move(devices)) {}

Result<std::unique_ptr<StagingBuffer>> StagingPool::Take(size_t device) {
  {
    MutexLock lock(mu_);
    const auto found = std::find_if(free_.rbegin(), free_.rend(),
                                    [&](const auto& buffer) { return buffer->IsAt(device); });
    if (found != free_.rend()) {
      std::unique_ptr<StagingBuffer> buffer = std::move(*found);
      free_.erase(std::next(found).base());
      return buffer;
    }
  }
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<StagingBuffer> buffer, StagingBuffer::Create(devices_));
  if (buffer->IsAt(device)) return buffer;
  GiveBack(std::move(buffer));  // good for the others
  return UnavailableError(devices_[device]->name() + " has failed");
}

void StagingPool::GiveBack(std::unique_ptr<StagingBuffer> buffer) {
  MutexLock lock(mu_);
  free_.push_back(std::move(buffer));
}

}  // namespace kvstore::transfer
