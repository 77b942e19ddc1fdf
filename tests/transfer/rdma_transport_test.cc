// RDMA over a fake of the verbs functions: what devices of a test machine can't be brought to do.
// What works is in transport_contract_test.cc, over this fake and over real verbs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/engine.h"
#include "transfer/fake_verbs.h"
#include "transfer/lent_memory.h"
#include "transfer/rdma/chain.h"
#include "transfer/rdma/device.h"
#include "transfer/rdma/memory.h"
#include "transfer/rdma/queue_pair.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/session.h"
#include "transfer/rdma/staging.h"
#include "transfer/rdma/window.h"
#include "transfer/rdma_fixture.h"
#include "transfer/test_guard.h"

namespace kvstore::transfer {
namespace {

using testing::HasSubstr;

TEST_F(RdmaTransportTest, WithoutADeviceCopiesGoByTcpAndTheReasonIsTold) {
  FakeFabric::SetUp({});
  Start({.ways = {Way::kRdma, Way::kTcp}});
  Lend(4096);
  EXPECT_EQ(holder_->reach().rdma.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("no RDMA device"));
  Bytes bytes(100);
  ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
}

TEST_F(RdmaTransportTest, DevicesThatCannotBeUsedAreNamedWithTheirReason) {
  FakeFabric::SetUp({{.name = "down", .state = IBV_PORT_DOWN}, {.name = "shut", .opens = false}});
  Start({.rdma_devices = {"shut", "absent"}});
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("shut can't be opened"));
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("no RDMA device absent"));
  Start({.ways = {Way::kRdma, Way::kTcp}});
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("down is down"));
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("shut can't be opened"));
}

TEST_F(RdmaTransportTest, APortThatIsDownAtTheStartIsUsedWhenItComesUp) {
  for (const bool named : {true, false}) {
    // One that isn't named is waited for where there is another.
    FakeFabric::SetUp({{.name = "late", .state = IBV_PORT_DOWN},
                       {.name = "there", .state = named ? IBV_PORT_DOWN : IBV_PORT_ACTIVE}});
    EngineOptions options{.ways = {Way::kRdma, Way::kTcp}};
    if (named) options.rdma_devices = {"late"};
    Start(options);
    EXPECT_TRUE(client_->reach().rdma.ok()) << client_->reach().rdma;
    EXPECT_THAT(client_->rdma_devices().at(0).trouble.message(), HasSubstr("late is down"));
    Lend(1 << 20);
    Bytes bytes(1 << 20);
    ExpectDone(Run(Access::kRead, &bytes), named ? Way::kTcp : Way::kRdma);
    EXPECT_EQ(FakeFabric::bytes_moved("late"), 0u);
    FakeFabric::SetPort("late", IBV_PORT_ACTIVE);
    FakeFabric::SetPort("there", IBV_PORT_DOWN);
    EXPECT_TRUE(Comes(
        [&] {
          EXPECT_EQ(Run(Access::kRead, &bytes).outcome, Outcome::kDone);
          return FakeFabric::bytes_moved("late") > bytes.size();
        },
        std::chrono::seconds(60)));
    client_.reset();
    holder_.reset();
    memory_.reset();
  }
}

TEST_F(RdmaTransportTest, OnlyTheNamedDevicesAreUsed) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start({.ways = {Way::kRdma}, .rdma_devices = {"b"}});
  EXPECT_EQ(holder_->reach().rdma_devices, std::vector<std::string>{"b"});
  EXPECT_TRUE(holder_->reach().rdma.ok());
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_EQ(FakeFabric::bytes_moved("a"), 0u);
  EXPECT_GE(FakeFabric::bytes_moved("b"), bytes.size());
}

TEST_F(RdmaTransportTest, BetweenHostsRdmaIsTakenWhereItIsNamed) {
  const auto run = [&](std::vector<Way> ways, const std::string& client_host) {
    client_.reset();
    holder_ = CreateEngine({.host = "one", .ways = ways}, {}, &FakeFabric::verbs()).value();
    client_ = CreateEngine({.host = client_host, .ways = std::move(ways)}, {}, &FakeFabric::verbs())
                  .value();
    Lend(1 << 20);
    Bytes bytes(1 << 20);
    return Run(Access::kRead, &bytes).way;
  };
  const std::vector<Way> all = {Way::kLocal, Way::kShm, Way::kRdma, Way::kTcp};
  EXPECT_EQ(run(all, "another"), Way::kRdma);
  EXPECT_EQ(run(all, "one"), Way::kShm);
  EXPECT_EQ(run({}, "another"), Way::kTcp);
  EXPECT_EQ(client_->reach().rdma.code(), StatusCode::kFailedPrecondition);
  FakeFabric::SetUp({});
  EXPECT_EQ(run(all, "another"), Way::kTcp);
}

TEST_F(RdmaTransportTest, TheAddressOfAnIpNetworkIsChosenUnlessAnotherIsNamed) {
  const RdmaDevices devices = OpenDevices(FakeFabric::verbs(), {}, -1).value();
  EXPECT_EQ(GidText(devices.usable.at(0)->port().gid), "0000:0000:0000:0000:0000:ffff:cb00:7101");
  EXPECT_EQ(devices.usable.at(0)->port().gid_index, 1);
  const RdmaDevices forced = OpenDevices(FakeFabric::verbs(), {}, 0).value();
  EXPECT_EQ(GidText(forced.usable.at(0)->port().gid), "fe80:0000:0000:0000:0000:0000:0000:0000");
  const Result<RdmaDevices> none = OpenDevices(FakeFabric::verbs(), {}, 7);
  EXPECT_THAT(none.status().message(), HasSubstr("no GID of index 7"));
}

TEST_F(RdmaTransportTest, LargeRegionsAreRegisteredInPartsThatCopiesCross) {
  FakeFabric::SetUp({{.max_mr_size = 2 << 20}});
  Start();
  Lend(9 << 20);
  EXPECT_GE(FakeFabric::registrations(), 5u);
  Bytes written(9 << 20);
  for (size_t i = 0; i < written.size(); ++i) written[i] = static_cast<unsigned char>(i % 251);
  ExpectDone(Run(Access::kWrite, &written));
  Bytes read(9 << 20);
  ExpectDone(Run(Access::kRead, &read));
  EXPECT_TRUE(read == written);
}

TEST_F(RdmaTransportTest, MemoryThatCannotBeRegisteredIsReachedByTcpAndTheReasonIsTold) {
  Start({.ways = {Way::kRdma, Way::kTcp}});
  FakeFabric::FailRegistrations(ENOMEM);
  Lend(1 << 20);
  EXPECT_EQ(holder_->reach().rdma.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("can't register 1048576 bytes"));
  FakeFabric::FailRegistrations(0);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
}

TEST_F(RdmaTransportTest, WithoutAnotherWayMemoryThatCannotBeRegisteredIsRefused) {
  Start();
  FakeFabric::FailRegistrations(ENOMEM);
  Bytes bytes(4096);
  const Result<RegionId> region = holder_->Register(bytes.data(), bytes.size(), {.remote = true});
  EXPECT_EQ(region.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(FakeFabric::registrations(), 0u);
}

TEST_F(RdmaTransportTest, RegisteredPiecesAreReadAndWrittenWithoutStaging) {
  Start();
  Lend(4 << 20);
  Bytes bytes(4 << 20, 3);
  ASSERT_TRUE(client_->Register(bytes.data(), bytes.size(), {}).ok());
  std::atomic<uint64_t> straight = 0;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    for (int i = 0; i < request.num_sge; ++i) {
      const ibv_sge& piece = request.sg_list[i];
      if (FakeFabric::MemoryOf(piece.lkey) == bytes.data()) straight += piece.length;
    }
    return IBV_WC_SUCCESS;
  });
  ExpectDone(Run(Access::kWrite, &bytes));
  EXPECT_EQ(memory_->bytes(), bytes);
  std::fill(memory_->begin(), memory_->end(), 4);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_EQ(bytes, Bytes(4 << 20, 4));
  EXPECT_EQ(straight, 2 * bytes.size());
}

// As of a kernel older than 5.12.
TEST_F(RdmaTransportTest, WhereAForkTakesPagesFromDevicesOnlySharedMemoryIsReached) {
  FakeFabric::SetForkStatus(IBV_FORK_DISABLED);
  Start({.ways = {Way::kRdma, Way::kTcp}});
  EXPECT_EQ(FakeFabric::fork_status(), IBV_FORK_ENABLED) << "drivers' own memory isn't kept";
  Lend(1 << 20);
  Bytes bytes(1 << 20, 3);
  const RegionId mine = client_->Register(bytes.data(), bytes.size(), {}).value();
  std::atomic<uint64_t> straight = 0;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    for (int i = 0; i < request.num_sge; ++i) {
      if (FakeFabric::MemoryOf(request.sg_list[i].lkey) == bytes.data()) ++straight;
    }
    return IBV_WC_SUCCESS;
  });
  ExpectDone(Run(Access::kWrite, &bytes));
  EXPECT_EQ(memory_->bytes(), bytes);
  EXPECT_EQ(straight, 0u);
  EXPECT_TRUE(client_->Unregister(mine).ok());

  Bytes own(4096, 1);
  region_ = holder_->Register(own.data(), own.size(), {.remote = true}).value();
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("older than 5.12"));
  Bytes read(4096);
  ExpectDone(Run(Access::kRead, &read), Way::kTcp);
  EXPECT_EQ(read, own);
}

TEST_F(RdmaTransportTest, WhereAForkWouldTakeDriversPagesThereIsNoRdma) {
  FakeFabric::SetForkStatus(IBV_FORK_DISABLED, EINVAL);
  const auto engine =
      CreateEngine({.ways = {Way::kRdma, Way::kTcp}}, {}, &FakeFabric::verbs()).value();
  EXPECT_TRUE(engine->rdma_devices().empty());
  EXPECT_THAT(engine->reach().rdma.message(), HasSubstr("ibv_fork_init"));
}

// How much each, the scheduler decides here; devices of their own take turns by what is under way.
TEST_F(RdmaTransportTest, TwoDevicesShareTheWork) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start();
  Lend(64 << 20);
  Bytes bytes(64 << 20);
  for (int i = 0; i < 4; ++i) ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_GT(FakeFabric::bytes_moved("a"), 0u);
  EXPECT_GT(FakeFabric::bytes_moved("b"), 0u);
}

TEST_F(RdmaTransportTest, WhatADeviceFailsToCarryGoesOverTheOther) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start();
  Lend(32 << 20);
  std::atomic<int> requests = 0;
  FakeFabric::SetFate([&](const std::string& device, const ibv_send_wr&) {
    return device == "a" && ++requests > 1 ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
  });
  Bytes bytes(32 << 20, 2);
  ExpectDone(Run(Access::kWrite, &bytes));
  EXPECT_TRUE(memory_->bytes() == bytes);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_GT(requests, 1);
}

TEST_F(RdmaTransportTest, WhatNoDeviceCarriesGoesByTcp) {
  Start({.ways = {Way::kRdma, Way::kTcp}, .tcp_connections_per_peer = 1});
  Lend(8 << 20);
  Bytes bytes(8 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  FakeFabric::SetPort("fake0", IBV_PORT_DOWN, false);
  ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
  // Not tried again at once.
  ExpectDone(Run(Access::kRead, &bytes), Way::kTcp);
  FakeFabric::SetPort("fake0", IBV_PORT_ACTIVE);
  EXPECT_TRUE(Comes([&] { return Run(Access::kRead, &bytes).way == Way::kRdma; },
                    std::chrono::seconds(60)));
}

// Rule 4, where all is one chain: whatever happens between the last byte and the word shows in the
// word, and the device begins with the word only when it has the bytes.
TEST_F(RdmaTransportTest, TheWordIsReadWhenTheBytesHaveCome) {
  Start({.ways = {Way::kRdma}, .tcp_connections_per_peer = 1});
  Lend(4 << 20);
  for (const bool retire : {false, true}) {
    std::atomic<uint64_t> bytes_read = 0;
    std::atomic<int> words = 0, unfenced = 0, early = 0;
    FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
      const bool word = request.sg_list[0].length == sizeof(uint64_t);
      if (!word) {
        for (int i = 0; i < request.num_sge; ++i) bytes_read += request.sg_list[i].length;
        return IBV_WC_SUCCESS;
      }
      // Of several words, the first holds up those behind it.
      if (words++ == 0 && (request.send_flags & IBV_SEND_FENCE) == 0) ++unfenced;
      if (bytes_read < 2000) ++early;
      if (retire) memory_->Stamp(1);
      return IBV_WC_SUCCESS;
    });
    Bytes bytes(2000);
    const Completion completion = Run(Access::kRead, &bytes);
    EXPECT_EQ(completion.outcome, retire ? Outcome::kFailed : Outcome::kDone);
    EXPECT_EQ(completion.status.code(), retire ? StatusCode::kAborted : StatusCode::kOk);
    EXPECT_EQ(words, 1);
    EXPECT_EQ(unfenced, 0);
    EXPECT_EQ(early, 0);
  }
}

// Where the caller proves the bytes one round trip is enough: the word may be read before them.
TEST_F(RdmaTransportTest, OfWhatIsProvenTheWordIsReadBesideTheBytes) {
  Start({.ways = {Way::kRdma}, .tcp_connections_per_peer = 1});
  Lend(4 << 20);
  Bytes bytes(2000);
  ExpectDone(Run(Access::kRead, &bytes));  // the lane is there
  for (const bool retire : {false, true}) {
    std::atomic<int> requests = 0, words = 0, fenced = 0;
    FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
      ++requests;
      if (request.sg_list[0].length == sizeof(uint64_t)) ++words;
      if ((request.send_flags & IBV_SEND_FENCE) != 0) ++fenced;
      return IBV_WC_SUCCESS;
    });
    if (retire) memory_->Stamp(1);
    Piece piece{bytes.data(), bytes.size()};
    Copy copy = CopyOf(Access::kRead, {&piece, 1});
    copy.proven = true;
    const Completion completion = client_->Run(std::span(&copy, 1), Soon()).at(0);
    EXPECT_EQ(completion.status.code(), retire ? StatusCode::kAborted : StatusCode::kOk);
    EXPECT_EQ(requests, 2);
    EXPECT_EQ(words, 1);
    EXPECT_EQ(fenced, 0);
    // One that isn't proven, beside it, must not do with that.
    const std::array both{copy, CopyOf(Access::kRead, {&piece, 1})};
    (void)client_->Run(both, Soon());
    EXPECT_GT(fenced, 0);
  }
}

TEST_F(RdmaTransportTest, AWriteIsDoneWhenItsBytesAreInPlace) {
  Start();
  Lend(8 << 20);
  FakeFabric::DelayWrites(true);
  Bytes bytes(8 << 20, 2);
  ExpectDone(Run(Access::kWrite, &bytes));
  EXPECT_TRUE(memory_->bytes() == bytes) << "it was called done while bytes were on their way";
}

TEST_F(RdmaTransportTest, AWriteThatFailedDoesNotLandLater) {
  Start();
  Lend(1 << 20);
  FakeFabric::DelayWrites(true);
  FakeFabric::SetFate([](const std::string&, const ibv_send_wr& request) {
    const bool behind_writes = request.opcode == IBV_WR_RDMA_READ && request.sg_list[0].length == 1;
    return behind_writes ? IBV_WC_RETRY_EXC_ERR : IBV_WC_SUCCESS;
  });
  Bytes bytes(1 << 20, 2);
  const Completion completion = Run(Access::kWrite, &bytes);
  EXPECT_EQ(completion.outcome, Outcome::kFailed) << completion.status;
  FakeFabric::LandDelayedWrites();
  EXPECT_TRUE(memory_->bytes() == Bytes(1 << 20, 1)) << "the holder's queue pair was not destroyed";
}

TEST_F(RdmaTransportTest, AWriterThatWakesTooLateIsCutOff) {
  Start();
  Lend(1 << 20, &guard_);
  std::atomic<bool> paused = false;
  std::atomic<bool> wake = false;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    if (request.opcode == IBV_WR_RDMA_WRITE && !wake) {
      paused = true;
      while (!wake) std::this_thread::yield();
    }
    return IBV_WC_SUCCESS;
  });
  Bytes bytes(1 << 20, 2);
  Completion completion;
  std::thread writer([&] { completion = Run(Access::kWrite, &bytes); });
  EXPECT_TRUE(Comes([&] { return paused.load(); }, std::chrono::seconds(60)));
  EXPECT_EQ(guard_.inside, 1);
  guard_.word = 1;
  // Within less than tools/mutants waits.
  EXPECT_TRUE(Comes([&] { return guard_.inside == 0; })) << "a paused writer holds the memory";
  // It has a new owner.
  wake = true;
  writer.join();
  EXPECT_EQ(completion.status.code(), StatusCode::kAborted) << completion.status;
  EXPECT_TRUE(memory_->bytes() == Bytes(1 << 20, 1)) << "it wrote when it woke";
}

TEST_F(RdmaTransportTest, WhenAPeerIsClosedItsQueuePairsAreDestroyedAtBothEnds) {
  Start();
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_GT(FakeFabric::queue_pairs(), 0u);
  client_->Close(peer_);
  EXPECT_TRUE(Comes([] { return FakeFabric::queue_pairs() == 0; }, std::chrono::seconds(60)));
}

TEST_F(RdmaTransportTest, MemoryThatDevicesKnowKeepsItsPages) {
  Start();
  Lend(1 << 20);
  SharedMemory& shared = const_cast<SharedMemory&>(*memory_->shared());
  shared.GiveBack(0, shared.size());
  EXPECT_EQ(memory_->bytes(), Bytes(1 << 20, 1)) << "devices go on using the pages that were there";
}

// Each piece is a request of its own here, and few are taken at once.
TEST_F(RdmaTransportTest, NoMoreIsAskedForThanADeviceTakes) {
  FakeFabric::SetUp({{.max_sge = 1, .max_qp_wr = 40}});
  Start();
  Lend(4 << 20);
  Bytes bytes(4 << 20);
  ASSERT_TRUE(client_->Register(bytes.data(), bytes.size(), {}).ok());
  for (const Access access : {Access::kWrite, Access::kRead}) {
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i % 239);
    // 256 copies of 16 pieces each that don't lie next to each other.
    constexpr size_t kCopies = 256, kPieces = 16, kPieceBytes = 512;
    std::vector<Piece> pieces;
    for (size_t i = 0; i < kCopies * kPieces; ++i) {
      pieces.push_back({bytes.data() + (i * 37 % (kCopies * kPieces)) * kPieceBytes, kPieceBytes});
    }
    std::vector<Copy> copies;
    for (size_t i = 0; i < kCopies; ++i) {
      copies.push_back({.access = access,
                        .peer = peer_,
                        .region = region_,
                        .offset = i * kPieces * kPieceBytes,
                        .pieces = std::span(pieces).subspan(i * kPieces, kPieces),
                        .guard = Guard{}});
    }
    const Bytes before = bytes;
    if (access == Access::kRead) std::fill(bytes.begin(), bytes.begin() + (2 << 20), 0);
    for (const Completion& completion : client_->Run(copies, Soon())) ExpectDone(completion);
    EXPECT_TRUE(bytes == before);
  }
  EXPECT_EQ(FakeFabric::queue_pairs() % 2, 0u);
}

TEST_F(RdmaTransportTest, ADeviceThatTakesTooFewRequestsIsNotUsed) {
  FakeFabric::SetUp({{.name = "small", .max_qp_wr = 4}});
  Start({.rdma_devices = {"small"}});
  EXPECT_THAT(holder_->reach().rdma.message(), HasSubstr("small takes 4 requests"));
}

TEST_F(RdmaTransportTest, LanesThatServeNobodyAreClosed) {
  Start({.ways = {Way::kRdma}, .tcp_idle_timeout = std::chrono::milliseconds(100)});
  Lend(4096);
  // Nothing is carried to a region that isn't there, but it was asked for.
  region_ += 1;
  Bytes bytes(100);
  EXPECT_EQ(Run(Access::kRead, &bytes).status.code(), StatusCode::kNotFound);
  EXPECT_TRUE(Comes([] { return FakeFabric::queue_pairs() == 0; }, std::chrono::seconds(60)));
}

TEST_F(RdmaTransportTest, APortThatGoesDownIsLeftAtOnceAndComesBack) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start({.ways = {Way::kRdma},
         .tcp_connections_per_peer = 1,
         .tcp_stall_timeout = std::chrono::minutes(10)});
  Lend(1 << 20);
  Bytes bytes(1 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  // Nothing comes through, and nothing is completed as failed either.
  FakeFabric::Swallow("a", true);
  Completion completion;
  std::thread reader([&] { completion = Run(Access::kRead, &bytes); });
  EXPECT_TRUE(Comes([] { return FakeFabric::swallowed() > 0; }, std::chrono::seconds(60)));
  FakeFabric::SetPort("a", IBV_PORT_DOWN);
  reader.join();
  ExpectDone(completion);
  EXPECT_THAT(client_->rdma_devices().at(0).trouble.message(), HasSubstr("a is down"));
  EXPECT_GT(client_->rdma_devices().at(0).failures, 0u);
  EXPECT_TRUE(client_->rdma_devices().at(1).trouble.ok());
  const uint64_t before = FakeFabric::bytes_moved("a");
  ExpectDone(Run(Access::kRead, &bytes));
  EXPECT_EQ(FakeFabric::bytes_moved("a"), before);

  FakeFabric::Swallow("a", false);
  FakeFabric::SetPort("a", IBV_PORT_ACTIVE);
  EXPECT_TRUE(
      Comes([&] { return client_->rdma_devices().at(0).trouble.ok(); }, std::chrono::seconds(60)));
  EXPECT_TRUE(Comes(
      [&] {
        ExpectDone(Run(Access::kRead, &bytes));
        client_->Close(peer_);
        peer_ = client_->Open(holder_->Descriptor()).value();
        return FakeFabric::bytes_moved("a") > before;
      },
      std::chrono::seconds(60)));
}

TEST_F(RdmaTransportTest, WhatGoesOverEachDeviceIsCounted) {
  FakeFabric::SetUp({{.name = "a"}, {.name = "b"}});
  Start();
  Lend(64 << 20);
  Bytes bytes(64 << 20);
  ExpectDone(Run(Access::kRead, &bytes));
  ExpectDone(Run(Access::kWrite, &bytes));
  const std::vector<RdmaDeviceState> devices = client_->rdma_devices();
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].bytes_read + devices[1].bytes_read, bytes.size());
  EXPECT_EQ(devices[0].bytes_written + devices[1].bytes_written, bytes.size());
  EXPECT_GT(devices[0].paths + devices[1].paths, 0u);
  EXPECT_EQ(devices[0].failures + devices[1].failures, 0u);
}

// Large enough to be shared, and so small that whole slices could not be.
TEST_F(RdmaTransportTest, SlicesAreSmallWhereThereIsLittleToShare) {
  Start();
  Lend(16 << 20);
  std::atomic<uint64_t> largest = 0;
  FakeFabric::SetFate([&](const std::string&, const ibv_send_wr& request) {
    for (int i = 0; i < request.num_sge; ++i) {
      if (request.sg_list[i].length > largest) largest = request.sg_list[i].length;
    }
    return IBV_WC_SUCCESS;
  });
  Bytes little(4 << 20);
  ExpectDone(Run(Access::kRead, &little));
  EXPECT_EQ(largest, uint64_t{256} << 10);
  Bytes much(16 << 20);
  ExpectDone(Run(Access::kRead, &much));
  EXPECT_EQ(largest, uint64_t{1} << 20);
}

// A region that is being unregistered, under a copy, and a larger one in its place.
TEST_F(RdmaTransportTest, APieceIsFoundInTheRegionThatHoldsAllOfIt) {
  const RdmaDevices devices = OpenDevices(FakeFabric::verbs(), {}, -1).value();
  RdmaRegions regions(devices.usable);
  StagingPool staging(devices.usable);
  Bytes bytes(2 << 20);
  ASSERT_TRUE(regions.Add(1, bytes.data(), 4096, {}).ok());
  RegionAnswer remote;
  remote.memory = {.size = 2 << 20, .origin = 0, .part_bytes = 2 << 20, .keys = {1}};
  const Piece small{bytes.data(), 4096};
  const Piece large{bytes.data(), 8192};
  const Copy first{.pieces = std::span(&small, 1), .guard = {}};
  const Copy second{.pieces = std::span(&large, 1), .guard = {}};
  const auto flight = [&](const Copy& copy, uint64_t length) {
    Flight made;
    made.slice = {.copy = 0, .offset = 0, .length = length, .cursor = ScatterCursor(copy.pieces)};
    made.copy = &copy;
    made.region = &remote;
    return made;
  };
  Window window(regions, staging, 0, 64, 16);
  ASSERT_TRUE(window.Take(flight(first, 4096)));
  ASSERT_TRUE(regions.Add(2, bytes.data(), bytes.size(), {}).ok());
  ASSERT_TRUE(window.Take(flight(second, 8192)));
  window.ChainData(window.flights().at(1));
  const ibv_send_wr& request = *window.chain().Link(1);
  ASSERT_EQ(request.num_sge, 1);
  EXPECT_EQ(request.sg_list[0].lkey,
            regions.FindLocal(bytes.data(), 8192)->memory.at(0)->local_key(0));
  window.Clear();
  // The newer one is found when the older one is gone.
  EXPECT_TRUE(regions.Remove(1, Soon()).ok());
  EXPECT_NE(regions.FindLocal(bytes.data(), bytes.size()), nullptr);
}

// A client by hand, for what the real one never does.
TEST_F(RdmaTransportTest, NobodyWritesOverAQueuePairForReads) {
  const RdmaDevices devices = OpenDevices(FakeFabric::verbs(), {}, -1).value();
  const std::shared_ptr<RdmaDevice>& device = devices.usable.at(0);
  Registry registry{TransferGuards()};
  RdmaRegions regions(devices.usable);
  Bytes lent(4096, 1);
  const RegionId id = registry.Add(lent.data(), lent.size(), {.remote = true}).value();
  ASSERT_TRUE(regions.Add(id, lent.data(), lent.size(), {.remote = true}).ok());
  RdmaSession session(regions, registry, {});

  const std::unique_ptr<CompletionQueue> completions = CompletionQueue::Create(device, 16).value();
  const std::unique_ptr<QueuePair> pair =
      QueuePair::Create(device, *completions, {.max_requests = 4, .max_pieces = 1}).value();
  const std::optional<OpenAnswer> opened = DecodeOpenAnswer(
      session
          .Answer(Encode(OpenQuestion{.access = Access::kRead, .device = 0, .client = pair->end()}))
          .value());
  ASSERT_TRUE(opened);
  ASSERT_TRUE(pair->Connect(opened->holder).ok());
  const std::optional<RegionAnswer> region =
      DecodeRegionAnswer(session.Answer(Encode(RegionQuestion{.device = 0, .region = id})).value());
  ASSERT_TRUE(region);

  Bytes mine(4096, 2);
  const auto local = RegisteredMemory::Create(device, reinterpret_cast<std::byte*>(mine.data()),
                                              mine.size(), MemoryUse::kLocal)
                         .value();
  Chain chain(4, 1);
  chain.Add(Access::kWrite, *local, 0, region->memory, 0, mine.size());
  ASSERT_TRUE(pair->Post(chain.Link(1)).ok());
  ibv_wc completion{};
  ASSERT_EQ(completions->Poll(std::span(&completion, 1)).value(), 1u);
  EXPECT_NE(completion.status, IBV_WC_SUCCESS);
  EXPECT_EQ(lent, Bytes(4096, 1));
}

}  // namespace
}  // namespace kvstore::transfer
