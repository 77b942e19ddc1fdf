#ifndef KVSTORE_SRC_TRANSFER_RDMA_TOPOLOGY_H_
#define KVSTORE_SRC_TRANSFER_RDMA_TOPOLOGY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kvstore::transfer {

// How far NUMA nodes are from each other, as the kernel tells under /sys. Unchanging.
class Topology {
 public:
  explicit Topology(const std::string& sysfs = "/sys");
  // 10: the same node; the larger the farther; 0: one of them isn't known.
  int Distance(int from, int to) const;

 private:
  std::map<int, std::map<int, int>> distances_;
};

// The NUMA node on which that memory lies, as far as its pages have been touched; -1: on several,
// or the kernel doesn't say.
int NodeOfMemory(const std::byte* base, uint64_t size);

// Where a test brings other answers than the kernel's.
struct MachineMap {
  std::string sysfs = "/sys";
  std::function<int(const std::byte* base, uint64_t size)> node_of = NodeOfMemory;
};

// For each of the nodes (of devices, -1: unknown): whether it is among the nearest to that node.
// All are, where it isn't known.
std::vector<bool> Nearest(const Topology& topology, const std::vector<int>& nodes, int to);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_TOPOLOGY_H_
