// Makers of objects in place that are killed, stopped, or simply slow at every step, while others
// write over the pool.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

// How far an object has come: its memory is mapped, half of it or all of it is filled, or Seal has
// begun and is about to take the checksum.
enum class Step { kCreated, kHalf, kFilled, kSealing };
constexpr Step kSteps[] = {Step::kCreated, Step::kHalf, Step::kFilled, Step::kSealing};

class CreatorSteps : public OneHost {
 protected:
  using OneHost::OneHost;

  static std::string Fill(int version, size_t first, size_t cells) {
    return "fill told " + std::to_string(version) + " " + std::to_string(first) + " " +
           std::to_string(cells);
  }

  // Brings the object "told" so far. The number of the step that has stopped, if one has.
  static int Bring(ToldClient& creator, Step step, int version) {
    EXPECT_EQ(creator.Do("create told " + std::to_string(kCells)), "ok");
    if (step >= Step::kHalf) {
      EXPECT_EQ(creator.Do(Fill(version, 0, kCells / 2)), "ok");
    }
    if (step >= Step::kFilled) {
      EXPECT_EQ(creator.Do(Fill(version, kCells / 2, kCells / 2)), "ok");
    }
    if (step < Step::kSealing) return 0;
    const int seal = creator.Begin("seal told sum");
    creator.AwaitStop(seal, "sum");
    return seal;
  }

  // Lets it fill the rest, or all again, and seal; what Seal says.
  static std::string Finish(ToldClient& creator, Step step, int version, int stopped) {
    if (step < Step::kSealing) {
      EXPECT_EQ(creator.Do(Fill(version, 0, kCells)), "ok");
      return creator.Do("seal told -");
    }
    creator.GoOn();
    return creator.Result(stopped);
  }
};

TEST_F(CreatorSteps, SealedAndKilled) {
  ToldClient creator(master_, "told");
  for (const Step step : kSteps) {
    SCOPED_TRACE(static_cast<int>(step));
    const int version = 1 + static_cast<int>(step);
    const int stopped = Bring(creator, step, version);
    EXPECT_EQ(Finish(creator, step, version, stopped), "ok");
    EXPECT_EQ(Read("told"), "version " + std::to_string(version));
  }
  EXPECT_EQ(creator.Counter("shm_mappings"), std::size(kSteps));
  creator.Kill();
  EXPECT_EQ(Read("told"), "version 4");
  WriteOverThePool();
  ExpectWholePool();
}

TEST_F(CreatorSteps, GivenUp) {
  ToldClient creator(master_, "told");
  for (const Step step : {Step::kCreated, Step::kHalf, Step::kFilled}) {
    SCOPED_TRACE(static_cast<int>(step));
    Bring(creator, step, 5);
    EXPECT_EQ(creator.Do("drop told"), "ok");
    EXPECT_TRUE(Read("told").starts_with("not_found"));
    ExpectWholePool();
  }
  WriteOverThePool();
}

TEST_F(CreatorSteps, Killed) {
  for (const Step step : kSteps) {
    SCOPED_TRACE(static_cast<int>(step));
    ToldClient creator(master_, "told");
    Bring(creator, step, 6);
    creator.Kill();
    EXPECT_TRUE(Read("told").starts_with("not_found"));
    WriteOverThePool();
    ExpectWholePool();
  }
}

// The object is taken from it, its memory is not while it may write there.
TEST_F(CreatorSteps, StoppedAndContinued) {
  for (const Step step : kSteps) {
    SCOPED_TRACE(static_cast<int>(step));
    ToldClient creator(master_, "told");
    const int stopped = Bring(creator, step, 7);
    creator.Stop();
    AwaitKeyFree("told");
    WriteOverThePool();
    ExpectAllButOneObject();
    creator.Continue();
    const std::string sealed = Finish(creator, step, 7, stopped);
    EXPECT_TRUE(sealed.starts_with("aborted")) << sealed;
    EXPECT_TRUE(Read("told").starts_with("not_found"));
    WriteOverThePool();
    ExpectWholePool();
  }
}

TEST_F(CreatorSteps, StoppedAndKilled) {
  for (const Step step : {Step::kHalf, Step::kSealing}) {
    SCOPED_TRACE(static_cast<int>(step));
    ToldClient creator(master_, "told");
    Bring(creator, step, 8);
    creator.Stop();
    AwaitKeyFree("told");
    EXPECT_FALSE(HasRoomFor(kPoolBytes, std::chrono::milliseconds(200)));
    creator.Kill();
    WriteOverThePool();
    ExpectWholePool();
  }
}

class SlowCreatorSteps : public CreatorSteps {
 protected:
  SlowCreatorSteps() : CreatorSteps(kShortGrants) {}
};

TEST_F(SlowCreatorSteps, SlowerThanItsGrant) {
  ToldClient creator(master_, "told");
  const int stopped = Bring(creator, Step::kFilled, 9);
  AwaitKeyFree("told");
  WriteOverThePool();
  ExpectAllButOneObject();
  const std::string sealed = Finish(creator, Step::kFilled, 9, stopped);
  EXPECT_TRUE(sealed.starts_with("aborted")) << sealed;
  EXPECT_TRUE(Read("told").starts_with("not_found"));
  WriteOverThePool();
  ExpectWholePool();
}

}  // namespace
}  // namespace kvstore::cluster
