#ifndef KVSTORE_TESTS_TRANSFER_RDMA_FIXTURE_H_
#define KVSTORE_TESTS_TRANSFER_RDMA_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "kvstore/transfer.h"
#include "transfer/engine.h"
#include "transfer/fake_verbs.h"
#include "transfer/lent_memory.h"
#include "transfer/test_guard.h"

namespace kvstore::transfer {

inline TimePoint Soon() { return BootClock::now() + std::chrono::seconds(60); }

// Whether it came true in time; what must come true does so within a step or two.
template <typename Condition>
bool Comes(Condition condition, Duration within = std::chrono::seconds(4)) {
  const TimePoint until = BootClock::now() + within;
  while (!condition()) {
    if (BootClock::now() >= until) return false;
    std::this_thread::yield();
  }
  return true;
}

class RdmaTransportTest : public testing::Test {
 protected:
  void SetUp() override { FakeFabric::SetUp({{}}); }
  void TearDown() override { FakeFabric::SetFate(nullptr); }

  void Start(EngineOptions options = {.ways = {Way::kRdma}}, const TransferGuards& guards = {}) {
    holder_ = CreateEngine(options, guards, &FakeFabric::verbs()).value();
    client_ = CreateEngine(options, guards, &FakeFabric::verbs()).value();
  }
  // Each with a device of its own.
  void StartOn(const std::string& client, const std::string& holder, EngineOptions options,
               const TransferGuards& guards = {}) {
    options.rdma_devices = {holder};
    holder_ = CreateEngine(options, guards, &FakeFabric::verbs()).value();
    options.rdma_devices = {client};
    client_ = CreateEngine(options, guards, &FakeFabric::verbs()).value();
  }

  void Lend(size_t size, RegionGuard* guard = nullptr) {
    memory_.emplace(Way::kRdma, Bytes(size, 1));
    region_ = holder_
                  ->Register(memory_->data(), memory_->size(),
                             {.remote = true, .guard = guard, .shared = memory_->shared()})
                  .value();
    peer_ = client_->Open(holder_->Descriptor()).value();
  }

  Completion Run(Access access, Bytes* bytes, uint64_t birth = 0) {
    return Run(access, bytes, CopyLimits(Soon()), birth);
  }
  Completion Run(Access access, Bytes* bytes, const CopyLimits& limits, uint64_t birth = 0) {
    const Piece piece{bytes->data(), bytes->size()};
    const Copy copy = CopyOf(access, {&piece, 1}, birth);
    return client_->Run(std::span(&copy, 1), limits).at(0);
  }
  Copy CopyOf(Access access, std::span<const Piece> pieces, uint64_t birth = 0) const {
    return {.access = access,
            .peer = peer_,
            .region = region_,
            .offset = 0,
            .pieces = pieces,
            .guard = Guard{.first = 0, .birth = birth}};
  }

  // In this order: memory outlives the engines.
  std::optional<LentMemory> memory_;
  TestGuard guard_;
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Engine> client_;
  RegionId region_ = 0;
  PeerId peer_ = 0;
};

inline void ExpectDone(const Completion& completion, Way way = Way::kRdma) {
  EXPECT_EQ(completion.outcome, Outcome::kDone) << completion.status;
  EXPECT_EQ(completion.way, way);
}

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_RDMA_FIXTURE_H_
