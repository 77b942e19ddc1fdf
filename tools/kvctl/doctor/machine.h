#ifndef KVSTORE_TOOLS_KVCTL_DOCTOR_MACHINE_H_
#define KVSTORE_TOOLS_KVCTL_DOCTOR_MACHINE_H_

#include <string>

#include "tools/kvctl/doctor/views.h"

namespace kvstore::kvctl::doctor {

// This machine. What it can't find out stays 0, or none. `root`: where proc and sys lie.
MachineView LookAtMachine(const std::string& root = "/");

}  // namespace kvstore::kvctl::doctor

#endif  // KVSTORE_TOOLS_KVCTL_DOCTOR_MACHINE_H_
