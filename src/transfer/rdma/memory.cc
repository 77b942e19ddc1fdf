#include "transfer/rdma/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace kvstore::transfer {
namespace {

// Parts are registered beside each other; more threads than these only queue in the kernel.
constexpr size_t kThreads = 4;
// Devices map memory by pages that are as large as address and name have in common.
constexpr uint64_t kHugePage = 2u << 20;
// What a part may cover at most, whatever a device says: so that several threads have work.
constexpr uint64_t kLargestPart = 16ull << 30;

int AccessOf(MemoryUse use) {
  switch (use) {
    case MemoryUse::kLocal:
      return IBV_ACCESS_LOCAL_WRITE;
    case MemoryUse::kRemoteRead:
      return IBV_ACCESS_REMOTE_READ;
    case MemoryUse::kRemoteWrite:
      break;
  }
  return IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE;
}

uint64_t LargestPart(const RdmaDevice& device) {
  const uint64_t most = std::min<uint64_t>(device.limits().max_mr_size, kLargestPart);
  return std::max(most / kHugePage * kHugePage, kHugePage);
}

Status WhyNot(const RdmaDevice& device, uint64_t bytes, int error) {
  std::string why = device.name() + " can't register " + std::to_string(bytes) + " bytes (";
  why += std::strerror(error);
  why += ")";
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (error == ENOMEM && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes) {
    why += "; this process may lock " + std::to_string(limit.rlim_cur) +
           " bytes only: raise its limit (ulimit -l unlimited; systemd: LimitMEMLOCK=infinity; "
           "containers: --ulimit memlock=-1)";
  } else if (error == ENOMEM) {
    why +=
        "; the machine has no memory left for it, or the device no room for its page tables: "
        "lend less, or lend huge pages";
  } else if (error == EOPNOTSUPP || error == EINVAL) {
    why += "; the device doesn't take this kind of memory";
  } else if (error == EFAULT) {
    why += "; that memory isn't mapped, or may not be written";
  }
  return ResourceExhaustedError(why);
}

}  // namespace

RegisteredMemory::RegisteredMemory(std::shared_ptr<RdmaDevice> device, uint64_t origin,
                                   uint64_t part_bytes)
    : device_(std::move(device)), origin_(origin), part_bytes_(part_bytes) {}

RegisteredMemory::~RegisteredMemory() { (void)Close(); }

Status RegisteredMemory::Close() {
  for (ibv_mr*& part : parts_) {
    if (part == nullptr) continue;
    const int error = device_->verbs().dereg_mr(part);
    if (error != 0 && !(error == EIO && device_->is_gone())) {
      const Status failed =
          UnavailableError(device_->name() + " can't unregister memory, which is therefore kept (" +
                           std::strerror(error) + ")");
      device_->NoteTrouble(failed);
      troubled_ = true;
      return failed;
    }
    part = nullptr;
  }
  if (std::exchange(troubled_, false)) device_->NoteTrouble(Status::Ok());
  return Status::Ok();
}

Result<std::unique_ptr<RegisteredMemory>> RegisteredMemory::Create(
    std::shared_ptr<RdmaDevice> device, std::byte* base, uint64_t size, MemoryUse use,
    uint64_t part_bytes) {
  if (part_bytes == 0) part_bytes = LargestPart(*device);
  const uint64_t origin = reinterpret_cast<uintptr_t>(base) % kHugePage;
  std::unique_ptr<RegisteredMemory> memory(
      new RegisteredMemory(std::move(device), origin, part_bytes));
  const size_t count = static_cast<size_t>((size + part_bytes - 1) / part_bytes);
  memory->parts_.resize(count, nullptr);
  std::vector<int> errors(count, 0);
  const auto work = [&](size_t first) {
    for (size_t i = first; i < count; i += kThreads) {
      const uint64_t offset = i * part_bytes;
      errno = 0;
      memory->parts_[i] = memory->device_->verbs().reg_mr_iova(memory->device_->pd(), base + offset,
                                                               std::min(part_bytes, size - offset),
                                                               origin + offset, AccessOf(use));
      if (memory->parts_[i] == nullptr) errors[i] = errno == 0 ? ENOMEM : errno;
    }
  };
  std::vector<std::thread> threads;
  for (size_t first = 1; first < std::min(count, kThreads); ++first) {
    try {
      threads.emplace_back(work, first);
    } catch (const std::system_error&) {
      work(first);  // the machine has no thread left
    }
  }
  work(0);
  for (std::thread& thread : threads) thread.join();
  for (const int error : errors) {
    if (error == EIO) return UnavailableError(memory->device_->name() + " has failed");
    if (error != 0) return WhyNot(*memory->device_, size, error);
  }
  return memory;
}

std::vector<uint32_t> RegisteredMemory::remote_keys() const {
  std::vector<uint32_t> keys;
  for (const ibv_mr* part : parts_) keys.push_back(part->rkey);
  return keys;
}

}  // namespace kvstore::transfer
