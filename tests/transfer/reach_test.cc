#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kvstore::transfer
