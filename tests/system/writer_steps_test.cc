// Writers that are killed, stopped, or simply slow at every step of a put, while others write over
// the pool.

#include <gtest/gtest.h>

#include <string>

#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

// The steps of a put's copy, see told_client_main.cc.
const std::vector<std::string> kStepsOfACopy = {"begin", "half", "sum"};
// While these last, the writer may be writing.
bool IsWriting(const std::string& step) { return step != "sum"; }

class WriterSteps : public OneHost {
 protected:
  using OneHost::OneHost;
};

class SlowWriterSteps : public WriterSteps {
 protected:
  SlowWriterSteps() : WriterSteps(kShortGrants) {}
};

TEST_F(WriterSteps, KilledBeforeItPutsAnything) {
  ToldClient writer(master_, "told");
  writer.Kill();
  WriteOverThePool();
  ExpectWholePool();
}

TEST_F(WriterSteps, KilledInTheMidstOfAPut) {
  for (const std::string& step : kStepsOfACopy) {
    SCOPED_TRACE(step);
    ToldClient writer(master_, "told");
    ASSERT_EQ(writer.Do(Put("old", 1)), "ok");
    writer.AwaitStop(writer.Begin(Put("told", 2, step)), step);
    EXPECT_FALSE(HasRoomFor(kPoolBytes, std::chrono::milliseconds(200))) << "the put's own memory";
    writer.Kill();
    EXPECT_TRUE(Read("told").starts_with("not_found"));
    WriteOverThePool();
    ExpectWholePool();
  }
}

TEST_F(WriterSteps, KilledAfterTheCommit) {
  ToldClient writer(master_, "told");
  ASSERT_EQ(writer.Do(Put("told", 3)), "ok");
  EXPECT_EQ(writer.Counter("shm_written"), kBytes);
  EXPECT_EQ(writer.Counter("tcp"), 0u);
  writer.Kill();
  EXPECT_EQ(Read("told"), "version 3");
  WriteOverThePool();
  ExpectWholePool();
}

// Its grant is taken from it by suspicion. Where it was copying, its memory waits for it alone. It
// begins its put again.
TEST_F(WriterSteps, StoppedInTheMidstOfAPutAndContinued) {
  for (const std::string& step : kStepsOfACopy) {
    SCOPED_TRACE(step);
    ToldClient writer(master_, "told");
    const int put = writer.Begin(Put("told", 4, step));
    writer.AwaitStop(put, step);
    writer.Stop();
    WriteOverThePool();
    AwaitKeyFree("told");
    if (IsWriting(step)) {
      ExpectAllButOneObject();
    } else {
      ExpectWholePool();
    }
    WriteOverThePool();
    writer.Continue();
    writer.GoOn();
    EXPECT_EQ(writer.Result(put), "ok") << writer.process().output();
    EXPECT_EQ(Read("told"), "version 4");
    EXPECT_EQ(writer_->Remove("told"), Status::Ok());
    WriteOverThePool();
    ExpectWholePool();
    EXPECT_EQ(writer.Do(Put("told", 5)), "ok");
    EXPECT_EQ(Read("told"), "version 5");
    EXPECT_EQ(writer.End(), 0);
  }
}

TEST_F(WriterSteps, StoppedInTheMidstOfAPutAndKilled) {
  for (const std::string step : {"half", "sum"}) {
    SCOPED_TRACE(step);
    ToldClient writer(master_, "told");
    writer.AwaitStop(writer.Begin(Put("told", 6, step)), step);
    writer.Stop();
    AwaitKeyFree("told");
    if (IsWriting(step)) ExpectAllButOneObject();
    writer.Kill();
    EXPECT_TRUE(Read("told").starts_with("not_found"));
    WriteOverThePool();
    ExpectWholePool();
  }
}

// It lives and says so, but its grant runs out. It begins its put again.
TEST_F(SlowWriterSteps, SlowerThanItsGrant) {
  for (const std::string step : {"half", "sum"}) {
    SCOPED_TRACE(step);
    ToldClient writer(master_, "told");
    const int put = writer.Begin(Put("told", 7, step));
    writer.AwaitStop(put, step);
    AwaitKeyFree("told");
    if (IsWriting(step)) {
      ExpectAllButOneObject();
    } else {
      ExpectWholePool();
    }
    WriteOverThePool();
    writer.GoOn();
    EXPECT_EQ(writer.Result(put), "ok") << writer.process().output();
    EXPECT_EQ(Read("told"), "version 7");
    EXPECT_EQ(writer_->Remove("told"), Status::Ok());
    WriteOverThePool();
    ExpectWholePool();
  }
}

// A put that replaces: the older object stays until the commit, whatever becomes of the writer.
TEST_F(WriterSteps, KilledWhileItReplaces) {
  ToldClient first(master_, "first");
  ASSERT_EQ(first.Do(Put("told", 8)), "ok");
  for (const std::string& step : kStepsOfACopy) {
    SCOPED_TRACE(step);
    ToldClient writer(master_, "told");
    writer.AwaitStop(writer.Begin(Put("told", 9, step)), step);
    EXPECT_EQ(Read("told"), "version 8");
    writer.Kill();
    EXPECT_EQ(Read("told"), "version 8");
  }
  ToldClient writer(master_, "told");
  EXPECT_EQ(writer.Do(Put("told", 10)), "ok");
  EXPECT_EQ(Read("told"), "version 10");
  WriteOverThePool();
  ExpectWholePool();
}

// One that waits for room when it is killed gets none, and is in nobody's way.
TEST_F(WriterSteps, KilledWhileItWaitsForRoom) {
  ToldClient holder(master_, "holder");
  const int put = holder.Begin(Put("held", 11, "half"));
  holder.AwaitStop(put, "half");
  ToldClient waiting(master_, "waiting");
  const std::string put_all = "put all 12 " + std::to_string(kPoolBytes / kCellBytes) + " - 20000";
  int waits = waiting.Begin(put_all);
  const TimePoint until = BootClock::now() + seconds(20);
  // Its key is taken as soon as it waits, unless this put took it first.
  Status taken = Status::Ok();
  while (taken.ok() && BootClock::now() < until) {
    taken = writer_->Put("all", ToldValue("all", 13, 1024), {.replace = true});
    if (waiting.HasAnswered(waits)) waits = waiting.Begin(put_all);
  }
  ASSERT_EQ(taken.code(), StatusCode::kAlreadyExists) << taken << waiting.process().output();
  waiting.Kill();
  holder.GoOn();
  EXPECT_EQ(holder.Result(put), "ok");
  WriteOverThePool();
  ExpectWholePool();
  EXPECT_TRUE(Read("all").starts_with("not_found"));
}

}  // namespace
}  // namespace kvstore::cluster
