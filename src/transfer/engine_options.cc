#include "transfer/engine_options.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "transfer/descriptor.h"

namespace kvstore::transfer {

Status CheckOptions(const EngineOptions& options) {
  if (options.tcp_connections_per_peer < 1 || options.tcp_connections_per_peer > 64) {
    return InvalidArgumentError("tcp_connections_per_peer is " +
                                std::to_string(options.tcp_connections_per_peer) +
                                "; it may be 1 to 64");
  }
  if (options.tcp_max_incoming < 1) return InvalidArgumentError("tcp_max_incoming must be above 0");
  for (const Duration timeout :
       {options.tcp_stall_timeout, options.tcp_hello_timeout, options.tcp_idle_timeout}) {
    if (timeout <= Duration::zero() || timeout > std::chrono::hours(1)) {
      return InvalidArgumentError(
          "tcp_stall_timeout, tcp_hello_timeout and tcp_idle_timeout must be above 0 and at most 1 "
          "hour");
    }
  }
  if (options.peer_idle_timeout <= Duration::zero()) {
    return InvalidArgumentError("peer_idle_timeout must be above 0");
  }
  if (options.shm_window_idle <= Duration::zero()) {
    return InvalidArgumentError("shm_window_idle must be above 0");
  }
  if (options.shm_max_peers < 1) return InvalidArgumentError("shm_max_peers must be above 0");
  if (options.host.size() > kMaxHostBytes) {
    return InvalidArgumentError("host has " + std::to_string(options.host.size()) +
                                " bytes; at most " + std::to_string(kMaxHostBytes));
  }
  if (options.rdma_gid_index > std::numeric_limits<uint8_t>::max()) {
    return InvalidArgumentError("rdma_gid_index is " + std::to_string(options.rdma_gid_index) +
                                "; it may be 0 to 255, or negative");
  }
  for (const Way way : options.ways) {
    if (way == Way::kAutomatic || WayName(way) == "unknown") {
      return InvalidArgumentError("ways may name local, shm, rdma and tcp only");
    }
  }
  return Status::Ok();
}

bool Allows(const EngineOptions& options, Way way) {
  const std::vector<Way>& ways = options.ways;
  if (ways.empty()) return way != Way::kRdma || !options.rdma_devices.empty();
  return std::find(ways.begin(), ways.end(), way) != ways.end();
}

LaneOptions LanesOf(const EngineOptions& options, const TransferGuards& guards) {
  return {.lanes = options.tcp_connections_per_peer,
          .idle_timeout = options.tcp_idle_timeout,
          .guards = guards};
}

ConnectionTimeouts TimeoutsOf(const EngineOptions& options) {
  return {.hello = options.tcp_hello_timeout, .stall = options.tcp_stall_timeout};
}

}  // namespace kvstore::transfer
