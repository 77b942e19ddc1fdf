// Shared memory between two engines of one process, stopped at each step of a copy.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "transfer/shm_peers.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr uint64_t kMiB = 1 << 20;
constexpr std::chrono::milliseconds kShort(50);

void ExpectDone(const Completion& end, Way way = Way::kShm) {
  EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
  EXPECT_EQ(end.way, way);
}

// Mappings of this process with such rights of the data of shared memory: the address range and
// rights of each stand before the file's name in /proc/self/maps.
size_t CountMaps(std::string_view rights) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  size_t count = 0;
  while (std::getline(maps, line)) {
    const bool data = line.find("memfd:kvstore (deleted)") != std::string::npos;
    if (data && line.find(" " + std::string(rights) + " ") != std::string::npos) ++count;
  }
  return count;
}

// The rights of the mapping that holds `address`, "r--s" for instance.
std::string RightsAt(const void* address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 && begin <= wanted &&
        wanted < end) {
      return rights;
    }
  }
  return "";
}

TEST(ShmTransportTest, AWriteIsNamedFromBeforeItReadsTheWordUntilItHasEnded) {
  SharingHolder holder;
  SharingClient client(holder);
  std::vector<ShmStep> steps;
  client.at_step = [&](ShmStep step) {
    steps.push_back(step);
    EXPECT_EQ(holder.Touched(), (std::vector<Stretch>{{.offset = 5000, .length = 3 * kMiB}}));
  };
  Bytes bytes(3 * kMiB, 7);
  ExpectDone(client.Run(Access::kWrite, 5000, &bytes));
  EXPECT_EQ(steps, (std::vector<ShmStep>{ShmStep::kSlotSet, ShmStep::kWordRead,
                                         ShmStep::kFirstSlice, ShmStep::kLastSlice}));
  EXPECT_TRUE(holder.Touched().empty());
  EXPECT_TRUE(holder.IsFilled(5000, bytes.size(), 7));
  EXPECT_TRUE(Eventually([&] { return holder.guard.left > 0; })) << "the owner was not told";
}

TEST(ShmTransportTest, NobodyIsToldOfCopiesThatNobodyAskedAfter) {
  SharingHolder holder;
  SharingClient client(holder);
  Bytes bytes(kMiB);
  for (int i = 0; i < 50; ++i) ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  // The last copy is asked after; its message comes after any that came before.
  client.at_step = [&](ShmStep) { (void)holder.Touched(); };
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  ASSERT_TRUE(Eventually([&] { return holder.guard.left > 0; }));
  EXPECT_EQ(holder.guard.left, 1u);
}

TEST(ShmTransportTest, AReadAnnouncesNothing) {
  SharingHolder holder;
  SharingClient client(holder);
  client.at_step = [&](ShmStep) { EXPECT_TRUE(holder.Touched().empty()); };
  Bytes bytes(3 * kMiB);
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
}

TEST(ShmTransportTest, AWriteThatFindsItsMemoryRetiredTouchesNothing) {
  SharingHolder holder;
  SharingClient client(holder);
  client.at_step = [&](ShmStep step) {
    if (step == ShmStep::kSlotSet) holder.Stamp(6);
  };
  Bytes bytes(kMiB, 7);
  const Completion end = client.Run(Access::kWrite, 0, &bytes);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kAborted) << end.status;
  EXPECT_TRUE(holder.IsFilled(0, SharingHolder::kSize, 0));
  EXPECT_TRUE(holder.Touched().empty());
}

TEST(ShmTransportTest, AReadOfMemoryThatChangesHandsAtAnyStepIsAborted) {
  for (const ShmStep moment : {ShmStep::kWordRead, ShmStep::kFirstSlice, ShmStep::kLastSlice}) {
    for (const size_t size : {size_t{0}, size_t{100}, size_t{3} << 20}) {
      SharingHolder holder;
      SharingClient client(holder);
      client.at_step = [&](ShmStep step) {
        if (step == moment) holder.Stamp(6);
      };
      Bytes bytes(size);
      const Completion end = client.Run(Access::kRead, 0, &bytes);
      if (size == 0 && moment == ShmStep::kFirstSlice) {
        ExpectDone(end);  // it has no first byte
      } else {
        EXPECT_EQ(end.status.code(), StatusCode::kAborted) << end.status;
      }
    }
  }
}

TEST(ShmTransportTest, AGuardMustNameWhereAGranuleBegins) {
  SharingHolder holder;
  SharingClient client(holder);
  Bytes bytes(10);
  const Piece piece{bytes.data(), bytes.size()};
  for (const uint64_t first : {uint64_t{1}, uint64_t{4095}, SharingHolder::kSize, UINT64_MAX}) {
    Copy copy = client.MakeCopy(Access::kRead, 0, std::span(&piece, 1), UINT64_MAX);
    copy.guard->first = first;
    const Completion end = client.engine->Run(std::span(&copy, 1), Soon()).at(0);
    EXPECT_EQ(end.status.code(), StatusCode::kAborted) << end.status;
  }
}

TEST(ShmTransportTest, WritesArriveAcrossWindowsAndAtTheEndOfTheRegion) {
  SharingHolder holder;
  SharingClient client(holder);
  Bytes first(kMiB, 1);
  Bytes second(40 * kMiB, 2);
  Bytes third(100, 3);
  ExpectDone(client.Run(Access::kWrite, 16 * kMiB - 1000, &first));
  ExpectDone(client.Run(Access::kWrite, 2 * kMiB, &second));
  ExpectDone(client.Run(Access::kWrite, SharingHolder::kSize - third.size(), &third));
  EXPECT_TRUE(holder.IsFilled(0, 2 * kMiB, 0));
  EXPECT_TRUE(holder.IsFilled(2 * kMiB, second.size(), 2));
  EXPECT_TRUE(holder.IsFilled(SharingHolder::kSize - third.size(), third.size(), 3));
  EXPECT_TRUE(holder.IsFilled(42 * kMiB, 22 * kMiB - third.size(), 0));
}

TEST(ShmTransportTest, MoreWritersThanSlotsWaitForEachOther) {
  SharingHolder holder;
  SharingClient client(holder);
  std::vector<std::thread> threads;
  std::atomic<int> inside = 0;
  // The first 64 hold their slots until a further one is known to wait.
  std::atomic<int> begun = 0;
  client.at_step = [&](ShmStep step) {
    if (step == ShmStep::kSlotSet) {
      ++inside;
      EXPECT_TRUE(Eventually([&] { return begun == 80; }));
    }
    if (step == ShmStep::kLastSlice) --inside;
  };
  for (int i = 0; i < 80; ++i) {
    threads.emplace_back([&, i] {
      ++begun;
      Bytes bytes(4096, static_cast<unsigned char>(i + 1));
      ExpectDone(client.Run(Access::kWrite, i * 4096, &bytes));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside, 0);
  for (int i = 0; i < 80; ++i) {
    EXPECT_TRUE(holder.IsFilled(i * 4096, 4096, static_cast<unsigned char>(i + 1)));
  }
}

TEST(ShmTransportTest, AMappingIsNamedUntilItIsReleasedAlsoWhenItIsWithdrawn) {
  SharingHolder holder;
  SharingClient client(holder);
  holder.Fill(8192, 5000, 9);
  std::unique_ptr<Mapping> view = client.Map(Access::kRead, 8192, 5000).value();
  EXPECT_EQ(view->way(), Way::kShm);
  ASSERT_EQ(view->size(), 5000u);
  EXPECT_TRUE(view->Stands());
  EXPECT_EQ(RightsAt(view->data()), "r--s");
  EXPECT_EQ(holder.Touched(), (std::vector<Stretch>{{.offset = 8192, .length = 5000}}));
  holder.Stamp(6);
  EXPECT_FALSE(view->Stands());
  EXPECT_EQ(holder.Touched().size(), 1u);
  EXPECT_EQ(view->data()[4999], std::byte{9});
  const uint64_t told = holder.guard.left;
  view.reset();
  EXPECT_TRUE(holder.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder.guard.left > told; }));
  EXPECT_EQ(client.engine->counters(Way::kShm).mappings, 1u);
}

TEST(ShmTransportTest, AWritableMappingWritesInPlace) {
  SharingHolder holder;
  SharingClient client(holder);
  const std::unique_ptr<Mapping> view = client.Map(Access::kWrite, 15 * kMiB, 3 * kMiB).value();
  std::fill_n(view->data(), view->size(), std::byte{4});
  EXPECT_TRUE(holder.IsFilled(15 * kMiB, 3 * kMiB, 4));
  EXPECT_TRUE(holder.IsFilled(0, 15 * kMiB, 0));
  EXPECT_EQ(holder.Touched(), (std::vector<Stretch>{{.offset = 15 * kMiB, .length = 3 * kMiB}}));
}

TEST(ShmTransportTest, WhatCannotBeMappedIsRefusedWithAReason) {
  SharingHolder holder;
  SharingClient client(holder);
  const auto code = [&](MapRequest request) {
    request.peer = client.peer;
    return client.engine->Map(request, Soon()).status().code();
  };
  const Guard named{.first = 0, .birth = 5};
  EXPECT_EQ(code({.region = client.region, .length = 1, .guard = {}}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      code({.region = client.region, .offset = SharingHolder::kSize, .length = 1, .guard = named}),
      StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.region = client.region, .offset = UINT64_MAX, .length = 1, .guard = named}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.region = client.region + 7, .length = 1, .guard = named}),
            StatusCode::kNotFound);
  holder.Stamp(6);
  EXPECT_EQ(code({.region = client.region, .length = 1, .guard = named}), StatusCode::kAborted);
  EXPECT_TRUE(holder.Touched().empty());
  SharingClient distant(holder, {.ways = {Way::kTcp}});
  EXPECT_EQ(distant.Map(Access::kRead, 0, 1, 9).status().code(), StatusCode::kFailedPrecondition);
}

TEST(ShmTransportTest, AProcessHasSoManyMappingsOfAPeerAndNoMore) {
  SharingHolder holder;
  SharingClient client(holder);
  std::vector<std::unique_ptr<Mapping>> views;
  for (size_t i = 0; i < 4096; ++i) views.push_back(client.Map(Access::kRead, 0, 10).value());
  EXPECT_EQ(client.Map(Access::kRead, 0, 10).status().code(), StatusCode::kResourceExhausted);
  Bytes bytes(100);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  views.pop_back();
  EXPECT_TRUE(client.Map(Access::kRead, 0, 10).ok());
}

TEST(ShmTransportTest, WhatIsTouchedStaysNamedWhenTheConnectionHasEnded) {
  SharingHolder holder;
  SharingClient client(holder);
  std::unique_ptr<Mapping> view = client.Map(Access::kRead, 0, 100).value();
  client.engine->Close(client.peer);
  EXPECT_EQ(holder.Touched().size(), 1u);
  // Long enough for the holder to have seen that the socket is closed: it serves another first.
  SharingClient other(holder);
  Bytes bytes(100);
  ExpectDone(other.Run(Access::kWrite, 0, &bytes));
  ASSERT_EQ(holder.Touched().size(), 1u);
  EXPECT_EQ(view->data()[0], std::byte{0});
  EXPECT_TRUE(view->Stands());
  EXPECT_EQ(holder.engine->served().shm_peers, 2u);
  const uint64_t told = holder.guard.left;
  view.reset();
  EXPECT_TRUE(Eventually([&] { return holder.guard.left > told; })) << "the owner was not told";
  EXPECT_TRUE(holder.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder.engine->served().shm_peers == 1; }));
}

TEST(ShmTransportTest, AfterARenameNothingBeginsOverAnOldConnection) {
  SharingHolder holder;
  SharingClient client(holder, {.ways = {Way::kShm}});
  Bytes bytes(100, 1);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  client.at_step = [&](ShmStep step) {
    if (step == ShmStep::kSlotSet) holder.engine->Rename({});
  };
  EXPECT_EQ(client.Run(Access::kWrite, 0, &bytes).status.code(), StatusCode::kUnavailable);
  client.at_step = nullptr;
  EXPECT_EQ(client.Run(Access::kRead, 0, &bytes).status.code(), StatusCode::kFailedPrecondition);
  client.peer = client.engine->Open(holder.engine->Descriptor()).value();
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
}

TEST(ShmTransportTest, UnregisterWaitsForCopiesOfOthersButNotForTheirMappings) {
  SharingHolder holder;
  SharingClient client(holder);
  const std::unique_ptr<Mapping> view = client.Map(Access::kRead, 0, 100).value();
  std::atomic<bool> unregistered = false;
  std::thread unregister;
  client.at_step = [&](ShmStep step) {
    if (step != ShmStep::kFirstSlice) return;
    unregister = std::thread([&] {
      EXPECT_TRUE(holder.engine->Unregister(holder.region).ok());
      unregistered = true;
    });
    EXPECT_TRUE(Eventually([&] {
      return !view->Stands();  // it has begun
    }));
    EXPECT_FALSE(unregistered);
  };
  Bytes bytes(3 * kMiB, 1);
  const Completion end = client.Run(Access::kWrite, 0, &bytes);
  EXPECT_EQ(end.status.code(), StatusCode::kNotFound) << end.status;
  unregister.join();
  EXPECT_EQ(view->data()[0], std::byte{1}) << "a mapping keeps its pages";
  EXPECT_EQ(client.Run(Access::kRead, 0, &bytes).status.code(), StatusCode::kNotFound);
}

TEST(ShmTransportTest, UnregisterGivesUpOnACopyThatHangs) {
  SharingHolder holder({.tcp_stall_timeout = kShort});
  SharingClient client(holder);
  client.at_step = [&](ShmStep step) {
    if (step != ShmStep::kWordRead) return;
    EXPECT_TRUE(holder.engine->Unregister(holder.region).ok());
  };
  Bytes bytes(100, 1);
  (void)client.Run(Access::kWrite, 0, &bytes);
}

TEST(ShmTransportTest, ARegionThatIsNotSharedIsReachedByTcpBesideOneThatIs) {
  SharingHolder holder;
  Bytes plain(4096, 8);
  const RegionId other =
      holder.engine->Register(plain.data(), plain.size(), {.remote = true}).value();
  SharingClient client(holder);
  Bytes shared_bytes(100);
  Bytes plain_bytes(100);
  const Piece to_shared{shared_bytes.data(), 100};
  const Piece to_plain{plain_bytes.data(), 100};
  std::vector<Copy> copies = {client.MakeCopy(Access::kRead, 0, std::span(&to_shared, 1), 5),
                              client.MakeCopy(Access::kRead, 0, std::span(&to_plain, 1), 5)};
  copies[1].region = other;
  const std::vector<Completion> ends = client.engine->Run(copies, Soon());
  ExpectDone(ends[0], Way::kShm);
  ExpectDone(ends[1], Way::kTcp);
  EXPECT_EQ(plain_bytes, Bytes(100, 8));
  ASSERT_TRUE(holder.engine->Unregister(other).ok());
}

TEST(ShmTransportTest, WhereSharedMemoryDoesNotLeadCopiesGoByTcp) {
  SharingHolder holder({.host = "here"});
  Bytes bytes(100);
  SharingClient elsewhere(holder, {.host = "there"});
  ExpectDone(elsewhere.Run(Access::kRead, 0, &bytes), Way::kTcp);
  SharingClient unwilling(holder, {.host = "here", .ways = {Way::kTcp}});
  ExpectDone(unwilling.Run(Access::kRead, 0, &bytes), Way::kTcp);
  SharingClient here(holder, {.host = "here"});
  ExpectDone(here.Run(Access::kRead, 0, &bytes), Way::kShm);

  SharingHolder withholding({.ways = {Way::kTcp}});
  SharingClient client(withholding);
  ExpectDone(client.Run(Access::kRead, 0, &bytes), Way::kTcp);
  EXPECT_TRUE(withholding.Touched().empty());
}

TEST(ShmTransportTest, OneProcessTooManyComesByTcp) {
  SharingHolder holder({.shm_max_peers = 1});
  SharingClient first(holder);
  SharingClient second(holder);
  Bytes bytes(100);
  ExpectDone(first.Run(Access::kRead, 0, &bytes), Way::kShm);
  constexpr uint64_t kCopies = 200;
  for (uint64_t i = 0; i < kCopies; ++i) {
    ExpectDone(second.Run(i % 2 == 0 ? Access::kRead : Access::kWrite, 0, &bytes), Way::kTcp);
  }
  EXPECT_EQ(holder.engine->served().shm_peers, 1u);
  EXPECT_GE(holder.engine->served().shm_refused, 1u);
  EXPECT_LT(holder.engine->served().shm_refused, kCopies / 10) << "each copy asked again";
}

TEST(ShmTransportTest, SharedMemoryIsRegisteredWholeAndWithOneEngine) {
  SharingHolder holder;
  SharedMemory& memory = holder.memory;
  const std::unique_ptr<Engine> other = CreateEngine({}, {}).value();
  const auto code = [&](void* base, uint64_t size, bool remote) {
    return other->Register(base, size, {.remote = remote, .shared = &memory}).status().code();
  };
  EXPECT_EQ(code(memory.base(), memory.size(), false), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(memory.base() + 4096, memory.size() - 4096, true), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(memory.base(), memory.size() - 4096, true), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(memory.base(), memory.size(), true), StatusCode::kInvalidArgument);

  SharingClient client(holder);
  Bytes bytes(100);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  ASSERT_TRUE(holder.engine->Unregister(holder.region).ok());
  const RegionId again =
      other->Register(memory.base(), memory.size(), {.remote = true, .shared = &memory}).value();
  EXPECT_EQ(client.Run(Access::kWrite, 0, &bytes).status.code(), StatusCode::kNotFound)
      << "the memory is open again, but under another registration";
  ASSERT_TRUE(other->Unregister(again).ok());
}

TEST(ShmTransportTest, OptionsThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(Engine::Create({.ways = {Way::kShm}}).ok());
  EXPECT_FALSE(Engine::Create({.ways = {Way::kAutomatic}}).ok());
  EXPECT_FALSE(Engine::Create({.shm_window_idle = Duration::zero()}).ok());
  EXPECT_FALSE(Engine::Create({.shm_max_peers = 0}).ok());
}

TEST(ShmTransportTest, IdleWindowsAreUnmappedAndMappedAgain) {
  SharingHolder holder;
  const size_t own = CountMaps("rw-s");
  SharingClient client(holder, {.shm_window_idle = kShort});
  Bytes bytes(100, 1);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  ExpectDone(client.Run(Access::kWrite, 20 * kMiB, &bytes));
  EXPECT_TRUE(Eventually([&] { return CountMaps("rw-s") == own; }));
  EXPECT_EQ(holder.engine->served().shm_peers, 1u) << "only the windows are idle";
  {
    const std::unique_ptr<Mapping> view = client.Map(Access::kWrite, 0, 100).value();
    ExpectDone(client.Run(Access::kWrite, 20 * kMiB, &bytes));
    EXPECT_TRUE(Eventually([&] { return CountMaps("rw-s") == own + 1; }));
    view->data()[0] = std::byte{5};
  }
  EXPECT_TRUE(holder.IsFilled(0, 1, 5));
  EXPECT_TRUE(Eventually([&] { return CountMaps("rw-s") == own; }));
}

TEST(ShmTransportTest, WhatAnEndedPeerSharedIsUnmappedOnceNobodyUsesIt) {
  auto holder = std::make_unique<SharingHolder>();
  SharingClient client(*holder);
  Bytes bytes(100, 1);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
  std::unique_ptr<Mapping> view = client.Map(Access::kRead, 0, 100).value();
  holder->engine.reset();
  EXPECT_TRUE(Eventually([&] { return CountMaps("rw-s") == 1; })) << "the holder's own is left";
  EXPECT_EQ(view->data()[99], std::byte{1});
  EXPECT_EQ(CountMaps("r--s"), 1u);
  view.reset();
  EXPECT_TRUE(Eventually([&] { return CountMaps("r--s") == 0; }));
}

TEST(ShmTransportTest, AnIdleConnectionIsClosedAndOpenedAgain) {
  SharingHolder holder;
  SharingClient client(holder, {.shm_window_idle = kShort, .peer_idle_timeout = kShort});
  Bytes bytes(100, 1);
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
  EXPECT_TRUE(Eventually([&] { return holder.engine->served().shm_peers == 0; }));
  EXPECT_TRUE(Eventually([] { return CountMaps("r--s") == 0; }));
  client.peer = client.engine->Open(holder.engine->Descriptor()).value();
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
}

TEST(ShmTransportTest, AForkedChildThatDestroysWhatItInheritedHarmsNobody) {
  SharingHolder holder;
  SharingClient client(holder);
  Bytes bytes(100, 1);
  ExpectDone(client.Run(Access::kWrite, 0, &bytes));
  std::unique_ptr<Mapping> view = client.Map(Access::kRead, 0, 100).value();
  const pid_t child = fork();
  if (child == 0) {
    view.reset();
    client.engine.reset();
    holder.engine.reset();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(holder.Touched().size(), 1u);
  EXPECT_TRUE(view->Stands());
  ExpectDone(client.Run(Access::kRead, 0, &bytes));
}

TEST(ShmTransportTest, WithinOneProcessAMappingIsAnAccessThatTheGuardCounts) {
  SharingHolder holder;
  const PeerId self = holder.engine->Open(holder.engine->Descriptor()).value();
  const std::unique_ptr<Mapping> view = holder.engine
                                            ->Map({.access = Access::kWrite,
                                                   .peer = self,
                                                   .region = holder.region,
                                                   .offset = 4096,
                                                   .length = 100,
                                                   .guard = Guard{.first = 4096, .birth = 5}},
                                                  Soon())
                                            .value();
  EXPECT_EQ(view->way(), Way::kLocal);
  EXPECT_EQ(view->data(), holder.memory.base() + 4096);
  EXPECT_EQ(view->size(), 100u);
  EXPECT_TRUE(view->Stands());
  EXPECT_TRUE(holder.Touched().empty());
  EXPECT_EQ(holder.engine->counters(Way::kLocal).mappings, 1u);
}

}  // namespace
}  // namespace kvstore::transfer
