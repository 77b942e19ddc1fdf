#include <algorithm>

#include "tools/kvctl/doctor/checks.h"
#include "tools/text/units.h"

namespace kvstore::kvctl::doctor {
namespace {

using text::FormatBytes;

constexpr uint64_t kFewFiles = 4096;  // a client has some per peer, a master some per node
constexpr uint64_t kLeastFiles = 512;
constexpr uint64_t kLeastAvailableShare = 20;  // of memory: 1/20

}  // namespace

Findings CheckKernel(const MachineView& machine) {
  Findings findings;
  if (!machine.sealed_memory.ok()) {
    findings.push_back(
        Wrong("kernel", "no sealed shared memory: " + machine.sealed_memory.message(),
              "nothing is shared between processes here, all goes by TCP; allow memfd_create "
              "(seccomp profile, kernel 3.17 or newer)"));
  }
  if (!machine.process_handles.ok()) {
    findings.push_back(
        Wrong("kernel", "no process handles: " + machine.process_handles.message(),
              "memory is not shared for writing; allow pidfd_open (seccomp profile, kernel 5.3 or "
              "newer)"));
  }
  if (findings.empty()) {
    findings.push_back(
        Well("kernel", "Linux " + machine.kernel + ", sealed shared memory and process handles"));
  }
  return findings;
}

Findings CheckMemory(const MachineView& machine) {
  Findings findings;
  if (machine.memory_available < machine.memory_total / kLeastAvailableShare) {
    findings.push_back(Wrong("memory",
                             FormatBytes(machine.memory_available) + " available of " +
                                 FormatBytes(machine.memory_total),
                             "processes may be killed for it; lend less here, or end something"));
  }
  if (machine.memory_limit && machine.memory_in_limit &&
      *machine.memory_limit - std::min(*machine.memory_in_limit, *machine.memory_limit) <
          *machine.memory_limit / kLeastAvailableShare) {
    findings.push_back(Wrong("memory",
                             FormatBytes(*machine.memory_in_limit) + " taken of the " +
                                 FormatBytes(*machine.memory_limit) +
                                 " that this control group may have",
                             "raise the limit (memory.max, the container's), or lend less in it"));
  }
  if (findings.empty()) {
    findings.push_back(Well("memory", FormatBytes(machine.memory_available) + " available of " +
                                          FormatBytes(machine.memory_total)));
  }
  return findings;
}

Findings CheckHugePages(const MachineView& machine) {
  if (machine.huge_page_size == 0) {
    return {Note("huge pages", "the kernel has none", "lent memory lies on ordinary pages")};
  }
  if (machine.huge_pages == 0) {
    return {Note("huge pages", "none is reserved",
                 "lent memory lies on ordinary pages, which are slower to map and to register; "
                 "reserve some before nodes start: sysctl vm.nr_hugepages=N (pages of " +
                     FormatBytes(machine.huge_page_size) + ")")};
  }
  return {Well("huge pages", std::to_string(machine.huge_pages_free) + " of " +
                                 std::to_string(machine.huge_pages) + " free, of " +
                                 FormatBytes(machine.huge_page_size))};
}

Findings CheckOpenFiles(const MachineView& machine) {
  const std::string what = machine.open_files == UINT64_MAX ? "as many as wished"
                                                            : std::to_string(machine.open_files) +
                                                                  " may be open (RLIMIT_NOFILE)";
  const std::string remedy =
      "a process has some for each peer: ulimit -n 65536, LimitNOFILE= in the unit";
  if (machine.open_files < kLeastFiles) return {Wrong("open files", what, remedy)};
  if (machine.open_files < kFewFiles) {
    return {Note("open files", what, remedy + ", where there are hundreds of nodes")};
  }
  return {Well("open files", what)};
}

}  // namespace kvstore::kvctl::doctor
