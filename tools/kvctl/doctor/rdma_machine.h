#ifndef KVSTORE_TOOLS_KVCTL_DOCTOR_RDMA_MACHINE_H_
#define KVSTORE_TOOLS_KVCTL_DOCTOR_RDMA_MACHINE_H_

#include <string>

#include "tools/kvctl/doctor/views.h"

namespace kvstore::kvctl::doctor {

// Fills in what there is for RDMA. `root`: as LookAtMachine has it.
void LookAtRdma(const std::string& root, MachineView* view);

}  // namespace kvstore::kvctl::doctor

#endif  // KVSTORE_TOOLS_KVCTL_DOCTOR_RDMA_MACHINE_H_
