// A client on a host of its own, which keeps objects in another's memory.
//   far_client MASTER LISTEN COUNT BYTES
// It puts so many objects, and reads and verifies them. Prints "N right, B bytes by RDMA, T bytes
// by other ways"; exit status 0: all went well.

#include <cstdio>
#include <string>

#include "kvstore/client.h"
#include "system/told_value.h"

namespace {

using namespace kvstore;

constexpr Duration kTimeout = std::chrono::seconds(60);

Status PutAndGet(Client& client, const std::string& key, uint32_t version, size_t cells) {
  KVSTORE_RETURN_IF_ERROR(
      client.Put(key, cluster::ToldValue(key, version, cells), {.timeout = kTimeout}));
  KVSTORE_ASSIGN_OR_RETURN(const std::string got, client.Get(key, kTimeout));
  const bool whole = got.size() == cells * cluster::kCellBytes;
  return whole && cluster::VersionTold(key, got) == version ? Status::Ok()
                                                            : DataLossError("wrong bytes");
}

uint64_t BytesBy(const Client& client, transfer::Way way) {
  const transfer::WayCounters counters = client.counters(way);
  return counters.bytes_read + counters.bytes_written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  ClientOptions options;
  options.master = argv[1];
  options.listen = argv[2];
  options.allow_remote = true;
  options.ways = {transfer::Way::kRdma, transfer::Way::kTcp};
  const auto count = static_cast<uint32_t>(std::stoul(argv[3]));
  const size_t cells = std::stoul(argv[4]) / cluster::kCellBytes;
  const auto client = Client::Connect(options);
  if (!client.ok()) {
    std::puts(client.status().ToString().c_str());
    return 1;
  }
  uint32_t right = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const std::string key = "far/" + std::to_string(i);
    const Status status = PutAndGet(**client, key, i + 1, cells);
    if (status.ok()) ++right;
    if (!status.ok()) std::printf("%s: %s\n", key.c_str(), status.ToString().c_str());
  }
  std::printf("%u right, %lu bytes by RDMA, %lu bytes by other ways\n", right,
              BytesBy(**client, transfer::Way::kRdma),
              BytesBy(**client, transfer::Way::kTcp) + BytesBy(**client, transfer::Way::kShm) +
                  BytesBy(**client, transfer::Way::kLocal));
  return right == count ? 0 : 1;
}
