// A client of a pool, stopped in the midst of a put (stopping_memory.h).
//   late_put MASTER DEVICE KEY BYTES
// It puts bytes 2, says what the put came to, and ends.
//
// Its clock stands while it is stopped, so that it wakes as one that was stopped after its last
// look at the clock, which no test can time: it takes its grant for young, and posts its write. No
// clock is what keeps the next owner's memory.

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "kvstore/client.h"
#include "rdma/stopping_memory.h"

using namespace kvstore;

// In place of the C library's, for all that is linked to this program.
extern "C" int clock_gettime(clockid_t clock, timespec* t) noexcept {
  const long failed = syscall(SYS_clock_gettime, clock, t);
  if (failed != 0 || clock != CLOCK_BOOTTIME) return static_cast<int>(failed);
  constexpr long kSecond = 1'000'000'000;
  const long now = t->tv_sec * kSecond + t->tv_nsec - rdma_tests::StoppedFor();
  t->tv_sec = now / kSecond;
  t->tv_nsec = now % kSecond;
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  ClientOptions options;
  options.master = argv[1];
  options.name = "late";
  options.ways = {transfer::Way::kRdma};
  options.rdma_devices = {argv[2]};
  const auto client = Client::Connect(options);
  const size_t size = std::stoul(argv[4]);
  std::byte* const memory = rdma_tests::StoppingMemory(size);
  if (!client.ok() || memory == nullptr) {
    std::puts(client.status().ToString().c_str());
    return 1;
  }
  const ConstPiece piece{memory, size};
  const PutItem item{.key = argv[3], .pieces = std::span(&piece, 1)};
  const Status status =
      (*client)->Put(std::span(&item, 1), {.timeout = std::chrono::seconds(120)}).at(0);
  std::printf("ended: %s\n", status.ToString().c_str());
  return 0;
}
