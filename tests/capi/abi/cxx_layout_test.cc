#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "kvstore/client.h"
#include "kvstore/transfer.h"

// What C++ programs that were built against an older header rely on, beside symbols: which slot of
// a virtual table is which call, and how large the structs are. A test that fails here says that
// the number in the libraries' names must go up (docs/decisions/0005-c-interface-and-packages.md).
namespace kvstore {
namespace {

// The place in its class's virtual table, in the C++ ABI of x86-64: a pointer to a virtual member
// holds one more than the offset there.
template <typename Method>
uint64_t SlotOf(Method method) {
  static_assert(sizeof(method) == 2 * sizeof(uint64_t));
  uint64_t words[2];
  std::memcpy(words, &method, sizeof(words));
  return (words[0] - 1) / sizeof(void*);
}

#ifdef __x86_64__

TEST(CxxAbiTest, TheClientsCallsStayInTheirSlots) {
  // 0 and 1: the destructor
  using Puts = std::vector<Status> (Client::*)(std::span<const PutItem>, const PutOptions&);
  using Gets = std::vector<GetResult> (Client::*)(std::span<const GetItem>, Duration);
  using Keys = std::span<const std::string_view>;
  using Found = std::vector<Result<bool>> (Client::*)(Keys, Duration);
  using Each = std::vector<Status> (Client::*)(Keys, Duration);
  using Stats = std::vector<Result<ObjectStat>> (Client::*)(Keys, Duration);
  using Views = std::vector<Result<std::unique_ptr<ObjectView>>> (Client::*)(Keys, Duration);
  using Creates = std::vector<Result<std::unique_ptr<NewObject>>> (Client::*)(
      std::span<const CreateItem>, const PutOptions&);
  EXPECT_EQ(SlotOf(static_cast<Puts>(&Client::Put)), 2u);
  EXPECT_EQ(SlotOf(static_cast<Gets>(&Client::Get)), 3u);
  EXPECT_EQ(SlotOf(static_cast<Found>(&Client::Exists)), 4u);
  EXPECT_EQ(SlotOf(static_cast<Each>(&Client::WaitExists)), 5u);
  EXPECT_EQ(SlotOf(static_cast<Each>(&Client::Remove)), 6u);
  EXPECT_EQ(SlotOf(static_cast<Stats>(&Client::Stat)), 7u);
  EXPECT_EQ(SlotOf(&Client::OpenReadSession), 8u);
  EXPECT_EQ(SlotOf(static_cast<Views>(&Client::View)), 9u);
  EXPECT_EQ(SlotOf(static_cast<Creates>(&Client::Create)), 10u);
  EXPECT_EQ(SlotOf(&Client::RegisterMemory), 11u);
  EXPECT_EQ(SlotOf(&Client::UnregisterMemory), 12u);
  EXPECT_EQ(SlotOf(&Client::incarnation), 13u);
  EXPECT_EQ(SlotOf(&Client::name), 14u);
  EXPECT_EQ(SlotOf(static_cast<ClientCounters (Client::*)() const>(&Client::counters)), 15u);
  EXPECT_EQ(SlotOf(static_cast<transfer::WayCounters (Client::*)(transfer::Way) const>(
                &Client::counters)),
            16u);
  EXPECT_EQ(SlotOf(&Client::lending), 17u);
  using Pins = std::vector<Status> (Client::*)(Keys, const PinOptions&, Duration);
  EXPECT_EQ(SlotOf(static_cast<Pins>(&Client::Pin)), 18u);
  EXPECT_EQ(SlotOf(&Client::RemoveMatching), 19u);
  EXPECT_EQ(SlotOf(&Client::Lend), 20u);
  EXPECT_EQ(SlotOf(&Client::WaitDrained), 21u);
  EXPECT_EQ(SlotOf(&Client::rdma_devices), 22u);
  EXPECT_EQ(SlotOf(&Client::List), 23u);
  EXPECT_EQ(SlotOf(&Client::StartTask), 24u);
  EXPECT_EQ(SlotOf(&Client::Tasks), 25u);
}

TEST(CxxAbiTest, WhatAClientHandsOutStaysInItsSlots) {
  EXPECT_EQ(SlotOf(&ReadSession::sizes), 2u);
  EXPECT_EQ(SlotOf(&ReadSession::Read), 3u);
  EXPECT_EQ(SlotOf(&ObjectView::pieces), 2u);
  EXPECT_EQ(SlotOf(&ObjectView::size), 3u);
  EXPECT_EQ(SlotOf(&ObjectView::checksum), 4u);
  EXPECT_EQ(SlotOf(&ObjectView::Verify), 5u);
  EXPECT_EQ(SlotOf(&NewObject::pieces), 2u);
  EXPECT_EQ(SlotOf(&NewObject::size), 3u);
  EXPECT_EQ(SlotOf(&NewObject::deadline), 4u);
  EXPECT_EQ(SlotOf(&NewObject::Seal), 5u);
}

TEST(CxxAbiTest, TheTransferLayersCallsStayInTheirSlots) {
  using namespace transfer;
  EXPECT_EQ(SlotOf(&Engine::Register), 2u);
  EXPECT_EQ(SlotOf(&Engine::Unregister), 3u);
  EXPECT_EQ(SlotOf(&Engine::TouchedByOthers), 4u);
  EXPECT_EQ(SlotOf(&Engine::Descriptor), 5u);
  EXPECT_EQ(SlotOf(&Engine::incarnation), 6u);
  EXPECT_EQ(SlotOf(&Engine::Rename), 7u);
  EXPECT_EQ(SlotOf(&Engine::Open), 8u);
  EXPECT_EQ(SlotOf(&Engine::Close), 9u);
  EXPECT_EQ(SlotOf(&Engine::Submit), 10u);
  EXPECT_EQ(SlotOf(&Engine::Run), 11u);
  EXPECT_EQ(SlotOf(&Engine::Map), 12u);
  EXPECT_EQ(SlotOf(&Engine::counters), 13u);
  EXPECT_EQ(SlotOf(&Engine::served), 14u);
  EXPECT_EQ(SlotOf(&Batch::Wait), 2u);
  EXPECT_EQ(SlotOf(&Batch::Cancel), 3u);
  EXPECT_EQ(SlotOf(&Batch::completions), 4u);
  EXPECT_EQ(SlotOf(&Batch::moved), 5u);
  EXPECT_EQ(SlotOf(&Mapping::data), 2u);
  EXPECT_EQ(SlotOf(&Mapping::size), 3u);
  EXPECT_EQ(SlotOf(&Mapping::Stands), 4u);
  EXPECT_EQ(SlotOf(&Mapping::way), 5u);
  EXPECT_EQ(SlotOf(&RegionGuard::Enter), 2u);
  EXPECT_EQ(SlotOf(&RegionGuard::Stands), 3u);
  EXPECT_EQ(SlotOf(&RegionGuard::Leave), 4u);
  EXPECT_EQ(SlotOf(&RegionGuard::OthersLeft), 5u);
}

TEST(CxxAbiTest, StructsKeepTheirSizes) {
  EXPECT_EQ(sizeof(PutOptions), 112u);
  EXPECT_EQ(sizeof(PutItem), 40u);
  EXPECT_EQ(sizeof(GetItem), 48u);
  EXPECT_EQ(sizeof(GetResult), 48u);
  EXPECT_EQ(sizeof(PartItem), 40u);
  EXPECT_EQ(sizeof(CreateItem), 32u);
  EXPECT_EQ(sizeof(ReplicaStat), 64u);
  EXPECT_EQ(sizeof(ObjectStat), 128u);
  EXPECT_EQ(sizeof(PinOptions), 16u);
  EXPECT_EQ(sizeof(Retention), 64u);
  EXPECT_EQ(sizeof(ClientOptions), 224u);
  EXPECT_EQ(sizeof(ClientCounters), 128u);
  EXPECT_EQ(sizeof(Status), 40u);
  EXPECT_EQ(sizeof(transfer::RegionOptions), 32u);
  EXPECT_EQ(sizeof(transfer::Copy), 88u);
  EXPECT_EQ(sizeof(transfer::Completion), 56u);
  EXPECT_EQ(sizeof(transfer::MapRequest), 64u);
  EXPECT_EQ(sizeof(transfer::EngineOptions), 216u);
  EXPECT_EQ(sizeof(transfer::WayCounters), 56u);
  EXPECT_EQ(sizeof(transfer::ServedCounters), 64u);
  EXPECT_EQ(sizeof(transfer::SharedMemory), 72u);
}

#endif

}  // namespace
}  // namespace kvstore
