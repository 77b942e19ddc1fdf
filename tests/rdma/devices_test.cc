// Several devices, and devices whose link goes.

#include "rdma/devices.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/lent_memory.h"
#include "transfer/rdma/device.h"
#include "transfer/rdma/memory.h"
#include "transfer/test_guard.h"

namespace kvstore::rdma_tests {
namespace {

using namespace transfer;

// Copies name a guard, as all copies of the store do, so that each read is proved by its word: a
// kernel's soft-RoCE that has lost packets of a long READ has been seen to call it done.
class DevicesTest : public testing::Test {
 protected:
  void Start(const std::vector<std::string>& mine, const std::vector<std::string>& holders) {
    client_.reset();
    holder_ = EngineWith(holders, {Way::kRdma, Way::kTcp});
    client_ = EngineWith(mine, {Way::kRdma, Way::kTcp});
    ASSERT_TRUE(holder_ != nullptr && client_ != nullptr);
    const Result<RegionId> region = holder_->Register(
        lent_.data(), lent_.size(), {.remote = true, .guard = &guard_, .shared = lent_.shared()});
    ASSERT_TRUE(region.ok()) << region.status();
    region_ = *region;
    peer_ = client_->Open(holder_->Descriptor()).value();
  }

  Completion Run(Access access, uint64_t offset, Bytes* bytes, Duration within) {
    const Piece piece{bytes->data(), bytes->size()};
    const Copy copy{.access = access,
                    .peer = peer_,
                    .region = region_,
                    .offset = offset,
                    .pieces = std::span(&piece, 1),
                    .guard = Guard{.first = offset, .birth = 0}};
    return client_->Run(std::span(&copy, 1), In(within)).at(0);
  }

  // In this order: memory outlives the engines.
  LentMemory lent_{Way::kRdma, Bytes(16 << 20, 1)};
  TestGuard guard_;
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Engine> client_;
  RegionId region_ = 0;
  PeerId peer_ = 0;
};

// How much each of the two has done, in packets.
using Shares = std::array<uint64_t, 2>;

bool AreAboutHalves(const Shares& shares) {
  return std::min(shares[0], shares[1]) >= (shares[0] + shares[1]) * 35 / 100;
}

// Lanes take windows of some MiB as fast as they can, so that shares become equal over several.
// Where an emulated device is so slow that a lane is given up, the next one may lead elsewhere.
TEST_F(DevicesTest, TwoDevicesCarryAboutHalfEach) {
  bool writes_halved = false;
  bool reads_halved = false;
  for (int attempt = 0; attempt < 4 && !(writes_halved && reads_halved); ++attempt) {
    Start({"rxe0", "rxe1"}, {"rxe2", "rxe3"});
    for (const auto& [access, moved, halved] :
         {std::tuple(Access::kWrite, &Packets::sent, &writes_halved),
          std::tuple(Access::kRead, &Packets::received, &reads_halved)}) {
      const Shares before = {PacketsOf("rxe0").*moved, PacketsOf("rxe1").*moved};
      Bytes bytes = Pattern(lent_.size(), 7);
      for (int round = 0; round < 2; ++round) {
        if (access == Access::kRead) bytes.assign(bytes.size(), 0);
        const Completion completion = Run(access, 0, &bytes, kLong);
        ASSERT_EQ(completion.outcome, Outcome::kDone) << completion.status;
        ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), lent_.begin())) << "wrong bytes";
      }
      const Shares shares = {PacketsOf("rxe0").*moved - before[0],
                             PacketsOf("rxe1").*moved - before[1]};
      std::printf("%s: %lu and %lu packets\n", access == Access::kRead ? "reads" : "writes",
                  shares[0], shares[1]);
      const bool all = shares[0] + shares[1] >= 2 * lent_.size() / 4096;
      *halved = *halved || (all && AreAboutHalves(shares));
    }
  }
  EXPECT_TRUE(writes_halved);
  EXPECT_TRUE(reads_halved);
}

// A child that lives on, while the parent goes on with memory of its own that its device knows.
TEST_F(DevicesTest, AForkLeavesRegisteredMemoryToItsProcess) {
  Start({"rxe0"}, {"rxe1"});
  Bytes bytes(1 << 20, 2);
  ASSERT_TRUE(client_->Register(bytes.data(), bytes.size(), {}).ok());
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    char told = 0;
    close(fds[1]);
    (void)!read(fds[0], &told, 1);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  std::fill(bytes.begin(), bytes.end(), 3);
  EXPECT_EQ(Run(Access::kWrite, 0, &bytes, kLong).outcome, Outcome::kDone);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), lent_.begin()))
      << "the device has the child's";
  std::fill(lent_.begin(), lent_.end(), 4);
  EXPECT_EQ(Run(Access::kRead, 0, &bytes, kLong).outcome, Outcome::kDone);
  EXPECT_TRUE(bytes == Bytes(bytes.size(), 4));
  close(fds[0]);
  close(fds[1]);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

// How long it takes in parts, beside each other, and in one is printed, and nothing more asked of
// it: an emulated machine says little about it.
TEST_F(DevicesTest, ALargeRegionIsRegisteredInPartsBesideEachOther) {
  constexpr uint64_t kPart = 32 << 20;
  constexpr size_t kParts = 4;
  const std::shared_ptr<RdmaDevice> device =
      OpenDevices(*SystemVerbs().value(), {"rxe0"}, -1).value().usable.at(0);
  constexpr size_t kBytes = kParts * kPart;
  // Of small pages, which take long.
  void* const mapped =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  madvise(mapped, kBytes, MADV_NOHUGEPAGE);
  std::memset(mapped, 1, kBytes);
  for (const size_t parts : {size_t{1}, kParts, size_t{1}, kParts}) {
    const TimePoint began = BootClock::now();
    const auto memory = RegisteredMemory::Create(device, static_cast<std::byte*>(mapped), kBytes,
                                                 MemoryUse::kRemoteWrite, kBytes / parts);
    const Duration took = BootClock::now() - began;
    ASSERT_TRUE(memory.ok()) << memory.status();
    std::set<uint32_t> keys;
    for (const uint32_t key : (*memory)->remote_keys()) keys.insert(key);
    EXPECT_EQ(keys.size(), parts);
    std::printf("128 MiB in %zu parts: %.1f ms\n", parts,
                std::chrono::duration<double, std::milli>(took).count());
    EXPECT_TRUE((*memory)->Close().ok());
  }
  munmap(mapped, kBytes);
}

// Threads that write and read parts of their own for as long as it lasts.
TEST_F(DevicesTest, WhileALinkIsDownCopiesGoByTcpAndThenOverRdmaAgain) {
  Start({"rxe0"}, {"rxe1"});
  constexpr Duration kDeadline = std::chrono::seconds(30);
  constexpr size_t kThreads = 2;
  constexpr uint64_t kPart = 512 << 10;
  std::atomic<uint64_t> by_rdma = 0;
  std::atomic<uint64_t> by_tcp = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t round = 1; !stop; ++round) {
        Bytes written = Pattern(kPart, round * kThreads + t);
        Bytes read(kPart);
        for (const auto& [access, bytes] :
             {std::pair(Access::kWrite, &written), std::pair(Access::kRead, &read)}) {
          const TimePoint began = BootClock::now();
          const Completion completion = Run(access, t * kPart, bytes, kDeadline);
          EXPECT_EQ(completion.outcome, Outcome::kDone) << completion.status;
          EXPECT_LT(BootClock::now() - began, kDeadline);
          ++(completion.way == Way::kRdma ? by_rdma : by_tcp);
        }
        EXPECT_TRUE(read == written) << "wrong bytes in round " << round;
      }
    });
  }
  const auto await_more = [&](const std::atomic<uint64_t>& count, const char* what) {
    const uint64_t enough = count + 10;
    const TimePoint until = In(kLong);
    while (count < enough && BootClock::now() < until) std::this_thread::yield();
    EXPECT_GE(count, enough) << what;
    std::printf("%s: by RDMA %lu, by TCP %lu\n", what, by_rdma.load(), by_tcp.load());
  };
  await_more(by_rdma, "at first");
  SetLink(0, false);
  await_more(by_tcp, "with the link down");
  SetLink(0, true);
  await_more(by_rdma, "with the link up again");
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvstore::rdma_tests
