// What every way promises, whatever it is made of. A way joins with its name in kWays and, where
// two engines in one process are not what it needs, a few lines in SetUp.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/engine.h"
#include "transfer/lent_memory.h"
#include "transfer/listener.h"
#include "transfer/test_guard.h"
#ifdef KVSTORE_WITH_RDMA
#include "transfer/fake_verbs.h"
#endif

namespace kvstore::transfer {
namespace {

#ifdef KVSTORE_WITH_RDMA
constexpr Way kWays[] = {Way::kLocal, Way::kShm, Way::kTcp, Way::kRdma};
void SetUpVerbs() { FakeFabric::SetUp({{}}); }
const Verbs* FakeOnes() { return &FakeFabric::verbs(); }
#else
constexpr Way kWays[] = {Way::kLocal, Way::kShm, Way::kTcp};
void SetUpVerbs() {}
const Verbs* FakeOnes() { return nullptr; }
#endif

TimePoint In(Duration duration) { return BootClock::now() + duration; }
TimePoint Soon() { return In(std::chrono::seconds(20)); }

// Bytes that differ from place to place and from seed to seed.
Bytes Pattern(size_t size, uint64_t seed) {
  Bytes bytes(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<unsigned char>(state >> 56);
  }
  return bytes;
}

Piece PieceOf(Bytes& bytes) { return {bytes.data(), bytes.size()}; }

// One end that holds memory, one that copies, and the way between them.
class TransportContract : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.ways = {GetParam()};
    options.tcp_stall_timeout = std::chrono::seconds(5);
    if (GetParam() == Way::kRdma && !RealVerbs()) SetUpVerbs();
    if (RealVerbs()) options.rdma_devices = {"rxe0", "rxe1"};
    client_ = Make(options);
    if (GetParam() == Way::kLocal) {
      holder_ = client_.get();
    } else {
      other_ = Make(options);
      holder_ = other_.get();
    }
    peer_ = *client_->Open(holder_->Descriptor());
  }

  // In the step rdma of tests/run_tests, on a machine that has devices.
  static bool RealVerbs() { return std::getenv("KVSTORE_TEST_REAL_VERBS") != nullptr; }

  std::unique_ptr<Engine> Make(const EngineOptions& options) {
    TransferGuards guards;
    guards.at_step = [this](ShmStep step) { DriveGuard(step); };
    Result<std::unique_ptr<Engine>> engine =
        CreateEngine(options, guards, RealVerbs() ? nullptr : FakeOnes());
    EXPECT_TRUE(engine.ok()) << engine.status();
    return *std::move(engine);
  }

  // Where processes look for themselves nobody asks the guard; then the words say what it would
  // say, and the steps of a copy are its questions.
  void DriveGuard(ShmStep step) {
    TestGuard* const guard = driven_guard_;
    if (guard == nullptr) return;
    while (!guard->gate_open) std::this_thread::yield();
    if (step == ShmStep::kWordRead) ++guard->entered;
    if (step == ShmStep::kFirstSlice || step == ShmStep::kLastSlice) {
      ++guard->stands_asked;
      if (guard->retire_at_question != 0) driven_memory_.load()->Stamp(UINT64_MAX);
    }
  }

  // These live as long as the engines.
  TestGuard& NewGuard() { return guards_.emplace_back(); }
  LentMemory& Memory(const Bytes& bytes) { return memories_.emplace_back(GetParam(), bytes); }

  RegionId Lend(LentMemory& memory, TestGuard* guard = nullptr) {
    driven_memory_ = &memory;
    driven_guard_ = guard;
    if (guard != nullptr) memory.Stamp(guard->word);
    const Result<RegionId> id = holder_->Register(
        memory.data(), memory.size(), {.remote = true, .guard = guard, .shared = memory.shared()});
    EXPECT_TRUE(id.ok()) << id.status();
    EXPECT_EQ(*client_->Open(holder_->Descriptor()), peer_);  // it tells now where to ask
    return *id;
  }

  // No access is counted, here or in a ledger.
  void ExpectNobodyInside(const TestGuard& guard, RegionId region) {
    EXPECT_EQ(guard.inside, 0);
    EXPECT_TRUE(holder_->TouchedByOthers(region).empty());
  }

  Copy Make(Access access, RegionId region, uint64_t offset, std::span<const Piece> pieces) const {
    return {.access = access,
            .peer = peer_,
            .region = region,
            .offset = offset,
            .pieces = pieces,
            .guard = std::nullopt};
  }

  Completion Run(Access access, RegionId region, uint64_t offset, std::span<const Piece> pieces,
                 std::optional<Guard> guard = std::nullopt, TimePoint deadline = Soon()) {
    Copy copy = Make(access, region, offset, pieces);
    copy.guard = guard;
    return client_->Run(std::span(&copy, 1), deadline).at(0);
  }

  std::list<LentMemory> memories_;
  std::list<TestGuard> guards_;
  std::atomic<TestGuard*> driven_guard_ = nullptr;
  std::atomic<LentMemory*> driven_memory_ = nullptr;
  std::unique_ptr<Engine> client_;
  std::unique_ptr<Engine> other_;
  Engine* holder_ = nullptr;
  PeerId peer_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Ways, TransportContract, testing::ValuesIn(kWays),
                         [](const auto& way) { return std::string(WayName(way.param)); });

void ExpectDone(const Completion& completion, Way way) {
  EXPECT_EQ(completion.outcome, Outcome::kDone) << completion.status;
  EXPECT_TRUE(completion.status.ok()) << completion.status;
  EXPECT_EQ(completion.way, way);
}

void ExpectFailed(const Completion& completion, StatusCode code) {
  EXPECT_EQ(completion.outcome, Outcome::kFailed);
  EXPECT_EQ(completion.status.code(), code) << completion.status;
  EXPECT_FALSE(completion.status.message().empty());
}

TEST_P(TransportContract, BytesOfEverySizeArriveBothWays) {
  constexpr size_t kMargin = 64;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{8192}, size_t{8193},
        size_t{64} << 10, (size_t{1} << 20) + 1, size_t{33} << 20}) {
    SCOPED_TRACE(size);
    LentMemory& memory = Memory(Pattern(size + 2 * kMargin, 1));
    const Bytes before = memory.bytes();
    const RegionId region = Lend(memory);

    Bytes read(size, 0);
    const Piece to = PieceOf(read);
    ExpectDone(Run(Access::kRead, region, kMargin, std::span(&to, 1)), GetParam());
    EXPECT_TRUE(std::equal(read.begin(), read.end(), before.begin() + kMargin));

    Bytes written = Pattern(size, 2);
    const Piece from = PieceOf(written);
    ExpectDone(Run(Access::kWrite, region, kMargin, std::span(&from, 1)), GetParam());
    ASSERT_TRUE(holder_->Unregister(region).ok());
    Bytes expected = before;
    std::copy(written.begin(), written.end(), expected.begin() + kMargin);
    EXPECT_TRUE(memory.bytes() == expected) << "the bytes, or their neighbours, are wrong";
  }
}

TEST_P(TransportContract, ScatterListsOfManyPiecesKeepTheirOrder) {
  LentMemory& memory = Memory(Pattern(8 << 20, 3));
  const RegionId region = Lend(memory);
  std::vector<Bytes> parts;
  for (size_t i = 0; i < 500; ++i) parts.emplace_back(i % 7 == 0 ? 0 : 8192 + i, 0);
  std::vector<Piece> pieces;
  for (Bytes& part : parts) pieces.push_back(PieceOf(part));
  pieces.insert(pieces.begin() + 9, Piece{nullptr, 0});
  ExpectDone(Run(Access::kRead, region, 17, pieces), GetParam());
  Bytes joined;
  for (const Bytes& part : parts) joined.insert(joined.end(), part.begin(), part.end());
  EXPECT_TRUE(std::equal(joined.begin(), joined.end(), memory.begin() + 17));

  std::reverse(pieces.begin(), pieces.end());
  std::reverse(parts.begin(), parts.end());
  ExpectDone(Run(Access::kWrite, region, 1, pieces), GetParam());
  joined.clear();
  for (const Bytes& part : parts) joined.insert(joined.end(), part.begin(), part.end());
  ASSERT_TRUE(holder_->Unregister(region).ok());
  EXPECT_TRUE(std::equal(joined.begin(), joined.end(), memory.begin() + 1));
}

TEST_P(TransportContract, ATapHearsAllBytesOfACopyInOrder) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, (size_t{70} << 10) + 13,
                            (size_t{3} << 20) + 5, size_t{9} << 20}) {
    SCOPED_TRACE(size);
    LentMemory& memory = Memory(Pattern(size + 100, 5));
    const RegionId region = Lend(memory);
    Bytes read(size + 10, 0);
    const Piece to[] = {{&read[3], size / 3}, {nullptr, 0}, {&read[5 + size / 3], size - size / 3}};
    Listener listener;
    Copy copy = Make(Access::kRead, region, 9, to);
    copy.tap = &listener;
    ExpectDone(client_->Run(std::span(&copy, 1), Soon()).at(0), GetParam());
    EXPECT_TRUE(listener.heard() == Bytes(memory.begin() + 9, memory.begin() + 9 + size));
    EXPECT_TRUE(std::equal(memory.begin() + 9, memory.begin() + 9 + size / 3, read.begin() + 3));
    EXPECT_TRUE(std::equal(memory.begin() + 9 + size / 3, memory.begin() + 9 + size,
                           read.begin() + 5 + size / 3));

    Bytes written = Pattern(size + 10, 6);
    const Piece from[] = {{&written[7], size / 5}, {&written[7 + size / 5], size - size / 5}};
    Listener other;
    copy = Make(Access::kWrite, region, 31, from);
    copy.tap = &other;
    ExpectDone(client_->Run(std::span(&copy, 1), Soon()).at(0), GetParam());
    EXPECT_TRUE(other.heard() == Bytes(written.begin() + 7, written.begin() + 7 + size));
    ASSERT_TRUE(holder_->Unregister(region).ok());
    EXPECT_TRUE(std::equal(written.begin() + 7, written.begin() + 7 + size, memory.begin() + 31));
  }
}

TEST_P(TransportContract, TapsOfOneBatchHearEachItsOwnCopy) {
  constexpr size_t kCopies = 24;
  constexpr size_t kSize = (300 << 10) + 7;
  LentMemory& memory = Memory(Pattern(kCopies * kSize, 7));
  const RegionId region = Lend(memory);
  Bytes read(kCopies * kSize, 0);
  std::vector<Listener> listeners(kCopies);
  std::vector<Piece> pieces;
  std::vector<Copy> copies;
  for (size_t i = 0; i < kCopies; ++i) pieces.push_back({&read[i * kSize], kSize});
  for (size_t i = 0; i < kCopies; ++i) {
    copies.push_back(Make(Access::kRead, region, i * kSize, std::span(&pieces[i], 1)));
    copies.back().tap = &listeners[i];
  }
  for (const Completion& completion : client_->Run(copies, Soon())) {
    ExpectDone(completion, GetParam());
  }
  for (size_t i = 0; i < kCopies; ++i) {
    const auto begin = memory.begin() + static_cast<ptrdiff_t>(i * kSize);
    EXPECT_TRUE(listeners[i].heard() == Bytes(begin, begin + kSize)) << i;
  }
}

TEST_P(TransportContract, OnePieceMayBeNamedManyTimes) {
  LentMemory& memory = Memory(Bytes(10 << 20, 0));
  const RegionId region = Lend(memory);
  Bytes window = Pattern(1 << 20, 4);
  const std::vector<Piece> pieces(10, PieceOf(window));
  ExpectDone(Run(Access::kWrite, region, 0, pieces), GetParam());
  ASSERT_TRUE(holder_->Unregister(region).ok());
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(std::equal(window.begin(), window.end(), memory.begin() + (i << 20))) << i;
  }
}

TEST_P(TransportContract, CopiesOutsideTheRegionAreRefusedAndMoveNothing) {
  LentMemory& memory = Memory(Pattern(10000, 5));
  const Bytes before = memory.bytes();
  const uint64_t end = memory.size();
  const RegionId region = Lend(memory);
  Bytes buffer(5000, 7);
  const Piece piece = PieceOf(buffer);
  for (const Access access : {Access::kRead, Access::kWrite}) {
    for (const uint64_t offset :
         {end - 4999, end, end + 1, uint64_t{1} << 40, UINT64_MAX - 4999, UINT64_MAX}) {
      SCOPED_TRACE(offset);
      ExpectFailed(Run(access, region, offset, std::span(&piece, 1)), StatusCode::kInvalidArgument);
    }
  }
  ExpectDone(Run(Access::kRead, region, end, {}), GetParam());
  ExpectFailed(Run(Access::kRead, region, end + 1, {}), StatusCode::kInvalidArgument);
  ASSERT_TRUE(holder_->Unregister(region).ok());
  EXPECT_EQ(memory.bytes(), before);
  EXPECT_EQ(buffer, Bytes(5000, 7));
}

TEST_P(TransportContract, PiecesThatMakeNoSenseAreRefused) {
  LentMemory& memory = Memory(Bytes(4096));
  const RegionId region = Lend(memory);
  const Piece null{nullptr, 1};
  ExpectFailed(Run(Access::kRead, region, 0, std::span(&null, 1)), StatusCode::kInvalidArgument);
  const std::vector<Piece> endless(3, Piece{memory.data(), UINT64_MAX / 2});
  ExpectFailed(Run(Access::kWrite, region, 0, endless), StatusCode::kInvalidArgument);
}

TEST_P(TransportContract, UnknownRegionsAndPeersAreRefused) {
  LentMemory& memory = Memory(Bytes(4096));
  const RegionId region = Lend(memory);
  Bytes local(4096);
  const Result<RegionId> hidden = holder_->Register(local.data(), local.size(), {});
  ASSERT_TRUE(hidden.ok());
  Bytes buffer(16);
  const Piece piece = PieceOf(buffer);
  ExpectFailed(Run(Access::kRead, region + 100, 0, std::span(&piece, 1)), StatusCode::kNotFound);
  ExpectFailed(Run(Access::kWrite, *hidden, 0, std::span(&piece, 1)), StatusCode::kNotFound);
  Copy copy = Make(Access::kRead, region, 0, std::span(&piece, 1));
  copy.peer = peer_ + 100;
  ExpectFailed(client_->Run(std::span(&copy, 1), Soon()).at(0), StatusCode::kInvalidArgument);
}

TEST_P(TransportContract, GuardedMemoryIsNotReachedWithoutNamingAGuard) {
  TestGuard& guard = NewGuard();
  LentMemory& memory = Memory(Bytes(4096));
  const RegionId region = Lend(memory, &guard);
  Bytes buffer(16);
  const Piece piece = PieceOf(buffer);
  ExpectFailed(Run(Access::kRead, region, 0, std::span(&piece, 1)), StatusCode::kInvalidArgument);
  EXPECT_EQ(guard.entered, 0u);
}

TEST_P(TransportContract, RetiredMemoryIsRefusedBeforeAnyByteMoves) {
  TestGuard& guard = NewGuard();
  guard.word = 5;
  for (const size_t size : {size_t{0}, size_t{100}, size_t{3} << 20}) {
    SCOPED_TRACE(size);
    LentMemory& memory = Memory(Bytes(4 << 20, 1));
    const RegionId region = Lend(memory, &guard);
    Bytes buffer(size, 2);
    const Piece piece = PieceOf(buffer);
    for (const Access access : {Access::kRead, Access::kWrite}) {
      ExpectFailed(Run(access, region, 0, std::span(&piece, 1), Guard{.first = 0, .birth = 4}),
                   StatusCode::kAborted);
    }
    ASSERT_TRUE(holder_->Unregister(region).ok());
    EXPECT_EQ(memory.bytes(), Bytes(4 << 20, 1));
    EXPECT_EQ(buffer, Bytes(size, 2));
  }
  EXPECT_EQ(guard.entered, 0u);
}

TEST_P(TransportContract, AReadOfMemoryThatRetiresBeforeItsLastByteIsAborted) {
  for (const size_t size : {size_t{0}, size_t{100}, size_t{64} << 10, size_t{9} << 20}) {
    SCOPED_TRACE(size);
    TestGuard& guard = NewGuard();
    guard.retire_at_question = 1;
    LentMemory& memory = Memory(Bytes(10 << 20, 1));
    const RegionId region = Lend(memory, &guard);
    Bytes buffer(size);
    const Piece piece = PieceOf(buffer);
    ExpectFailed(Run(Access::kRead, region, 0, std::span(&piece, 1), Guard{.first = 0, .birth = 4}),
                 StatusCode::kAborted);
    EXPECT_GT(guard.stands_asked, 0u);
    ExpectNobodyInside(guard, region);
    ASSERT_TRUE(holder_->Unregister(region).ok());
  }
}

TEST_P(TransportContract, ALongWriteIntoMemoryThatRetiresEndsAborted) {
  TestGuard& guard = NewGuard();
  guard.retire_at_question = 3;
  LentMemory& memory = Memory(Bytes(64 << 20, 1));
  const RegionId region = Lend(memory, &guard);
  Bytes buffer(64 << 20, 2);
  const Piece piece = PieceOf(buffer);
  ExpectFailed(Run(Access::kWrite, region, 0, std::span(&piece, 1), Guard{.first = 0, .birth = 4}),
               StatusCode::kAborted);
  ExpectNobodyInside(guard, region);
  EXPECT_EQ(memory.bytes().back(), 1) << "the write went on to the end";
}

TEST_P(TransportContract, EveryAccessThatEnteredHasLeftWhenTheCopyIsFinal) {
  TestGuard& guard = NewGuard();
  LentMemory& memory = Memory(Bytes(5 << 20, 1));
  const RegionId region = Lend(memory, &guard);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{8193}, size_t{5} << 20}) {
    Bytes buffer(size);
    const Piece piece = PieceOf(buffer);
    const Guard named{.first = 0, .birth = 4};
    ExpectDone(Run(Access::kWrite, region, 0, std::span(&piece, 1), named), GetParam());
    ExpectNobodyInside(guard, region);
    ExpectDone(Run(Access::kRead, region, 0, std::span(&piece, 1), named), GetParam());
    ASSERT_GT(guard.entered, 0u);
  }
  ASSERT_TRUE(holder_->Unregister(region).ok());
  ExpectNobodyInside(guard, region);
}

TEST_P(TransportContract, ABatchOfThousandsOfSmallCopiesMovesEachToItsPlace) {
  constexpr size_t kCount = 5000;
  constexpr size_t kSize = 700;
  LentMemory& memory = Memory(Bytes(kCount * kSize, 0));
  const RegionId region = Lend(memory);
  Bytes source = Pattern(kCount * kSize, 6);
  std::vector<Piece> pieces;
  std::vector<Copy> copies;
  for (size_t i = 0; i < kCount; ++i) pieces.push_back({source.data() + i * kSize, kSize});
  for (size_t i = 0; i < kCount; ++i) {
    copies.push_back(Make(Access::kWrite, region, i * kSize, std::span(&pieces[i], 1)));
  }
  std::unique_ptr<Batch> batch = client_->Submit(copies, Soon());
  ASSERT_TRUE(batch->Wait(Soon()));
  EXPECT_TRUE(FirstError(batch->completions()).ok()) << FirstError(batch->completions());
  Bytes back(kCount * kSize, 0);
  copies.clear();
  for (size_t i = 0; i < kCount; ++i) pieces[i] = {back.data() + i * kSize, kSize};
  for (size_t i = 0; i < kCount; ++i) {
    copies.push_back(Make(Access::kRead, region, i * kSize, std::span(&pieces[i], 1)));
  }
  const std::vector<Completion> read = client_->Run(copies, Soon());
  EXPECT_TRUE(FirstError(read).ok()) << FirstError(read);
  EXPECT_TRUE(back == source);
}

// For whoever looks next, without a further copy that would wait its turn.
TEST_P(TransportContract, AMillionWritesAreInPlaceWhenTheyAreCalledDone) {
  constexpr size_t kWrites = 1'000'000;
  constexpr size_t kAtOnce = 4000;
  constexpr size_t kSize = 64;
  LentMemory& memory = Memory(Bytes(kAtOnce * kSize, 0));
  const RegionId region = Lend(memory);
  Bytes source(kAtOnce * kSize);
  std::vector<Piece> pieces;
  std::vector<Copy> copies;
  for (size_t i = 0; i < kAtOnce; ++i) pieces.push_back({source.data() + i * kSize, kSize});
  for (size_t i = 0; i < kAtOnce; ++i) {
    copies.push_back(Make(Access::kWrite, region, i * kSize, std::span(&pieces[i], 1)));
  }
  for (uint64_t round = 0; round < kWrites / kAtOnce; ++round) {
    std::ranges::copy(Pattern(source.size(), round), source.begin());
    const std::vector<Completion> written = client_->Run(copies, Soon());
    ASSERT_TRUE(std::equal(source.begin(), source.end(), memory.data())) << "round " << round;
    ASSERT_TRUE(FirstError(written).ok()) << FirstError(written);
  }
}

TEST_P(TransportContract, ReadsAndWritesMixInOneBatchAndBadCopiesFailAlone) {
  LentMemory& memory = Memory(Pattern(24 << 20, 7));
  const Bytes before = memory.bytes();
  const RegionId region = Lend(memory);
  Bytes written = Pattern(8 << 20, 8);
  Bytes read(8 << 20, 0);
  const Piece from = PieceOf(written);
  const Piece to = PieceOf(read);
  const std::vector<Copy> copies = {
      Make(Access::kWrite, region, 0, std::span(&from, 1)),
      // Ends beyond the region; so early that no frame of it fits: it may have moved bytes
      // otherwise.
      Make(Access::kWrite, region, (23 << 20) + 1, std::span(&from, 1)),
      Make(Access::kRead, region, 8 << 20, std::span(&to, 1)),
      Make(Access::kRead, region + 1, 0, std::span(&to, 0)),
      Make(Access::kWrite, region, 16 << 20, std::span(&from, 1)),
  };
  const std::vector<Completion> ends = client_->Run(copies, Soon());
  ASSERT_EQ(ends.size(), copies.size());
  ExpectDone(ends[0], GetParam());
  ExpectFailed(ends[1], StatusCode::kInvalidArgument);
  ExpectDone(ends[2], GetParam());
  ExpectFailed(ends[3], StatusCode::kNotFound);
  ExpectDone(ends[4], GetParam());
  EXPECT_TRUE(std::equal(read.begin(), read.end(), before.begin() + (8 << 20)));
  EXPECT_TRUE(std::equal(written.begin(), written.end(), memory.begin() + (16 << 20)));
}

TEST_P(TransportContract, AnEmptyBatchIsFinalAtOnce) {
  const std::unique_ptr<Batch> batch = client_->Submit({}, Soon());
  EXPECT_TRUE(batch->Wait(BootClock::now()));
  EXPECT_TRUE(batch->completions().empty());
}

TEST_P(TransportContract, AfterItsDeadlineABatchMovesNothing) {
  LentMemory& memory = Memory(Bytes(1 << 20, 1));
  const RegionId region = Lend(memory);
  Bytes buffer(1 << 20, 2);
  const Piece piece = PieceOf(buffer);
  ExpectFailed(Run(Access::kWrite, region, 0, std::span(&piece, 1), std::nullopt, BootClock::now()),
               StatusCode::kDeadlineExceeded);
  EXPECT_EQ(memory.bytes(), Bytes(1 << 20, 1));
}

TEST_P(TransportContract, ACancelledBatchBecomesFinalAndThenTouchesNothing) {
  constexpr size_t kCopies = 8;
  constexpr size_t kSize = 4 << 20;
  TestGuard& guard = NewGuard();
  guard.gate_open = false;
  LentMemory& memory = Memory(Bytes(kCopies * kSize, 1));
  const RegionId region = Lend(memory, &guard);
  Bytes buffer(kSize, 2);
  const Piece piece = PieceOf(buffer);
  std::vector<Copy> copies;
  for (size_t i = 0; i < kCopies; ++i) {
    copies.push_back(Make(Access::kWrite, region, i * kSize, std::span(&piece, 1)));
    copies.back().guard = Guard{};
  }
  const std::unique_ptr<Batch> batch = client_->Submit(copies, Soon());
  batch->Cancel();
  guard.gate_open = true;
  ASSERT_TRUE(batch->Wait(Soon()));
  for (const Completion& end : batch->completions()) ExpectFailed(end, StatusCode::kCancelled);
  // Final: what is put there now stays.
  std::fill(memory.begin(), memory.end(), 3);
  ASSERT_TRUE(holder_->Unregister(region).ok());
  EXPECT_EQ(std::count(memory.begin(), memory.end(), 3), static_cast<ptrdiff_t>(memory.size()));
}

TEST_P(TransportContract, DestroyingABatchWaitsUntilItIsFinal) {
  LentMemory& memory = Memory(Bytes(64 << 20, 1));
  TestGuard& guard = NewGuard();
  const RegionId region = Lend(memory, &guard);
  {
    Bytes buffer(64 << 20, 2);
    const Piece piece = PieceOf(buffer);
    std::vector<Copy> copies(8, Make(Access::kRead, region, 0, std::span(&piece, 1)));
    for (Copy& copy : copies) copy.guard = Guard{};
    client_->Submit(copies, Soon()).reset();
  }  // the buffer goes: a copy that still ran would write into freed memory
  ASSERT_TRUE(holder_->Unregister(region).ok());
  ExpectNobodyInside(guard, region);
}

TEST_P(TransportContract, UnregisterReturnsOnlyWhenNoCopyTouchesTheRegion) {
  constexpr size_t kCopies = 4;
  constexpr size_t kSize = 4 << 20;
  for (int round = 0; round < 5; ++round) {
    LentMemory& memory = Memory(Bytes(kCopies * kSize, 1));
    const RegionId region = Lend(memory);
    Bytes buffer(kSize, 2);
    const Piece piece = PieceOf(buffer);
    std::vector<Copy> copies;
    for (size_t i = 0; i < kCopies; ++i) {
      copies.push_back(Make(Access::kWrite, region, i * kSize, std::span(&piece, 1)));
    }
    const std::unique_ptr<Batch> batch = client_->Submit(copies, Soon());
    ASSERT_TRUE(holder_->Unregister(region).ok());
    std::fill(memory.begin(), memory.end(), 3);
    ASSERT_TRUE(batch->Wait(Soon()));
    EXPECT_EQ(std::count(memory.begin(), memory.end(), 3), static_cast<ptrdiff_t>(memory.size()));
    ExpectFailed(Run(Access::kRead, region, 0, std::span(&piece, 1)), StatusCode::kNotFound);
  }
}

TEST_P(TransportContract, ManyThreadsCopyAtOnceAndEachGetsItsOwnBytes) {
  constexpr size_t kThreads = 8;
  constexpr size_t kShare = 2 << 20;
  LentMemory& memory = Memory(Bytes(kThreads * kShare, 0));
  const RegionId region = Lend(memory);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 12; ++round) {
        const size_t size = round % 3 == 0 ? kShare : 500 + 777 * t;
        Bytes written = Pattern(size, 100 * t + round);
        Bytes read(size, 0);
        const Piece from = PieceOf(written);
        const Piece to = PieceOf(read);
        ExpectDone(Run(Access::kWrite, region, t * kShare, std::span(&from, 1)), GetParam());
        ExpectDone(Run(Access::kRead, region, t * kShare, std::span(&to, 1)), GetParam());
        EXPECT_TRUE(read == written);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(TransportContract, CountersTellWhatWentWhichWay) {
  LentMemory& memory = Memory(Bytes(4096));
  const RegionId region = Lend(memory);
  Bytes buffer(1000);
  const Piece piece = PieceOf(buffer);
  Run(Access::kRead, region, 0, std::span(&piece, 1));
  Run(Access::kWrite, region, 0, std::span(&piece, 1));
  Run(Access::kWrite, region, 4000, std::span(&piece, 1));
  const WayCounters counters = client_->counters(GetParam());
  EXPECT_EQ(counters.copies_done, 2u);
  EXPECT_EQ(counters.copies_failed, 1u);
  EXPECT_EQ(counters.copies_in_doubt, 0u);
  EXPECT_EQ(counters.bytes_read, 1000u);
  EXPECT_EQ(counters.bytes_written, 1000u);
  EXPECT_GT(counters.time, Duration::zero());
}

TEST_P(TransportContract, AClosedPeerIsUnknownAndItsCopiesEnd) {
  LentMemory& memory = Memory(Bytes(64 << 20, 1));
  const RegionId region = Lend(memory);
  Bytes buffer(64 << 20, 2);
  const Piece piece = PieceOf(buffer);
  const std::vector<Copy> copies(8, Make(Access::kRead, region, 0, std::span(&piece, 1)));
  const std::unique_ptr<Batch> batch = client_->Submit(copies, Soon());
  client_->Close(peer_);
  ASSERT_TRUE(batch->Wait(Soon()));
  ExpectFailed(Run(Access::kRead, region, 0, std::span(&piece, 1)), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvstore::transfer
