#ifndef KVSTORE_TOOLS_KVBENCH_RDMA_LIMIT_H_
#define KVSTORE_TOOLS_KVBENCH_RDMA_LIMIT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "kvstore/result.h"
#include "kvstore/transfer.h"

namespace kvstore::bench {

// An RDMA device of this machine whose port is up, as sysfs has it.
struct RdmaDevice {
  std::string name;
  std::optional<int> gid_index;  // of RoCE v2 over IPv4; none: InfiniBand, or there is no such GID
};
std::optional<RdmaDevice> FirstRdmaDevice();

// What perftest's programs (ib_read_bw and others, of Debian's package of that name) make of it,
// one of them against another on the same device: as many requests at a time, of one size.
struct RdmaLoad {
  transfer::Access access = transfer::Access::kRead;
  uint64_t size = 0;   // bytes of one request
  uint32_t depth = 1;  // requests under way
  uint64_t count = 0;  // of all requests
};
// GB/s on average.
Result<double> PerftestBandwidth(const RdmaDevice& device, const RdmaLoad& load);
// Microseconds of a READ, as most of so many took.
Result<double> PerftestReadTime(const RdmaDevice& device, uint64_t size, uint64_t reads);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_RDMA_LIMIT_H_
