// The process that lends the memory is killed and stopped while others of its host read, view, and
// write there; and the memory it lends outlives those who filled it.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster/free_port.h"
#include "system/kernel_lists.h"
#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A read while its holder is lost fails, or it is right.
void ExpectRightOrFailed(const std::string& found, const std::string& right) {
  if (found == right) return;
  EXPECT_TRUE(found.starts_with("unavailable") || found.starts_with("not_found") ||
              found.starts_with("failed_precondition") || found.starts_with("deadline_exceeded"))
      << found;
}

// Waits until the process has none of these files mapped any more.
void ExpectUnmapped(ToldClient& client, const std::set<uint64_t>& files) {
  const TimePoint until = BootClock::now() + seconds(20);
  std::vector<uint64_t> left(1);
  while (!left.empty() && BootClock::now() < until) {
    std::this_thread::sleep_for(milliseconds(10));
    left.clear();
    const std::set<uint64_t> now = MappedFiles(client.process().pid());
    std::set_intersection(files.begin(), files.end(), now.begin(), now.end(),
                          std::back_inserter(left));
  }
  EXPECT_TRUE(left.empty()) << left.size() << " of " << files.size() << " files are still mapped";
}

class HolderSteps : public OneHost {
 protected:
  explicit HolderSteps(std::vector<std::string> flags = {}) : OneHost(WithMetrics(flags)) {}

  static std::vector<std::string> WithMetrics(std::vector<std::string> flags) {
    flags.push_back("--metrics_port=" + std::to_string(FreePort()));
    return NoLeasesBut(flags);
  }
  static std::string Get() { return "get told " + std::to_string(kCells) + " -"; }
};

TEST_F(HolderSteps, KilledWhileOthersReadAndView) {
  PutTold("told", 1);
  ToldClient viewer(master_, "viewer");
  ToldClient getter(master_, "getter");
  ASSERT_EQ(viewer.Do("view told"), "version 1");
  ASSERT_EQ(getter.Do(Get()), "version 1");
  const std::set<uint64_t> of_viewer = MappedFiles(viewer.process().pid());
  const std::set<uint64_t> of_getter = MappedFiles(getter.process().pid());
  ASSERT_GE(of_viewer.size(), 3u);  // memory, words, ledger
  ASSERT_GE(of_getter.size(), 3u);

  KillNode();
  EXPECT_EQ(viewer.Do("look told"), "version 1");
  ExpectRightOrFailed(getter.Do(Get()), "version 1");
  ExpectRightOrFailed(Read("told"), "version 1");
  // Who has no view of it lets go of its memory unasked.
  ExpectUnmapped(getter, of_getter);

  StartNode();
  PutTold("told", 2);
  EXPECT_EQ(Read("told"), "version 2");
  EXPECT_EQ(getter.Do(Get()), "version 2");
  EXPECT_EQ(viewer.Do(Get()), "version 2");
  EXPECT_EQ(viewer.Do("look told"), "version 1");
  WriteOverThePool();
  EXPECT_EQ(viewer.Do("look told"), "version 1");
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectUnmapped(viewer, of_viewer);
  EXPECT_EQ(getter.Counter("tcp"), 0u);
  EXPECT_EQ(getter.Counter("shm_read") % kBytes, 0u);
  ExpectWholePool();
}

TEST_F(HolderSteps, KilledInTheMidstOfOthersCopies) {
  PutTold("told", 3);
  ToldClient writer(master_, "writer");
  ToldClient reader(master_, "reader");
  ToldClient creator(master_, "creator");
  const int put = writer.Begin(Put("put", 4, "half"));
  const int get = reader.Begin("get told " + std::to_string(kCells) + " half");
  ASSERT_EQ(creator.Do("create made " + std::to_string(kCells)), "ok");
  writer.AwaitStop(put, "half");
  reader.AwaitStop(get, "half");
  KillNode();
  writer.GoOn();
  reader.GoOn();
  EXPECT_EQ(creator.Do("fill made 5 0 " + std::to_string(kCells)), "ok");
  // What they say now may have been committed before the master lost the node: they may not be
  // right in saying so, but nobody reads anything else than what they put.
  const std::string sealed = creator.Do("seal made -");
  const std::string was_put = writer.Result(put);
  ExpectRightOrFailed(reader.Result(get), "version 3");
  ExpectRightOrFailed(Read("put"), "version 4");
  ExpectRightOrFailed(Read("made"), "version 5");
  std::printf("put: %s\nseal: %s\n", was_put.c_str(), sealed.c_str());

  StartNode();
  EXPECT_EQ(writer.Do(Put("put", 6)), "ok");
  EXPECT_EQ(Read("put"), "version 6");
  WriteOverThePool();
  ExpectWholePool();
}

// Whoever is silent for a while is not suspected here.
class PatientHolderSteps : public HolderSteps {
 protected:
  PatientHolderSteps() : HolderSteps({"--suspect_after_ms=20000"}) {}
};

// Shortly: nobody is lost, and who has its memory mapped needs no help of it to read there.
TEST_F(PatientHolderSteps, StoppedForAWhile) {
  PutTold("told", 7);
  ToldClient viewer(master_, "viewer");
  ASSERT_EQ(viewer.Do("view told"), "version 7");
  node_->process().Signal(SIGSTOP);
  EXPECT_EQ(viewer.Do("look told"), "version 7");
  ExpectRightOrFailed(viewer.Do(Get()), "version 7");
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectRightOrFailed(viewer.Do("view told"), "version 7");
  node_->process().Signal(SIGCONT);
  EXPECT_EQ(Read("told"), "version 7");
  WriteOverThePool();
  viewer.Kill();
  ExpectWholePool();
}

// Its objects are lost then. It lends its memory anew, but for what is still viewed.
TEST_F(HolderSteps, StoppedUntilItIsGone) {
  PutTold("told", 8);
  ToldClient viewer(master_, "viewer");
  ASSERT_EQ(viewer.Do("view told"), "version 8");
  node_->process().Signal(SIGSTOP);
  ASSERT_TRUE(master_.process().WaitForLine(" is gone", seconds(20)));
  EXPECT_TRUE(Read("told").starts_with("not_found"));
  EXPECT_EQ(viewer.Do("look told"), "version 8");
  node_->process().Signal(SIGCONT);
  ExpectAllButOneObject();
  EXPECT_EQ(viewer.Do("look told"), "version 8");
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectWholePool();
  WriteOverThePool();
}

// A commit that waits for the word of a stopped holder is made although its writer is killed. What
// it replaces is found until then.
TEST_F(PatientHolderSteps, AWriterIsKilledInTheMidstOfItsCommit) {
  PutTold("told", 9);
  ToldClient writer(master_, "writer");
  const int put = writer.Begin(Put("told", 10, "sum"));
  writer.AwaitStop(put, "sum");
  const TimePoint until = BootClock::now() + seconds(10);
  const auto await_notes = [&](const std::string& open) {
    const std::string line = "kvstore_notes_unconfirmed ";
    while (master_.Metric(line) != line + open + "\n" && BootClock::now() < until) {
    }
    EXPECT_EQ(master_.Metric(line), line + open + "\n");
  };
  await_notes("0");
  node_->process().Signal(SIGSTOP);
  writer.GoOn();
  await_notes("1");
  EXPECT_TRUE(*writer_->Exists("told"));
  EXPECT_FALSE(writer.HasAnswered(put));
  writer.Kill();
  node_->process().Signal(SIGCONT);
  std::string found = Read("told");
  while (found == "version 9" && BootClock::now() < until + seconds(20)) found = Read("told");
  EXPECT_EQ(found, "version 10");
}

// A worker's objects outlive it where it lends nothing itself: the next one finds them all.
TEST_F(HolderSteps, ANodesPoolOutlivesItsWorkers) {
  constexpr int kObjects = 6;
  const auto key = [](int i) { return "kept" + std::to_string(i); };
  {
    ToldClient worker(master_, "worker");
    for (int i = 0; i < kObjects; ++i) ASSERT_EQ(worker.Do(Put(key(i), 20 + i)), "ok");
    EXPECT_EQ(worker.Counter("shm_written"), kObjects * kBytes);
    worker.Kill();
  }
  ToldClient worker(master_, "worker");
  for (int i = 0; i < kObjects; ++i) {
    const std::string right = "version " + std::to_string(20 + i);
    EXPECT_EQ(worker.Do("get " + key(i) + " " + std::to_string(kCells) + " -"), right);
    EXPECT_EQ(worker.Do("view " + key(i)), right);
  }
  EXPECT_EQ(worker.Counter("shm_read"), kObjects * kBytes);
  EXPECT_EQ(worker.Counter("shm_mappings"), static_cast<uint64_t>(kObjects));
  EXPECT_EQ(worker.Counter("tcp"), 0u);
  EXPECT_EQ(worker.End(), 0);
  WriteOverThePool();
  ExpectWholePool();
}

}  // namespace
}  // namespace kvstore::cluster
