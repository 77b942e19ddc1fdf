// Several processes put, find, replace and remove the same keys while nodes, their like and the
// master are killed and paused: what all of them were told is what one register per key could have
// told them, apart from what may be forgotten.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "histories/check.h"
#include "system/master_restart.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;

struct Load {
  int cached_keys;
  int durable_keys;
  int cells;
  int timeout_ms;
};

// Historians of one pool, by number; a new one follows another at its place.
class Historians {
 public:
  Historians(std::string master, const Load& load) : master_(std::move(master)), load_(load) {}

  void Start(size_t place) {
    running_[place] = std::make_unique<ChildProcess>(
        std::vector<std::string>{KVSTORE_TEST_HISTORIAN_PATH, master_, std::to_string(++last_),
                                 std::to_string(load_.cached_keys),
                                 std::to_string(load_.durable_keys), std::to_string(load_.cells),
                                 std::to_string(load_.timeout_ms)},
        ChildProcess::Input::kTold);
    EXPECT_TRUE(running_[place]->WaitForLine("begun", kLong)) << running_[place]->output();
  }
  void Signal(size_t place, int signal) { running_[place]->Signal(signal); }
  void Kill(size_t place) {
    running_[place]->Signal(SIGKILL);
    EXPECT_EQ(running_[place]->WaitForExit(kLong), 128 + SIGKILL);
    Take(place);
  }
  // Until that one has said some more kilobytes, of which an operation takes about 80 bytes.
  void Await(size_t place, size_t kilobytes) {
    const size_t enough = running_[place]->output().size() + (kilobytes << 10);
    const TimePoint until = BootClock::now() + 2 * kLong;
    while (running_[place]->output().size() < enough && BootClock::now() < until) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_GE(running_[place]->output().size(), enough) << "historian " << place << " is stuck";
  }
  // All that was done, when it has ended.
  const history::History& End() {
    for (auto& [place, process] : running_) process->EndInput();
    while (!running_.empty()) {
      const size_t place = running_.begin()->first;
      EXPECT_EQ(running_[place]->WaitForExit(2 * kLong).value_or(-1), 0);
      Take(place);
    }
    return history_;
  }

 private:
  void Take(size_t place) {
    history::ReadHistory(running_[place]->output(), &history_);
    running_.erase(place);
  }

  const std::string master_;
  const Load load_;
  int last_ = 0;
  std::map<size_t, std::unique_ptr<ChildProcess>> running_;
  history::History history_;
};

history::History OfKind(const history::History& all, const std::string& kind) {
  history::History some;
  for (const history::Operation& operation : all) {
    if (operation.key.starts_with(kind)) some.push_back(operation);
  }
  return some;
}

// Nothing is shown by operations that all failed.
void ExpectMuchHappened(const history::History& all) {
  std::map<std::string, int> counts;
  for (const history::Operation& operation : all) {
    constexpr const char* kVerbs[] = {"put", "get", "exists", "remove"};
    constexpr const char* kOutcomes[] = {" ok", " failed", " unknown"};
    const bool missed = operation.verb != history::Verb::kPut && !operation.found &&
                        operation.outcome == history::Outcome::kOk;
    ++counts[std::string(kVerbs[static_cast<int>(operation.verb)]) +
             (missed ? " missed" : kOutcomes[static_cast<int>(operation.outcome)])];
  }
  for (const auto& [what, count] : counts) std::printf("%s %d, ", what.c_str(), count);
  std::printf("%zu in all\n", all.size());
  for (const char* const what : {"put ok", "put failed", "get ok", "get missed", "exists ok",
                                 "exists missed", "remove ok", "remove missed"}) {
    EXPECT_GT(counts[what], 10) << what;
  }
}

TEST(RecordedHistory, IsLinearizableWhileHoldersAndClientsAreKilledAndPaused) {
  MasterProcess master({"--lease_ms=300", "--heartbeat_ms=100", SuspectAfter(400),
                        "--gone_after_ms=1500", "--log_level=error"});
  ASSERT_TRUE(master.running());
  NodeProcess paused(master, "paused", "4MiB");
  auto killed = std::make_unique<NodeProcess>(master, "killed", "4MiB");
  ASSERT_TRUE(paused.running() && killed->running());
  // The pool holds 32 of the 48.
  Historians historians(master.address(), {48, 0, 16'384, 10'000});
  for (const size_t place : {0, 1, 2}) historians.Start(place);
  for (int round = 0; round < 3 && !HasFailure(); ++round) {
    historians.Await(0, 16);
    paused.process().Signal(SIGSTOP);
    historians.Await(0, 16);
    historians.Signal(1, SIGSTOP);
    paused.process().Signal(SIGCONT);
    historians.Await(0, 16);
    killed->process().Signal(SIGKILL);
    EXPECT_EQ(killed->process().WaitForExit(kLong), 128 + SIGKILL);
    historians.Signal(1, SIGCONT);
    historians.Kill(2);
    killed = std::make_unique<NodeProcess>(master, "killed", "4MiB");
    ASSERT_TRUE(killed->running());
    historians.Start(2);
  }
  historians.Await(1, 16);
  ASSERT_FALSE(HasFailure());
  const history::History& all = historians.End();
  ExpectMuchHappened(all);
  // While holders are paused an exists says no of what they have.
  EXPECT_THAT(history::Violations(all, {.noes_bind = false}), IsEmpty());
}

using MasterRestartHistories = MasterRestart;

// The pool of this one holds all keys, so that what is durable is never forgotten. No holder is
// paused here: of what is on a silent one an exists would say no.
TEST_F(MasterRestartHistories, AreLinearizableAndWhatIsDurableIsNotForgotten) {
  Historians historians(master_->address(), {4, 4, 1024, 30'000});
  for (const size_t place : {0, 1, 2}) historians.Start(place);
  for (int round = 0; round < 4 && !HasFailure(); ++round) {
    historians.Await(0, 64);
    if (round == 1) historians.Kill(2);
    if (round == 2) historians.Signal(1, SIGSTOP);
    RestartMaster();
    if (round == 1) historians.Start(2);
    if (round == 2) historians.Await(0, 16);
    if (round == 2) historians.Signal(1, SIGCONT);
  }
  for (const size_t place : {0, 1, 2}) historians.Await(place, 64);
  ASSERT_FALSE(HasFailure());
  const history::History& all = historians.End();
  ExpectMuchHappened(all);
  const history::Rules cached{.puts_may_recur = true, .misses_bind = false};
  const history::Rules durable{.may_forget = false, .puts_may_recur = true};
  EXPECT_THAT(history::Violations(OfKind(all, "cached/"), cached), IsEmpty());
  EXPECT_THAT(history::Violations(OfKind(all, "durable/"), durable), IsEmpty());
}

}  // namespace
}  // namespace kvstore::cluster
