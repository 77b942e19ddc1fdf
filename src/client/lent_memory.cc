#include "client/lent_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace kvstore::client {
namespace {

// Left to the rest of the machine: a lender that takes the last page gets somebody killed.
constexpr uint64_t kReserve = 64u << 20;
constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

// The number in a one-line file of the kernel's; kUnknown when there is none ("max").
uint64_t ReadNumber(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : kUnknown;
}

// The number behind `name` in a file of such lines; kUnknown when there is none.
uint64_t ReadNumber(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    uint64_t number = 0;
    if (word == name && file >> number) return number;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kUnknown;
}

// What this process's control group has left to it; kUnknown: no limit. Files that it may drop from
// memory don't count as used.
uint64_t AvailableToGroup() {
  const uint64_t limit = ReadNumber("/sys/fs/cgroup/memory.max");
  const uint64_t used = ReadNumber("/sys/fs/cgroup/memory.current");
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  const uint64_t dropped = ReadNumber("/sys/fs/cgroup/memory.stat", "inactive_file");
  const uint64_t kept = used - std::min(used, dropped == kUnknown ? 0 : dropped);
  return limit - std::min(limit, kept);
}

}  // namespace

Result<LentMemory> LentMemory::Map(uint64_t size, uint64_t granule) {
  KVSTORE_ASSIGN_OR_RETURN(transfer::SharedMemory memory,
                           transfer::SharedMemory::Create(size, granule));
  return LentMemory(std::move(memory));
}

Status LentMemory::Touch(uint64_t begin, uint64_t end, uint64_t available) {
  // Huge pages of the reserve were set aside when they were mapped.
  if (!huge() && (available < kReserve || available - kReserve < end - begin)) {
    return ResourceExhaustedError(std::to_string(available >> 20) +
                                  " MiB of memory are available here, too few for " +
                                  std::to_string((end - begin) >> 20) + " MiB more; lend less");
  }
  return memory_.Touch(begin, end);
}

uint64_t AvailableMemory() {
  const uint64_t kib = ReadNumber("/proc/meminfo", "MemAvailable:");
  const uint64_t machine = kib == kUnknown ? kUnknown : kib << 10;
  return std::min(machine, AvailableToGroup());
}

}  // namespace kvstore::client
