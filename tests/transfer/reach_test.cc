#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <optional>

#include "kvstore/shared_memory.h"
#include "kvstore/transfer.h"

namespace kvstore::transfer {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::unique_ptr<Engine> NewEngine(const EngineOptions& options) {
  auto engine = Engine::Create(options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return std::move(engine).value();
}

// What the engine says of itself after shared memory has been registered there.
Reach ReachOfSharing(const EngineOptions& options) {
  auto memory = SharedMemory::Create(4096, 4096).value();
  const auto engine = NewEngine(options);
  const auto region =
      engine->Register(memory.base(), memory.size(), {.remote = true, .shared = &memory});
  EXPECT_TRUE(region.ok()) << region.status();
  const Reach reach = engine->reach();
  EXPECT_TRUE(engine->Unregister(*region).ok());
  return reach;
}

TEST(ReachTest, TheAddressIsWhatPeersAreTold) {
  EXPECT_THAT(NewEngine({})->reach().tcp, MatchesRegex("127.0.0.1:[1-9][0-9]+"));
  EXPECT_EQ(NewEngine({.tcp_advertise = "127.0.0.2:7"})->reach().tcp, "127.0.0.2:7");
  EXPECT_EQ(NewEngine({.tcp_listen = ""})->reach().tcp, "");
  EXPECT_EQ(NewEngine({.ways = {Way::kLocal}})->reach().tcp, "");
}

TEST(ReachTest, SharedMemoryIsOnOnceSomeIsRegistered) {
  EXPECT_THAT(NewEngine({})->reach().shm.message(), HasSubstr("no shared memory is registered"));
  const Reach reach = ReachOfSharing({});
  EXPECT_TRUE(reach.shm.ok()) << reach.shm;
}

TEST(ReachTest, SharedMemoryThatIsForbiddenIsOff) {
  const Reach reach = ReachOfSharing({.ways = {Way::kLocal, Way::kTcp}});
  EXPECT_EQ(reach.shm.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(reach.shm.message(), HasSubstr("forbidden"));
}

// What a node copies in for the pool is written in place, however peers may reach it.
TEST(ReachTest, OwnMemoryIsMappedWhicheverWaysAreForbidden) {
  std::array<char, 64> memory{};
  const auto engine = NewEngine({.ways = {Way::kTcp}});
  const auto region = engine->Register(memory.data(), memory.size(), {.remote = true});
  ASSERT_TRUE(region.ok()) << region.status();
  const MapRequest request{.access = Access::kWrite,
                           .peer = engine->Open(engine->Descriptor()).value(),
                           .region = *region,
                           .offset = 16,
                           .length = 8,
                           .guard = std::nullopt};
  auto mapping = engine->Map(request, BootClock::now() + std::chrono::seconds(5));
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ((*mapping)->data(), reinterpret_cast<std::byte*>(memory.data() + 16));
  mapping->reset();
  EXPECT_TRUE(engine->Unregister(*region).ok());
}

}  // namespace
}  // namespace kvstore::transfer
