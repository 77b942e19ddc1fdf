// One read over a pool of lanes that only keep count: when it takes the short way, and what becomes
// of it where its lane breaks.

#include "transfer/lane_pool.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "transfer/batch.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kSize = 8;

// What the lanes of a test did, and what they do.
struct Log {
  int opened = 0;
  int carried = 0;  // jobs
  int read = 0;     // alone
  std::function<Status(Patience&, std::optional<Completion>*)> on_read =
      [](Patience&, std::optional<Completion>* done) {
        *done = Completion{.outcome = Outcome::kDone, .status = {}, .way = Way::kRdma};
        return Status::Ok();
      };
};

class CountingLane final : public Lane {
 public:
  explicit CountingLane(Log* log) : log_(*log) {}

  Way way() const override { return Way::kRdma; }
  uint64_t id() const override { return 1; }
  bool IsSpent() const override { return false; }
  bool WasAnswered() const override { return true; }
  Status Carry(Job& job, Patience&, std::vector<Stranded>*) override {
    ++log_.carried;
    while (const std::optional<Slice> slice = job.Next()) {
      job.Finish(*slice, Outcome::kDone, Status::Ok());
    }
    return Status::Ok();
  }
  Status ReadOne(const Copy&, uint64_t size, TimePoint, Patience& patience,
                 std::optional<Completion>* done) override {
    EXPECT_EQ(size, kSize);
    ++log_.read;
    return log_.on_read(patience, done);
  }

 private:
  Log& log_;
};

class Maker final : public LaneMaker {
 public:
  explicit Maker(Log* log) : log_(*log) {}

  Result<std::unique_ptr<Lane>> Open(const PeerDescriptor&, Patience&) override {
    ++log_.opened;
    return std::unique_ptr<Lane>(std::make_unique<CountingLane>(&log_));
  }
  Status Cut(const PeerDescriptor&, uint64_t, Patience&) override { return Status::Ok(); }

 private:
  Log& log_;
};

class LanePoolReadTest : public testing::Test {
 protected:
  ~LanePoolReadTest() override { pool_.Close(); }

  static CopyLimits Soon() { return {BootClock::now() + std::chrono::seconds(60)}; }
  // As part of a batch.
  void CarryJob() {
    const auto batch =
        std::make_shared<BatchState>(std::span(&copy_, 1), Soon(), std::make_shared<WayTotals>());
    batch->SetSize(0, kSize);
    Job job({.target = {}, .batch = batch, .copies = {0}}, Way::kRdma);
    pool_.Carry(job);
    EXPECT_EQ(FirstError(batch->completions()), Status::Ok());
  }
  // Begun before any job, so that none is due however slow the machine is.
  std::optional<Completion> ReadOne(const CopyLimits& limits = Soon()) {
    return pool_.ReadOne(copy_, kSize, limits, begun_);
  }

  const TimePoint begun_ = BootClock::now();
  Log log_;
  Maker maker_{&log_};
  LanePool pool_{std::make_shared<const PeerDescriptor>(), maker_, {}};
  uint64_t bytes_ = 0;
  Piece piece_{&bytes_, kSize};
  Copy copy_{.access = Access::kRead, .pieces = {&piece_, 1}, .guard = {}};
};

TEST_F(LanePoolReadTest, TakesALaneThatIsIdleAndGivesItBack) {
  CarryJob();
  for (int i = 1; i <= 3; ++i) {
    const std::optional<Completion> done = ReadOne();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->outcome, Outcome::kDone);
    EXPECT_EQ(log_.read, i);
  }
  CarryJob();
  EXPECT_EQ(log_.carried, 2);
  EXPECT_EQ(log_.opened, 1);
}

TEST_F(LanePoolReadTest, OpensNoLane) {
  EXPECT_FALSE(ReadOne());
  pool_.Offer(std::make_unique<CountingLane>(&log_));
  EXPECT_FALSE(ReadOne());  // no job has found out yet that the way leads there
  CarryJob();
  pool_.DropIdle(TimePoint::max());
  EXPECT_FALSE(ReadOne());
  EXPECT_EQ(log_.read, 0);
}

TEST_F(LanePoolReadTest, LeavesOneNowAndThenToAJob) {
  CarryJob();
  EXPECT_TRUE(ReadOne());
  const TimePoint later = BootClock::now() + std::chrono::milliseconds(100);
  EXPECT_FALSE(pool_.ReadOne(copy_, kSize, Soon(), later));
  CarryJob();
  EXPECT_TRUE(ReadOne());
  EXPECT_EQ(log_.read, 2);
}

TEST_F(LanePoolReadTest, ThatComesTooLateUsesNoLane) {
  CarryJob();
  EXPECT_FALSE(ReadOne(CopyLimits(begun_)));
  EXPECT_EQ(log_.read, 0);
}

TEST_F(LanePoolReadTest, IsLeftToAJobWhereItsLaneDeclines) {
  CarryJob();
  log_.on_read = [](Patience&, std::optional<Completion>*) { return Status::Ok(); };
  EXPECT_FALSE(ReadOne());
  EXPECT_EQ(log_.read, 1);
  CarryJob();
  EXPECT_EQ(log_.opened, 1);
}

TEST_F(LanePoolReadTest, IsLeftToAJobWhereItsLaneBreaks) {
  CarryJob();
  log_.on_read = [](Patience&, std::optional<Completion>*) { return UnavailableError("broken"); };
  EXPECT_FALSE(ReadOne());
  EXPECT_EQ(log_.read, 1);
  EXPECT_FALSE(ReadOne());  // the lane is gone
  EXPECT_EQ(log_.read, 1);
  CarryJob();
  EXPECT_EQ(log_.opened, 2);
}

TEST_F(LanePoolReadTest, FailsWhereItsTimeEndsWithItsLane) {
  CarryJob();
  log_.on_read = [](Patience& patience, std::optional<Completion>*) {
    Status ended;
    while (ended.ok()) ended = patience.Ended();
    return ended;
  };
  CopyLimits limits = Soon();
  limits.stall = std::chrono::milliseconds(20);
  const std::optional<Completion> silent = ReadOne(limits);
  ASSERT_TRUE(silent);
  EXPECT_EQ(silent->outcome, Outcome::kFailed);
  EXPECT_EQ(silent->status.code(), StatusCode::kUnavailable);
  CarryJob();
  const std::optional<Completion> late =
      ReadOne(CopyLimits(BootClock::now() + std::chrono::milliseconds(20)));
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(LanePoolReadTest, IsInDoubtWhereItsLaneSaysSo) {
  CarryJob();
  log_.on_read = [](Patience&, std::optional<Completion>* done) {
    const Status why = UnavailableError("not closed");
    *done =
        Completion{.outcome = Outcome::kInDoubt, .status = MayStillCome(why), .way = Way::kRdma};
    return why;
  };
  const std::optional<Completion> doubt = ReadOne();
  ASSERT_TRUE(doubt);
  EXPECT_EQ(doubt->outcome, Outcome::kInDoubt);
}

TEST_F(LanePoolReadTest, OfAPeerThatWasClosedIsNotBegun) {
  CarryJob();
  pool_.Close();
  EXPECT_FALSE(ReadOne());
  EXPECT_EQ(log_.read, 0);
}

}  // namespace
}  // namespace kvstore::transfer
