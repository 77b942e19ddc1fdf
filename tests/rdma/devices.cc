#include "rdma/devices.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tools/program.h"

namespace kvstore::rdma_tests {

std::vector<std::string> OnHost(int host, const std::vector<std::string>& program) {
  std::string hide;
  for (int device = 0; device < 4; ++device) {
    if (device == host) continue;
    hide += "mount --bind /dev/null /dev/infiniband/uverbs" + std::to_string(device) + "; ";
  }
  std::vector<std::string> words = {"/sbin/ip",
                                    "netns",
                                    "exec",
                                    "h" + std::to_string(host),
                                    "/bin/sh",
                                    "-c",
                                    hide + R"(exec "$0" "$@")"};
  words.insert(words.end(), program.begin(), program.end());
  return words;
}

std::string AddressOf(int host) { return "10.9.0." + std::to_string(host + 1); }

Packets PacketsOf(const std::string& device) {
  const auto counter = [&](const std::string& name) {
    const std::string text =
        cluster::ReadFile("/sys/class/infiniband/" + device + "/ports/1/hw_counters/" + name);
    EXPECT_FALSE(text.empty()) << device << " has no counter " << name;
    return text.empty() ? 0 : std::stoull(text);
  };
  return {.sent = counter("sent_pkts"), .received = counter("rcvd_pkts")};
}

void SetLink(int number, bool up) {
  const cluster::Finished ip = cluster::RunProgram(
      {"/sbin/ip", "link", "set", "v" + std::to_string(number), up ? "up" : "down"});
  EXPECT_EQ(ip.code, 0) << ip.err;
}

Bytes Pattern(uint64_t size, uint64_t seed) {
  Bytes bytes(size);
  for (uint64_t at = 0; at + 16 <= size; at += 16) {
    const uint64_t cell[2] = {seed, at};
    std::memcpy(bytes.data() + at, cell, sizeof(cell));
  }
  return bytes;
}

std::unique_ptr<transfer::Engine> EngineWith(const std::vector<std::string>& devices,
                                             const std::vector<transfer::Way>& ways) {
  transfer::EngineOptions options;
  options.ways = ways;
  options.rdma_devices = devices;
  Result<std::unique_ptr<transfer::Engine>> engine = transfer::Engine::Create(options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  if (!engine.ok()) return nullptr;
  EXPECT_TRUE((*engine)->reach().rdma.ok()) << (*engine)->reach().rdma;
  return *std::move(engine);
}

}  // namespace kvstore::rdma_tests
