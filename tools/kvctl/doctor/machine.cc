#include "tools/kvctl/doctor/machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "tools/kvctl/doctor/rdma_machine.h"

namespace kvstore::kvctl::doctor {
namespace {

Status Failed(const char* call) {
  return UnavailableError(std::string(call) + ": " + std::strerror(errno));
}

Status TrySealedMemory() {
  const int fd = memfd_create("kvctl-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return Failed("memfd_create");
  const bool sealed = ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0;
  const Status status = sealed ? Status::Ok() : Failed("F_ADD_SEALS");
  close(fd);
  return status;
}

Status TryProcessHandles() {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (fd < 0) return Failed("pidfd_open");
  close(fd);
  return Status::Ok();
}

// The numbers of /proc/meminfo, by name; those with a unit in bytes.
std::map<std::string, uint64_t> MemoryNumbers(const std::string& root) {
  std::map<std::string, uint64_t> numbers;
  std::ifstream file(root + "proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, unit;
    uint64_t number = 0;
    if (!(words >> name >> number) || !name.ends_with(':')) continue;
    words >> unit;
    name.pop_back();
    numbers[name] = unit == "kB" ? number * 1024 : number;
  }
  return numbers;
}

std::optional<uint64_t> NumberIn(const std::string& path) {
  uint64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return std::nullopt;  // no such file, or "max"
}

uint64_t SoftLimit(int resource) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

}  // namespace

MachineView LookAtMachine(const std::string& root) {
  MachineView view;
  utsname system{};
  if (uname(&system) == 0) view.kernel = system.release;
  std::ifstream(root + "proc/sys/kernel/random/boot_id") >> view.boot_id;
  view.sealed_memory = TrySealedMemory();
  view.process_handles = TryProcessHandles();
  auto numbers = MemoryNumbers(root);
  view.memory_total = numbers["MemTotal"];
  view.memory_available = numbers["MemAvailable"];
  view.huge_page_size = numbers["Hugepagesize"];
  view.huge_pages = numbers["HugePages_Total"];
  view.huge_pages_free = numbers["HugePages_Free"];
  view.memory_limit = NumberIn(root + "sys/fs/cgroup/memory.max");
  view.memory_in_limit = NumberIn(root + "sys/fs/cgroup/memory.current");
  view.open_files = SoftLimit(RLIMIT_NOFILE);
  view.locked_memory = SoftLimit(RLIMIT_MEMLOCK);
  LookAtRdma(root, &view);
  return view;
}

}  // namespace kvstore::kvctl::doctor
