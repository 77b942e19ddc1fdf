#ifndef KVSTORE_TOOLS_KVCTL_DOCTOR_VIEWS_H_
#define KVSTORE_TOOLS_KVCTL_DOCTOR_VIEWS_H_

// kvctl doctor:
//
//   views            what it looks at, as plain values: here
//   machine, pool    how they are taken of the real ones
//   checks           from views to findings, each check by itself; pure
//   doctor_command   takes, checks, prints

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "tools/kvctl/pool_rows.h"

namespace kvstore::kvctl::doctor {

// One address of an RDMA device.
struct RdmaGid {
  int index = 0;
  std::string gid;   // "0000:...:ffff:cb00:7101"
  std::string type;  // "RoCE v2"; empty: unknown
};

// The first port of an RDMA device, as the kernel tells of it.
struct RdmaDeviceView {
  std::string name;
  std::string state;      // "ACTIVE", "DOWN", ...; empty: unknown
  bool ethernet = false;  // or InfiniBand
  std::vector<RdmaGid> gids;
  uint64_t interface_mtu = 0;  // of its network interface; 0: unknown
  int numa_node = -1;          // -1: unknown
  std::string pci;             // "0000:3b:00.0"; empty: unknown
};

// This machine, as this process sees it. Sizes in bytes.
struct MachineView {
  std::string kernel;      // "6.1.0-18-amd64"
  std::string boot_id;     // nodes of this machine have hosts that begin so
  Status sealed_memory;    // whether memory can be shared and sealed (memfd_create)
  Status process_handles;  // whether ends of processes can be seen (pidfd_open)
  uint64_t memory_total = 0;
  uint64_t memory_available = 0;
  std::optional<uint64_t> memory_limit;     // of the control group
  std::optional<uint64_t> memory_in_limit;  // what it has taken of that
  uint64_t huge_page_size = 0;              // 0: the kernel has none
  uint64_t huge_pages = 0, huge_pages_free = 0;
  uint64_t open_files = 0;     // RLIMIT_NOFILE, the soft one
  uint64_t locked_memory = 0;  // RLIMIT_MEMLOCK; UINT64_MAX: no limit
  std::vector<RdmaDeviceView> rdma_devices;
  Status rdma_library;                // whether libibverbs can be opened
  Status rdma_access;                 // whether this user may open the devices
  std::optional<int> rdma_gid_index;  // KVSTORE_RDMA_GID_INDEX
  bool gpu_driver = false;            // NVIDIA's is loaded
  bool peer_memory = false;           // so is the module by which devices reach GPU memory
};

// How far a way to the master leads.
enum class Reached : uint8_t {
  kNoName,    // the host has no address
  kNoPath,    // nothing answers there
  kRefused,   // the machine answers, and nobody listens
  kNoMaster,  // somebody listens, and it is no master that this kvctl understands
  kMaster,
};

struct NodeReach {
  std::string node;
  Status status;  // of a connection to its memory by TCP
};

// The pool, as its master and the ways to its nodes show it.
struct PoolView {
  std::string master;  // HOST:PORT
  Reached reached = Reached::kNoName;
  std::string problem;     // what kept it from kMaster, as the system has it
  Duration answer_time{};  // of a small question
  std::string own_software;
  uint32_t own_protocol = 0;
  PoolStatus status;
  std::vector<NodeRow> nodes;
  std::vector<NodeReach> reaches;       // of those that lend memory
  std::vector<NodeReach> rdma_reaches;  // by RDMA; of those that have devices, from one that has
};

}  // namespace kvstore::kvctl::doctor

#endif  // KVSTORE_TOOLS_KVCTL_DOCTOR_VIEWS_H_
