#ifndef KVSTORE_TOOLS_KVCTL_DOCTOR_CHECKS_H_
#define KVSTORE_TOOLS_KVCTL_DOCTOR_CHECKS_H_

#include <string>
#include <utility>
#include <vector>

#include "tools/kvctl/doctor/views.h"

namespace kvstore::kvctl::doctor {

enum class Level : uint8_t {
  kWell,
  kNote,   // nothing is broken; somebody may wish it otherwise
  kWrong,  // something doesn't work, or soon won't
};

struct Finding {
  Level level = Level::kWell;
  std::string check;   // "huge pages"
  std::string what;    // what was seen; for kWrong and kNote the cause
  std::string remedy;  // empty: nothing is to be done
};

using Findings = std::vector<Finding>;

inline Finding Well(std::string check, std::string what) {
  return {Level::kWell, std::move(check), std::move(what), ""};
}
inline Finding Note(std::string check, std::string what, std::string remedy) {
  return {Level::kNote, std::move(check), std::move(what), std::move(remedy)};
}
inline Finding Wrong(std::string check, std::string what, std::string remedy) {
  return {Level::kWrong, std::move(check), std::move(what), std::move(remedy)};
}

// Each looks at one thing and says one or more findings of it, also when all is well.

// Of the machine.
Findings CheckKernel(const MachineView& machine);
Findings CheckMemory(const MachineView& machine);
Findings CheckHugePages(const MachineView& machine);
Findings CheckOpenFiles(const MachineView& machine);
// Devices: ports, addresses, MTUs, what it takes to use them.
Findings CheckRdma(const MachineView& machine);

// Whether a master could be asked. Only then the following have something to look at.
Findings CheckMaster(const PoolView& pool);
Findings CheckVersions(const PoolView& pool);
Findings CheckNodes(const PoolView& pool);  // suspected, missing, sick, draining; none that lends
Findings CheckNames(const PoolView& pool);  // two live lenders with one name
Findings CheckHosts(const PoolView& pool);  // clients on hosts where nobody lends
Findings CheckSpace(const PoolView& pool);  // what may not be evicted, puts that wait for room
Findings CheckNotes(const PoolView& pool);
Findings CheckReplicas(const PoolView& pool);
Findings CheckReaches(const PoolView& pool);
Findings CheckRdmaReaches(const PoolView& pool);  // none, where there is nothing to reach or from
// What nodes of this machine have yet to take of its memory.
Findings CheckLentMemory(const MachineView& machine, const PoolView& pool);

// All of them, in the order in which they are shown.
Findings CheckAll(const MachineView& machine, const PoolView& pool);

}  // namespace kvstore::kvctl::doctor

#endif  // KVSTORE_TOOLS_KVCTL_DOCTOR_CHECKS_H_
