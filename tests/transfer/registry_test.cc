#include "transfer/registry.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "transfer/test_guard.h"

namespace kvstore::transfer {
namespace {

TimePoint Soon() { return BootClock::now() + std::chrono::seconds(60); }

class RegistryTest : public testing::Test {
 protected:
  StatusCode AddCode(size_t offset, uint64_t size, const RegionOptions& options = {}) {
    return registry_.Add(memory_.data() + offset, size, options).status().code();
  }

  std::vector<char> memory_ = std::vector<char>(1 << 16);
  Registry registry_{TransferGuards{}};
};

TEST_F(RegistryTest, RefusesOverlapsAndTakesNeighbours) {
  EXPECT_EQ(AddCode(1000, 1000), StatusCode::kOk);
  EXPECT_EQ(AddCode(1000, 1000), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(1999, 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(500, 501), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(0, 5000), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(1200, 10), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(2000, 10), StatusCode::kOk);
  EXPECT_EQ(AddCode(500, 500), StatusCode::kOk);
}

TEST_F(RegistryTest, RefusesWhatIsNoMemory) {
  EXPECT_EQ(registry_.Add(nullptr, 10, {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(0, 0), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(0, UINT64_MAX), StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCode(0, 10, {.kind = MemoryKind::kCuda}), StatusCode::kUnimplemented);
}

TEST_F(RegistryTest, NeverUsesANumberTwice) {
  const RegionId first = *registry_.Add(memory_.data(), 100, {});
  ASSERT_TRUE(registry_.Remove(first, Soon()).ok());
  EXPECT_EQ(registry_.Remove(first, Soon()).code(), StatusCode::kNotFound);
  EXPECT_NE(*registry_.Add(memory_.data(), 100, {}), first);
}

TEST_F(RegistryTest, AnAccessPassesItsArgumentsToTheGuardAndLeavesOnce) {
  TestGuard guard;
  const RegionId id = *registry_.Add(memory_.data(), 100, {.remote = true, .guard = &guard});
  {
    Result<RegionAccess> access = registry_.Begin(Access::kRead, id, 10, 90, Guard{.birth = 1});
    ASSERT_TRUE(access.ok());
    const RegionAccess moved = *std::move(access);
    EXPECT_EQ(moved.data(), reinterpret_cast<std::byte*>(memory_.data() + 10));
    EXPECT_EQ(guard.inside, 1);
    EXPECT_TRUE(moved.StillStands());
    guard.word = 2;
    EXPECT_FALSE(moved.StillStands());
    EXPECT_FALSE(moved.StoodToTheEnd());
  }
  EXPECT_EQ(guard.inside, 0);
  EXPECT_EQ(registry_.Begin(Access::kRead, id, 0, 1, Guard{.birth = 1}).status().code(),
            StatusCode::kAborted);
  EXPECT_EQ(registry_.Begin(Access::kRead, id, UINT64_MAX, 2, Guard{}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(RegistryTest, RemoveWaitsForAccessesThatGoOnAndTellsThemToEnd) {
  const RegionId id = *registry_.Add(memory_.data(), 100, {.remote = true});
  auto access =
      std::make_unique<RegionAccess>(*registry_.Begin(Access::kWrite, id, 0, 100, std::nullopt));
  std::atomic<bool> removed = false;
  std::thread remover([&] {
    EXPECT_TRUE(registry_.Remove(id, Soon()).ok());
    removed = true;
  });
  while (access->StillStands()) std::this_thread::yield();  // until the remover has begun
  EXPECT_FALSE(removed);
  EXPECT_EQ(registry_.Begin(Access::kRead, id, 0, 1, std::nullopt).status().code(),
            StatusCode::kNotFound);
  access.reset();
  remover.join();
  EXPECT_TRUE(removed);
}

TEST_F(RegistryTest, WhatGoesOnForTooLongKeepsTheRegionAndLosesItsGuard) {
  auto guard = std::make_unique<TestGuard>();
  const RegionId id = *registry_.Add(memory_.data(), 100, {.remote = true, .guard = guard.get()});
  auto access =
      std::make_unique<RegionAccess>(*registry_.Begin(Access::kWrite, id, 0, 100, Guard{}));
  EXPECT_EQ(registry_.Remove(id, BootClock::now()).code(), StatusCode::kUnavailable);
  guard.reset();
  EXPECT_FALSE(access->StillStands());
  EXPECT_EQ(AddCode(0, 100), StatusCode::kInvalidArgument) << "the memory is nobody else's";
  access.reset();
  EXPECT_TRUE(registry_.Remove(id, BootClock::now()).ok());
  EXPECT_EQ(AddCode(0, 100), StatusCode::kOk);
}

}  // namespace
}  // namespace kvstore::transfer
