#ifndef KVSTORE_TESTS_RDMA_DEVICES_H_
#define KVSTORE_TESTS_RDMA_DEVICES_H_

// tests/rdma: what only real verbs can show. The machine is that of run_in_vm.sh: four devices,
// rxe0 to rxe3 on v0 to v3, on one bridge; and two hosts, network namespaces h0 and h1, which reach
// each other at 10.9.0.1 and 10.9.0.2. Its tests run one after another, as root.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/transfer.h"

namespace kvstore::rdma_tests {

inline TimePoint In(Duration duration) { return BootClock::now() + duration; }

// Long enough for an emulated machine that shares its processors.
inline constexpr Duration kLong = std::chrono::seconds(60);

// What runs a program on host 0 or 1: in its network, and with its own device alone.
std::vector<std::string> OnHost(int host, const std::vector<std::string>& program);
std::string AddressOf(int host);

// Packets that a device has sent, and received, since it was made: of 4096 bytes at most.
struct Packets {
  uint64_t sent = 0;
  uint64_t received = 0;
};
Packets PacketsOf(const std::string& device);

// Of the network device under rxe<number>.
void SetLink(int number, bool up);

// 16-byte cells that differ from place to place and from seed to seed.
using Bytes = std::vector<unsigned char>;
Bytes Pattern(uint64_t size, uint64_t seed);

// An engine with these devices, reached over loopback; null with a failed expectation.
std::unique_ptr<transfer::Engine> EngineWith(const std::vector<std::string>& devices,
                                             const std::vector<transfer::Way>& ways);

}  // namespace kvstore::rdma_tests

#endif  // KVSTORE_TESTS_RDMA_DEVICES_H_
