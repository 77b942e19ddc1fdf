#include <algorithm>

#include "text/key_text.h"
#include "tools/kvctl/doctor/checks.h"
#include "tools/text/units.h"

namespace kvstore::kvctl::doctor {
namespace {

using text::FormatBytes;

constexpr const char* kCheck = "rdma";
constexpr uint64_t kLeastLockedMemory = uint64_t{1} << 30;
// What the kernel takes off an interface's MTU for headers, before it rounds down.
constexpr uint64_t kRoceHeaders = 96;
constexpr uint64_t kLargestMtu = 4096;

bool IsActive(const RdmaDeviceView& device) { return device.state == "ACTIVE"; }

// Of packets of RoCE; 0: unknown, or as InfiniBand has it.
uint64_t MtuOf(const RdmaDeviceView& device) {
  if (!device.ethernet || device.interface_mtu == 0) return 0;
  for (uint64_t mtu = kLargestMtu; mtu >= 256; mtu /= 2) {
    if (device.interface_mtu >= mtu + kRoceHeaders) return mtu;
  }
  return 256;
}

bool IsIpv4(const RdmaGid& gid) { return gid.gid.starts_with("0000:0000:0000:0000:0000:ffff:"); }
bool IsV2(const RdmaGid& gid) { return gid.type == "RoCE v2"; }

// The address that kvstore takes; null: there is none.
const RdmaGid* ChosenGid(const RdmaDeviceView& device, std::optional<int> forced) {
  const auto rank = [&](const RdmaGid& gid) {
    if (forced) return gid.index == *forced ? 0 : 3;
    if (!device.ethernet) return 0;
    return IsV2(gid) ? (IsIpv4(gid) ? 0 : 1) : 2;
  };
  const auto best =
      std::min_element(device.gids.begin(), device.gids.end(),
                       [&](const RdmaGid& a, const RdmaGid& b) { return rank(a) < rank(b); });
  return best == device.gids.end() || rank(*best) == 3 ? nullptr : &*best;
}

void CheckGid(const RdmaDeviceView& device, std::optional<int> forced, Findings* findings) {
  const std::string name = text::Escape(device.name);
  const RdmaGid* const gid = ChosenGid(device, forced);
  if (gid == nullptr) {
    findings->push_back(forced ? Wrong(kCheck,
                                       name + " has no address of index " +
                                           std::to_string(*forced) + " (KVSTORE_RDMA_GID_INDEX)",
                                       "leave the index out, or take one that show_gids lists")
                               : Wrong(kCheck, name + " has no address",
                                       "give its network interface one, and set it up"));
  } else if (device.ethernet && !IsV2(*gid)) {
    findings->push_back(Wrong(
        kCheck,
        name + "'s address " + gid->gid + " (index " + std::to_string(gid->index) + ") is of " +
            (gid->type.empty() ? "an unknown type" : gid->type) + ", not of RoCE v2",
        "take an index of RoCE v2 (show_gids lists them), or give its "
        "network interface an address"));
  } else if (device.ethernet && !IsIpv4(*gid) && gid->gid.starts_with("fe80:")) {
    findings->push_back(Note(kCheck,
                             name + "'s address " + gid->gid + " leads to its own network only",
                             "give its network interface an address of IPv4, unless all "
                             "machines are in that network"));
  }
}

void CheckMtus(const std::vector<const RdmaDeviceView*>& active, Findings* findings) {
  std::string all;
  bool differ = false, small = false;
  uint64_t first = 0;
  for (const RdmaDeviceView* const device : active) {
    const uint64_t mtu = MtuOf(*device);
    if (mtu == 0) continue;
    differ = differ || (first != 0 && mtu != first);
    small = small || mtu < kLargestMtu;
    first = mtu;
    all += (all.empty() ? "" : ", ") + text::Escape(device->name) + " " + std::to_string(mtu);
  }
  if (differ) {
    findings->push_back(Wrong(kCheck, "devices have different MTUs: " + all,
                              "set the network interfaces of all, and the switches between them, "
                              "to one: 4200 or more for packets of 4096 bytes"));
  } else if (small) {
    findings->push_back(Note(kCheck, "packets are small: " + all,
                             "an MTU of 4200 or more of the network interfaces, and of the "
                             "switches, makes them 4096 bytes"));
  }
}

std::string Describe(const RdmaDeviceView& device, std::optional<int> forced) {
  std::string all = text::Escape(device.name) + " (";
  const RdmaGid* const gid = ChosenGid(device, forced);
  if (gid != nullptr) all += "address " + gid->gid + " of index " + std::to_string(gid->index);
  if (const uint64_t mtu = MtuOf(device); mtu != 0) all += ", MTU " + std::to_string(mtu);
  if (device.numa_node >= 0) all += ", NUMA node " + std::to_string(device.numa_node);
  if (!device.pci.empty()) all += ", " + text::Escape(device.pci);
  return all + ")";
}

void CheckUse(const MachineView& machine, Findings* findings) {
  if (!machine.rdma_library.ok()) {
    findings->push_back(Wrong(kCheck, machine.rdma_library.message(),
                              "install rdma-core (Debian: libibverbs1 and ibverbs-providers)"));
  }
  if (!machine.rdma_access.ok()) {
    findings->push_back(Wrong(kCheck, machine.rdma_access.message(),
                              "load ib_uverbs, and let this user open them (containers: "
                              "--device=/dev/infiniband)"));
  }
  if (machine.locked_memory < kLeastLockedMemory) {
    findings->push_back(Wrong(
        kCheck, FormatBytes(machine.locked_memory) + " of memory may be locked (RLIMIT_MEMLOCK)",
        "RDMA locks all that is lent: ulimit -l unlimited, LimitMEMLOCK=infinity in the "
        "unit, --ulimit memlock=-1 for containers"));
  }
  if (machine.gpu_driver && !machine.peer_memory) {
    findings->push_back(Note(kCheck, "there are GPUs, and the module nvidia_peermem isn't loaded",
                             "devices can't reach GPU memory: modprobe nvidia_peermem"));
  }
}

}  // namespace

Findings CheckRdma(const MachineView& machine) {
  if (machine.rdma_devices.empty()) {
    return {Well(kCheck, "no devices; bytes go by shared memory and TCP")};
  }
  Findings findings;
  std::vector<const RdmaDeviceView*> active;
  for (const RdmaDeviceView& device : machine.rdma_devices) {
    if (IsActive(device)) active.push_back(&device);
  }
  for (const RdmaDeviceView& device : machine.rdma_devices) {
    if (IsActive(device)) continue;
    const std::string what = "the port of " + text::Escape(device.name) + " is " +
                             (device.state.empty() ? "in an unknown state" : device.state);
    const std::string remedy = device.ethernet
                                   ? "check its cable, and that its network interface is up"
                                   : "check its cable; is a subnet manager running?";
    findings.push_back(active.empty() ? Wrong(kCheck, what, remedy) : Note(kCheck, what, remedy));
  }
  if (active.empty()) return findings;
  for (const RdmaDeviceView* const device : active) {
    CheckGid(*device, machine.rdma_gid_index, &findings);
  }
  CheckMtus(active, &findings);
  CheckUse(machine, &findings);
  for (const RdmaDeviceView* const device : active) {
    findings.push_back(Well(kCheck, Describe(*device, machine.rdma_gid_index)));
  }
  return findings;
}

Findings CheckRdmaReaches(const PoolView& pool) {
  Findings findings;
  for (const NodeReach& reach : pool.rdma_reaches) {
    if (reach.status.ok()) continue;
    findings.push_back(Wrong(
        kCheck, "no path to node '" + text::Escape(reach.node) + "': " + reach.status.message(),
        "its bytes go by TCP; both ends need addresses of one network, and "
        "switches that carry packets of their MTU"));
  }
  if (findings.empty() && !pool.rdma_reaches.empty()) {
    findings.push_back(
        Well(kCheck, std::to_string(pool.rdma_reaches.size()) + " nodes are reached over it"));
  }
  return findings;
}

}  // namespace kvstore::kvctl::doctor
