// Over RDMA, against perftest on the same device. Small amounts, all hot, since the devices on
// which anybody can run them are emulated (tools/rdma-vm); there only ratios mean something.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/transfer.h"
#include "tools/kvbench/bench.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/rdma_limit.h"
#include "tools/kvbench/row.h"
#include "tools/kvbench/transfers.h"

namespace kvstore::bench {
namespace {

using transfer::Access;
using transfer::Copy;
using transfer::Engine;

constexpr uint64_t kKiB = 1u << 10;
constexpr uint64_t kMiB = 1u << 20;
// Rounds of a row of what is small: in an emulated machine, whose speed changes in between, the
// median of a few says little of it.
constexpr size_t kTimesAsMany = 3;
constexpr uint32_t kDepth = 16;
constexpr uint32_t kBatches = 4;             // that keep the queue that full
constexpr uint64_t kLimitBytes = 16 * kMiB;  // that perftest moves in a round
constexpr Load kBatch = {32, kMiB};

// Two engines, and memory of one that the other reaches. Both register theirs, as perftest does.
struct Ends {
  Walk memory;
  Walk buffers;
  std::unique_ptr<Engine> holder;
  std::unique_ptr<Engine> client;
  transfer::PeerId peer = 0;
  transfer::RegionId region = 0;
};

Result<std::shared_ptr<Ends>> Connect(const RdmaDevice& device, uint64_t bytes) {
  KVSTORE_ASSIGN_OR_RETURN(Walk memory, Walk::Private(bytes));
  KVSTORE_ASSIGN_OR_RETURN(Walk buffers, Walk::Private(bytes));
  auto ends = std::make_shared<Ends>(Ends{std::move(memory), std::move(buffers), nullptr, nullptr});
  transfer::EngineOptions options;
  options.ways = {transfer::Way::kRdma};
  options.rdma_devices = {device.name};
  KVSTORE_ASSIGN_OR_RETURN(ends->holder, Engine::Create(options));
  KVSTORE_ASSIGN_OR_RETURN(ends->client, Engine::Create(options));
  KVSTORE_ASSIGN_OR_RETURN(
      ends->region, ends->holder->Register(ends->memory.all().data(), bytes, {.remote = true}));
  KVSTORE_RETURN_IF_ERROR(
      ends->client->Register(ends->buffers.all().data(), bytes, {.remote = false}).status());
  KVSTORE_ASSIGN_OR_RETURN(ends->peer, ends->client->Open(ends->holder->Descriptor()));
  return ends;
}

TimePoint Soon() { return BootClock::now() + std::chrono::minutes(1); }

Status Await(transfer::Batch* batch) {
  if (batch == nullptr) return Status::Ok();
  if (!batch->Wait(Soon())) return DeadlineExceededError("a batch took longer than a minute");
  return FirstError(batch->completions());
}

// kDepth copies of that size, one beside the other at both ends.
struct Queue {
  Queue(const std::shared_ptr<Ends>& ends, Access access, uint64_t size) : pieces(kDepth) {
    for (uint32_t i = 0; i < kDepth; ++i) {
      pieces[i] = {ends->buffers.all().data() + i * size, size};
      copies.push_back({.access = access,
                        .peer = ends->peer,
                        .region = ends->region,
                        .offset = i * size,
                        .pieces = std::span(&pieces[i], 1),
                        .guard = {}});
    }
  }

  std::vector<transfer::Piece> pieces;
  std::vector<Copy> copies;
};

// As perftest has it: never more than kDepth under way, and always as many as that or nearly, since
// a batch of some is submitted as soon as the one before it in its place has ended.
Round KeptFull(const std::shared_ptr<Ends>& ends, Access access, uint64_t size) {
  return [=](Duration time) -> Result<double> {
    const Queue queue(ends, access, size);
    constexpr uint32_t kSome = kDepth / kBatches;
    std::array<std::unique_ptr<transfer::Batch>, kBatches> under_way;
    const auto step = [&]() -> Status {
      for (uint32_t i = 0; i < kBatches; ++i) {
        KVSTORE_RETURN_IF_ERROR(Await(under_way[i].get()));
        under_way[i] =
            ends->client->Submit(std::span(queue.copies).subspan(i * kSome, kSome), Soon());
      }
      return Status::Ok();
    };
    KVSTORE_RETURN_IF_ERROR(step());  // fills the queue
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&] { return Time(step); }));
    for (const auto& batch : under_way) KVSTORE_RETURN_IF_ERROR(Await(batch.get()));
    return times.PerSecond(static_cast<double>(kDepth * size)) / 1e9;
  };
}

// kDepth copies by one call; none is under way when it returns.
Round ByCall(const std::shared_ptr<Ends>& ends, Access access, uint64_t size) {
  return [=](Duration time) -> Result<double> {
    const Queue queue(ends, access, size);
    const auto step = [&] { return FirstError(ends->client->Run(queue.copies, Soon())); };
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&] { return Time(step); }));
    return times.PerSecond(static_cast<double>(kDepth * size)) / 1e9;
  };
}

Round Bandwidth(const RdmaDevice& device, Access access, uint64_t size) {
  return [=](Duration) {
    return PerftestBandwidth(
        device, {.access = access, .size = size, .depth = kDepth, .count = kLimitBytes / size});
  };
}

// As long as what it is compared with, once the first round, which doesn't count, has shown how
// long one read takes: over soft-RoCE that is now one, now twice as much, for milliseconds on end.
Round ReadTime(const RdmaDevice& device, uint64_t size) {
  return [=, last = std::make_shared<double>(0)](Duration time) -> Result<double> {
    constexpr uint64_t kLeast = 1000;
    const double us = std::chrono::duration<double, std::micro>(time).count();
    const uint64_t reads = *last > 0 ? static_cast<uint64_t>(us / *last) : 0;
    KVSTORE_ASSIGN_OR_RETURN(*last, PerftestReadTime(device, size, std::max(kLeast, reads)));
    return *last;
  };
}

using MakeCopies = Round (*)(const std::shared_ptr<Ends>&, Access, uint64_t);

Row CopyRow(const RdmaDevice& device, std::string name, Access access, uint64_t size,
            MakeCopies make, std::optional<double> target) {
  return {.name = std::move(name),
          .about = "16 copies of " + std::to_string(size / kKiB) + " KiB " +
                   (make == ByCall ? "by one call" : "under way all the time") + ", at transfer.h",
          .unit = "GB/s",
          .against = access == Access::kRead ? "ib_read_bw" : "ib_write_bw",
          .better = Better::kMore,
          .target = target,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(const auto ends, Connect(device, kDepth * size));
            const size_t times = size < kMiB ? kTimesAsMany : 1;
            return Alternate(Better::kMore, times * bench.time(), make(ends, access, size),
                             Bandwidth(device, access, size), times * kRounds);
          }};
}

// A pool whose node can be reached over RDMA alone, and this process's client of it.
struct RdmaPool {
  std::unique_ptr<Pool> pool;
  Walk buffers;  // outlive the client, to which they may be registered
  std::unique_ptr<Client> client;
};

// As perftest has it, or as what no program has told the client of.
enum class Buffers { kRegistered, kStaged };

Result<std::shared_ptr<RdmaPool>> StartPool(const Bench& bench, Buffers kind) {
  constexpr uint64_t kLent = 96 * kMiB;
  KVSTORE_ASSIGN_OR_RETURN(Walk buffers, Walk::Private(kBatch.bytes()));
  auto pool = std::make_shared<RdmaPool>(RdmaPool{nullptr, std::move(buffers), nullptr});
  KVSTORE_ASSIGN_OR_RETURN(pool->pool, Pool::Start({.programs = bench.options().programs,
                                                    .lend_bytes = kLent,
                                                    .ways = "rdma",
                                                    .state_file = ""}));
  ClientOptions options;
  options.ways = {transfer::Way::kRdma};
  KVSTORE_ASSIGN_OR_RETURN(pool->client, pool->pool->Connect(options));
  if (kind == Buffers::kRegistered) {
    const std::span<std::byte> all = pool->buffers.all();
    KVSTORE_RETURN_IF_ERROR(pool->client->RegisterMemory(all.data(), all.size()));
  }
  return pool;
}

using MakeRound = Result<Round> (*)(Walk*, Client*, Load, uint64_t, Figure);

Row PoolRow(std::string name, std::string about, Buffers buffers, MakeRound make, Load load,
            Better better, std::optional<double> target, std::string against, Round limit) {
  return {.name = std::move(name),
          .about = std::move(about),
          .unit = better == Better::kMore ? "GB/s" : "us",
          .against = std::move(against),
          .better = better,
          .target = target,
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(const auto pool, StartPool(bench, buffers));
            const Figure figure = better == Better::kMore ? GigabytesPerSecond(load) : TakesUs(0.5);
            KVSTORE_ASSIGN_OR_RETURN(const Round store, make(&pool->buffers, pool->client.get(),
                                                             load, load.bytes(), figure));
            const size_t times = better == Better::kMore ? 1 : kTimesAsMany;
            return Alternate(better, times * bench.time(), store, limit, times * kRounds);
          }};
}

}  // namespace

std::vector<Row> RdmaRows() {
  const std::optional<RdmaDevice> device = FirstRdmaDevice();
  if (!device) return {};
  const auto bandwidth = [&](Access access) { return Bandwidth(*device, access, kMiB); };
  return {
      CopyRow(*device, "rdma-read-64KiB", Access::kRead, 64 * kKiB, KeptFull, 0.9),
      CopyRow(*device, "rdma-read-1MiB", Access::kRead, kMiB, KeptFull, 0.9),
      CopyRow(*device, "rdma-write-64KiB", Access::kWrite, 64 * kKiB, KeptFull, 0.9),
      CopyRow(*device, "rdma-write-1MiB", Access::kWrite, kMiB, KeptFull, 0.9),
      CopyRow(*device, "rdma-read-16x64KiB", Access::kRead, 64 * kKiB, ByCall, std::nullopt),
      CopyRow(*device, "rdma-write-16x64KiB", Access::kWrite, 64 * kKiB, ByCall, std::nullopt),
      PoolRow("rdma-get-32x1MiB", "32 x 1024 KiB a call, hot, two processes", Buffers::kRegistered,
              &Gets, kBatch, Better::kMore, 0.8, "ib_read_bw", bandwidth(Access::kRead)),
      PoolRow("rdma-put-32x1MiB", "32 x 1024 KiB a call, two processes", Buffers::kRegistered,
              &Puts, kBatch, Better::kMore, 0.7, "ib_write_bw", bandwidth(Access::kWrite)),
      PoolRow("rdma-get-4KiB", "one object, hot, two processes", Buffers::kRegistered, &Gets,
              {1, 4096}, Better::kLess, 0.4, "ib_read_lat", ReadTime(*device, 4096)),
      PoolRow("rdma-get-32x1MiB-staged", "likewise, to memory that isn't registered",
              Buffers::kStaged, &Gets, kBatch, Better::kMore, std::nullopt, "ib_read_bw",
              bandwidth(Access::kRead)),
      PoolRow("rdma-get-4KiB-staged", "likewise, to memory that isn't registered", Buffers::kStaged,
              &Gets, {1, 4096}, Better::kLess, std::nullopt, "ib_read_lat",
              ReadTime(*device, 4096)),
  };
}

}  // namespace kvstore::bench
