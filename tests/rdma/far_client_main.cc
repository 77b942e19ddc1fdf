// A client on a host of its own, which keeps objects in another's memory.
//   far_client MASTER LISTEN COUNT BYTES
// Once it has met that one over RDMA (on a busy machine the first copies don't wait for it), it
// puts so many objects, and reads and verifies them. Prints "N right, B bytes by RDMA, T bytes by
// other ways"; exit status 0: all went well.

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

struct Moved {
  uint64_t by_rdma = 0;
  uint64_t otherwise = 0;
};
Moved BytesOf(const Client& client) {
  const auto by = [&client](transfer::Way way) {
    const transfer::WayCounters counters = client.counters(way);
    return counters.bytes_read + counters.bytes_written;
  };
  return {by(transfer::Way::kRdma),
          by(transfer::Way::kTcp) + by(transfer::Way::kShm) + by(transfer::Way::kLocal)};
}

Status MeetOverRdma(Client& client) {
  const TimePoint until = BootClock::now() + kTimeout;
  for (uint32_t i = 1; BytesOf(client).by_rdma == 0; ++i) {
    if (BootClock::now() >= until) return DeadlineExceededError("all bytes go by other ways");
    KVSTORE_RETURN_IF_ERROR(PutAndGet(client, "met/" + std::to_string(i), i, 16));
  }
  return Status::Ok();
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
  const Status met = MeetOverRdma(**client);
  if (!met.ok()) std::printf("%s\n", met.ToString().c_str());
  const Moved before = BytesOf(**client);
  uint32_t right = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const std::string key = "far/" + std::to_string(i);
    const Status status = PutAndGet(**client, key, i + 1, cells);
    if (status.ok()) ++right;
    if (!status.ok()) std::printf("%s: %s\n", key.c_str(), status.ToString().c_str());
  }
  const Moved after = BytesOf(**client);
  std::printf("%u right, %lu bytes by RDMA, %lu bytes by other ways\n", right,
              after.by_rdma - before.by_rdma, after.otherwise - before.otherwise);
  return right == count ? 0 : 1;
}
