#include "client/segment_host.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "client/lent_memory.h"
#include "thread_annotations.h"

namespace kvstore::client {
namespace {

using transfer::Access;

constexpr uint64_t kMiB = 1u << 20;
constexpr uint64_t kGiB = 1u << 30;
constexpr PutId kPut{{1, 2}, 3};

bool Present(const std::byte* page) {
  unsigned char resident = 0;
  EXPECT_EQ(mincore(const_cast<std::byte*>(page), 1, &resident), 0);
  return (resident & 1) != 0;
}

// Those that are in memory.
long PagesOfThisProcess() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident;
}

TEST(LentMemory, NoPageIsThereBeforeItIsTouched) {
  LentMemory memory = *LentMemory::Map(64 * kMiB, 4096);
  if (memory.huge()) GTEST_SKIP() << "this machine has a reserve of huge pages";
  for (uint64_t offset = 0; offset < memory.size(); offset += kMiB) {
    ASSERT_FALSE(Present(memory.base() + offset)) << offset;
  }
  ASSERT_TRUE(memory.Touch(0, 8 * kMiB, 24 * kGiB).ok());
  for (uint64_t offset = 0; offset < 8 * kMiB; offset += 4096) {
    ASSERT_TRUE(Present(memory.base() + offset)) << offset;
  }
  EXPECT_FALSE(Present(memory.base() + 32 * kMiB));
}

TEST(LentMemory, PagesAndWordsBeginAsZeros) {
  LentMemory memory = *LentMemory::Map(kMiB, 4096);
  ASSERT_TRUE(memory.Touch(0, kMiB, 24 * kGiB).ok());
  ASSERT_EQ(memory.words().size(), kMiB / 4096);
  for (const Word& word : memory.words()) ASSERT_EQ(word.load(), 0u);
  for (uint64_t i = 0; i < kMiB; ++i) ASSERT_EQ(memory.base()[i], std::byte{0});
}

TEST(LentMemory, TheLastPagesOfTheMachineAreLeftToOthers) {
  LentMemory memory = *LentMemory::Map(64 * kMiB, 4096);
  if (memory.huge()) GTEST_SKIP() << "this machine has a reserve of huge pages";
  const Status touched = memory.Touch(0, 64 * kMiB, 65 * kMiB);
  EXPECT_EQ(touched.code(), StatusCode::kResourceExhausted) << touched;
  EXPECT_FALSE(Present(memory.base()));
}

TEST(LentMemory, MoreThanTheKernelMapsIsRefused) {
  const Result<LentMemory> memory = LentMemory::Map(uint64_t{1} << 62, 4096);
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.status().code(), StatusCode::kResourceExhausted);
}

TEST(LentMemory, TheMachineSaysHowMuchThereIs) {
  EXPECT_GT(AvailableMemory(), kMiB);
  EXPECT_LT(AvailableMemory(), uint64_t{1} << 60);
}

// A real engine, and other processes as the test has them.
class SharingEngine final : public transfer::Engine {
 public:
  void OthersTouch(std::vector<transfer::Stretch> stretches) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    touched_ = std::move(stretches);
  }
  int asked() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return asked_;
  }
  const transfer::RegionOptions& registered() const { return registered_; }

  std::vector<transfer::Stretch> TouchedByOthers(transfer::RegionId) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    ++asked_;
    return touched_;
  }
  Result<transfer::RegionId> Register(void* base, uint64_t size,
                                      const transfer::RegionOptions& options) override {
    registered_ = options;
    return real_->Register(base, size, options);
  }

  Status Unregister(transfer::RegionId region) override { return real_->Unregister(region); }
  std::string Descriptor() const override { return real_->Descriptor(); }
  Incarnation incarnation() const override { return real_->incarnation(); }
  void Rename(Incarnation incarnation) override { real_->Rename(incarnation); }
  Result<transfer::PeerId> Open(std::string_view descriptor) override {
    return real_->Open(descriptor);
  }
  void Close(transfer::PeerId peer) override { real_->Close(peer); }
  std::unique_ptr<transfer::Batch> Submit(std::span<const transfer::Copy> copies,
                                          const transfer::CopyLimits& limits) override {
    return real_->Submit(copies, limits);
  }
  std::vector<transfer::Completion> Run(std::span<const transfer::Copy> copies,
                                        const transfer::CopyLimits& limits) override {
    return real_->Run(copies, limits);
  }
  Result<std::unique_ptr<transfer::Mapping>> Map(const transfer::MapRequest& request,
                                                 TimePoint deadline) override {
    return real_->Map(request, deadline);
  }
  transfer::WayCounters counters(transfer::Way way) const override { return real_->counters(way); }
  transfer::ServedCounters served() const override { return real_->served(); }

 private:
  const std::unique_ptr<transfer::Engine> real_ = *transfer::Engine::Create({});
  transfer::RegionOptions registered_;
  mutable Mutex mu_;
  std::vector<transfer::Stretch> touched_ GUARDED_BY(mu_);
  int asked_ GUARDED_BY(mu_) = 0;
};

// A host with an engine of its own.
class SegmentHostTest : public ::testing::Test {
 protected:
  void Lend(uint64_t bytes, std::function<uint64_t()> available = AvailableMemory) {
    host_ = *SegmentHost::Create(*engine_, bytes, std::move(available));
    host_->EnterTerm(1);
    host_->StartAcks();
  }

  LentSegment Segment() {
    const std::vector<LentSegment> segments = host_->Segments();
    EXPECT_EQ(segments.size(), 1u);
    return segments.front();
  }

  void Prepare(uint64_t limit) { host_->Execute({1, {PrepareOrder{Segment().index, limit}}}); }

  void Retire(uint64_t birth, Range range, uint64_t term = 1) {
    host_->Execute({term, {RetireOrder{kPut, Segment().index, birth, {range}}}});
  }

  // The next ack that says pages are there below `limit`, or that there is a problem.
  ReadyAck AwaitReady(uint64_t limit) {
    while (true) {
      while (!ready_.empty()) {
        const ReadyAck ack = ready_.front();
        ready_.pop_front();
        if (ack.limit >= limit || !ack.problem.empty()) return ack;
      }
      const Acks acks = *host_->NextAcks();
      ready_.insert(ready_.end(), acks.ready.begin(), acks.ready.end());
    }
  }

  bool Enter(uint64_t offset, uint64_t length, uint64_t birth) {
    return engine_->registered().guard->Enter(Access::kRead, offset, offset, length, birth);
  }
  void Leave(uint64_t offset, uint64_t length, uint64_t birth) {
    engine_->registered().guard->Leave(Access::kRead, offset, offset, length, birth);
  }

  const std::unique_ptr<SharingEngine> engine_ = std::make_unique<SharingEngine>();
  std::unique_ptr<SegmentHost> host_;
  std::deque<ReadyAck> ready_;  // taken, not looked at
};

TEST_F(SegmentHostTest, NothingLentIsNoSegment) {
  Lend(0);
  EXPECT_TRUE(host_->Segments().empty());
  host_->Empty();
}

TEST_F(SegmentHostTest, AnySizeIsRoundedUpToGranules) {
  Lend(1);
  EXPECT_EQ(Segment().size, 4096u);
  EXPECT_EQ(Segment().granule, 4096u);
  EXPECT_EQ(Segment().ready, 0u);
}

TEST_F(SegmentHostTest, PagesComeWhenTheMasterAsksForThem) {
  Lend(96 * kMiB);
  EXPECT_EQ(Segment().ready, 0u);
  Prepare(40 * kMiB);
  EXPECT_EQ(AwaitReady(40 * kMiB).limit, 40 * kMiB);
  EXPECT_EQ(Segment().ready, 40 * kMiB);
  Prepare(UINT64_MAX);
  EXPECT_EQ(AwaitReady(96 * kMiB).limit, 96 * kMiB);
}

TEST_F(SegmentHostTest, PagesThatAreThereAreConfirmedAgain) {
  Lend(8 * kMiB);
  Prepare(8 * kMiB);
  ASSERT_EQ(AwaitReady(8 * kMiB).limit, 8 * kMiB);
  Prepare(kMiB);
  EXPECT_EQ(AwaitReady(kMiB).limit, 8 * kMiB);
}

TEST_F(SegmentHostTest, PagesThatCannotBeHadAreAProblemAndEndTheSegment) {
  std::atomic<int> asked{0};
  Lend(128 * kMiB, [&asked] { return asked++ == 0 ? kGiB : kMiB; });
  Prepare(128 * kMiB);
  const ReadyAck first = AwaitReady(kMiB);
  EXPECT_TRUE(first.problem.empty());
  const ReadyAck second = AwaitReady(128 * kMiB);
  EXPECT_EQ(second.limit, first.limit);
  EXPECT_NE(second.problem.find("too few"), std::string::npos) << second.problem;
  EXPECT_EQ(Segment().size, first.limit);
  Prepare(128 * kMiB);
  EXPECT_FALSE(AwaitReady(128 * kMiB).problem.empty());
}

TEST_F(SegmentHostTest, ARetirementIsConfirmedTwiceWithTheCounterItMade) {
  Lend(kMiB);
  const uint64_t birth = host_->counter();
  Retire(birth, {0, 8192});
  const Acks acks = *host_->NextAcks();
  ASSERT_EQ(acks.retired.size(), 2u);
  EXPECT_EQ(acks.retired[0].stage, RetireStage::kWithdrawn);
  EXPECT_EQ(acks.retired[1].stage, RetireStage::kFree);
  EXPECT_GT(acks.counter, birth);
  EXPECT_FALSE(Enter(0, 4096, birth));
  EXPECT_TRUE(Enter(0, 4096, acks.counter));
  Leave(0, 4096, acks.counter);
}

TEST_F(SegmentHostTest, TheEndOfAnAccessMakesItsMemoryFreeAtOnce) {
  Lend(kMiB);
  const uint64_t birth = host_->counter();
  ASSERT_TRUE(Enter(0, 4096, birth));
  Retire(birth, {0, 4096});
  const Acks withdrawn = *host_->NextAcks();
  ASSERT_EQ(withdrawn.retired.size(), 1u);
  EXPECT_FALSE(engine_->registered().guard->Stands(0, birth));

  auto free = std::async(std::launch::async, [&] { return host_->NextAcks(); });
  Leave(0, 4096, birth);
  const std::optional<Acks> acks = free.get();
  ASSERT_TRUE(acks);
  ASSERT_EQ(acks->retired.size(), 1u);
  EXPECT_EQ(acks->retired[0].stage, RetireStage::kFree);
}

TEST_F(SegmentHostTest, AcksThatNobodyTookAreForgottenWithTheirStream) {
  Lend(kMiB);
  Retire(host_->counter(), {0, 4096});
  host_->StopAcks();
  EXPECT_FALSE(host_->NextAcks());
  host_->StartAcks();
  Retire(host_->counter(), {8192, 4096});
  EXPECT_EQ(host_->NextAcks()->retired.size(), 2u);
}

TEST_F(SegmentHostTest, AnOrderOfADeposedMasterIsNotExecuted) {
  Lend(kMiB);
  host_->EnterTerm(5);
  const uint64_t birth = host_->counter();
  Retire(birth, {0, 4096}, 4);
  EXPECT_TRUE(Enter(0, 4096, birth));
  Leave(0, 4096, birth);
}

TEST_F(SegmentHostTest, AnEmptiedNodeReportsWhatIsStillTouchedAndSaysWhenItIsFree) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  const uint64_t birth = host_->counter();
  ASSERT_TRUE(Enter(0, 4096, birth));
  host_->Empty();
  EXPECT_FALSE(Enter(8192, 4096, birth));
  const std::optional<ReignReport> report = host_->EnterReign(1);
  ASSERT_TRUE(report);
  EXPECT_GT(report->rest.counter, birth);
  ASSERT_EQ(report->rest.segments.size(), 1u);
  EXPECT_EQ(report->rest.segments[0].ready, kMiB);
  ASSERT_EQ(report->rest.held.size(), 1u);
  EXPECT_EQ(report->rest.held[0].ranges, std::vector<Range>{(Range{0, 4096})});
  Leave(0, 4096, birth);
  const Acks acks = *host_->NextAcks();
  ASSERT_EQ(acks.retired.size(), 1u);
  EXPECT_EQ(acks.retired[0].stage, RetireStage::kFree);
  EXPECT_EQ(acks.retired[0].put, (PutId{engine_->incarnation(), report->rest.held[0].sequence}));
}

TEST_F(SegmentHostTest, AcksOfAnEarlierTermAreNotToldInTheNext) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  Retire(host_->counter(), {0, 4096});
  ASSERT_TRUE(host_->EnterReign(2));
  Retire(host_->counter(), {4096, 4096}, 2);
  EXPECT_EQ(host_->NextAcks()->retired.size(), 2u);
}

TEST_F(SegmentHostTest, NotesAreKeptUntilTheirMemoryIsRetiredAndToldToTheNextMaster) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  NoteOrder note;
  note.put = kPut;
  note.segment = Segment().index;
  note.birth = host_->counter();
  note.ranges = {{0, 4096}};
  note.key = "key";
  host_->Execute({1, {note}});
  const Acks acks = *host_->NextAcks();
  ASSERT_EQ(acks.noted.size(), 1u);
  EXPECT_TRUE(acks.noted[0].kept);
  EXPECT_EQ(host_->notes(), 1u);
  EXPECT_EQ(host_->EnterReign(2)->notes.Take(2), std::vector<NoteOrder>{note});
  EXPECT_TRUE(Enter(0, 4096, note.birth));
  Leave(0, 4096, note.birth);
  Retire(note.birth, {0, 4096}, 2);
  EXPECT_EQ(host_->notes(), 0u);
}

// ---- other processes of this host ---------------------------------------------------------------

TEST_F(SegmentHostTest, TheMemoryIsSharedWithProcessesOfThisHost) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  const transfer::SharedMemory* const shared = engine_->registered().shared;
  ASSERT_NE(shared, nullptr);
  ASSERT_EQ(shared->size(), kMiB);
  Retire(host_->counter(), {4096, 8192});  // what the holder stores is in the words that they read
  EXPECT_EQ(shared->words()[0].load(), 0u);
  EXPECT_EQ(shared->words()[1].load(), host_->counter());
  EXPECT_EQ(shared->words()[2].load(), host_->counter());
}

TEST_F(SegmentHostTest, MemoryThatAnotherProcessTouchesIsFreeWhenItLeft) {
  Lend(kMiB);
  const uint64_t birth = host_->counter();
  engine_->OthersTouch({{4100, 1}});
  Retire(birth, {0, 8192});
  const Acks withdrawn = *host_->NextAcks();
  ASSERT_EQ(withdrawn.retired.size(), 1u);
  EXPECT_EQ(withdrawn.retired[0].stage, RetireStage::kWithdrawn);

  auto free = std::async(std::launch::async, [&] { return host_->NextAcks(); });
  engine_->OthersTouch({{8192, 4096}});
  engine_->registered().guard->OthersLeft();
  const std::optional<Acks> acks = free.get();
  ASSERT_TRUE(acks);
  ASSERT_EQ(acks->retired.size(), 1u);
  EXPECT_EQ(acks->retired[0].stage, RetireStage::kFree);
  EXPECT_EQ(host_->counters().free_delayed_by_outsiders, 1u);
}

TEST_F(SegmentHostTest, AnEmptiedNodeReportsWhatOtherProcessesTouch) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  engine_->OthersTouch({{0, 8192}, {4096, 8192}});
  host_->Empty();
  EXPECT_TRUE(host_->WaitServed(BootClock::now()));  // who leaves need not wait for them
  EXPECT_EQ(host_->touched().outside, 12'288u);
  const std::optional<ReignReport> report = host_->EnterReign(1);
  ASSERT_EQ(report->rest.held.size(), 1u);
  EXPECT_EQ(report->rest.held[0].ranges, std::vector<Range>{(Range{0, 12'288})});
  engine_->OthersTouch({});
  engine_->registered().guard->OthersLeft();
  EXPECT_EQ(host_->NextAcks()->retired.size(), 1u);
}

TEST_F(SegmentHostTest, AnAccessThatIsServedIsWaitedForByWhoLeaves) {
  Lend(kMiB);
  const uint64_t birth = host_->counter();
  ASSERT_TRUE(Enter(0, 4096, birth));
  EXPECT_FALSE(host_->WaitServed(BootClock::now()));
  EXPECT_EQ(host_->touched().inside, 4096u);
  auto served = std::async(std::launch::async, [&] {
    return host_->WaitServed(BootClock::now() + std::chrono::seconds(10));
  });
  Leave(0, 4096, birth);
  EXPECT_TRUE(served.get());
}

TEST_F(SegmentHostTest, AnAccessThatEndsAsksNobodyWhatOthersTouch) {
  Lend(kMiB);
  const uint64_t birth = host_->counter();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Enter(0, 4096, birth));
    Leave(0, 4096, birth);
  }
  EXPECT_EQ(engine_->asked(), 0);
}

// ---- limits -------------------------------------------------------------------------------------

TEST_F(SegmentHostTest, LendingAndEmptyingTouchNoMemoryThatWasNeverPrepared) {
  const long before = PagesOfThisProcess();
  Lend(4 * kGiB);  // whose words would be 8 MiB
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  EXPECT_LT(PagesOfThisProcess() - before, static_cast<long>(4 * kMiB / 4096));
  host_->Empty();
  EXPECT_LT(PagesOfThisProcess() - before, static_cast<long>(4 * kMiB / 4096));
}

TEST_F(SegmentHostTest, AStreamThatTakesNoAcksDoesNotFillTheMemory) {
  Lend(256 * kMiB);
  const uint64_t birth = host_->counter();
  const uint32_t index = Segment().index;
  constexpr size_t kOrders = 20 * SegmentHost::kMaxAcks;  // two acks each
  for (size_t i = 0; i < kOrders; ++i) {
    host_->Execute({1, {RetireOrder{kPut, index, birth, {{0, 4096}}}}});
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(host_->NextAcks()->retired.size(), SegmentHost::kMaxAcks);
  }
  Retire(birth, {0, 4096});  // as the master repeats what was left out
  EXPECT_EQ(host_->NextAcks()->retired.size(), 2u);
}

TEST_F(SegmentHostTest, ManyAcksAreCutIntoMessages) {
  Lend(256 * kMiB);
  Orders orders{1, {}};
  const uint64_t birth = host_->counter();
  for (uint64_t i = 0; i < SegmentHost::kMaxAcks; ++i) {
    orders.orders.push_back(RetireOrder{kPut, Segment().index, birth, {{i * 4096, 4096}}});
  }
  host_->Execute(orders);
  EXPECT_EQ(host_->NextAcks()->retired.size(), SegmentHost::kMaxAcks);
  EXPECT_EQ(host_->NextAcks()->retired.size(), SegmentHost::kMaxAcks);
}

TEST_F(SegmentHostTest, TheEngineReachesTheLentMemoryUnderItsGuard) {
  Lend(kMiB);
  Prepare(kMiB);
  ASSERT_EQ(AwaitReady(kMiB).limit, kMiB);
  const uint64_t birth = host_->counter();
  std::string out = "these bytes";
  transfer::Piece piece{out.data(), out.size()};
  transfer::Copy copy;
  copy.access = Access::kWrite;
  copy.peer = *engine_->Open(engine_->Descriptor());
  copy.region = Segment().index;
  copy.pieces = {&piece, 1};
  copy.guard = transfer::Guard{0, birth};
  const TimePoint until = BootClock::now() + std::chrono::seconds(30);
  EXPECT_TRUE(transfer::FirstError(engine_->Run({&copy, 1}, until)).ok());

  Retire(birth, {0, 4096});
  const Status late = transfer::FirstError(engine_->Run({&copy, 1}, until));
  EXPECT_EQ(late.code(), StatusCode::kAborted) << late;
  EXPECT_GE(host_->counters().entered, 1u);
}

}  // namespace
}  // namespace kvstore::client
