// The master is killed under load and started again, many times: what each lost master had
// confirmed stands before the next, what it had removed stays away, and calls that wait see a
// pause.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "system/master_restart.h"
#include "system/restart_load.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using ::testing::IsEmpty;

size_t Restarts() {
  const char* const wanted = std::getenv("KVSTORE_RESTARTS");
  return wanted != nullptr ? std::stoul(wanted) : 20;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

class Recovery : public MasterRestart {
 protected:
  // What this reign confirms; version: as many as there were before it.
  void PutSome(size_t reign) {
    const auto version = static_cast<uint32_t>(reign);
    PutOptions durable{.timeout = kLong, .replace = true};
    durable.durable = true;
    ASSERT_EQ(Put(KeyOf("durable", reign), version, durable), Status::Ok());
    ASSERT_EQ(Put(KeyOf("noted", reign), version, {.timeout = kLong}), Status::Ok());
    ASSERT_EQ(Put("replaced", version, durable), Status::Ok());
    ASSERT_EQ(Put(KeyOf("removed", reign), version, durable), Status::Ok());
    ASSERT_EQ(client_->Remove(KeyOf("removed", reign), kLong), Status::Ok());
    AwaitNotes();
  }
  // Of all reigns so far.
  void ExpectAllStands(size_t reign) {
    EXPECT_EQ(Read("replaced"), "version " + std::to_string(reign));
    for (size_t i = 1; i <= reign; ++i) {
      const std::string version = "version " + std::to_string(i);
      EXPECT_EQ(Read(KeyOf("durable", i)), version) << "after reign " << reign;
      EXPECT_EQ(Read(KeyOf("noted", i)), version) << "after reign " << reign;
      const std::string removed = Read(KeyOf("removed", i));
      EXPECT_TRUE(removed.starts_with("not_found")) << removed << " after reign " << reign;
    }
  }
};

TEST_F(Recovery, MastersThatAreKilledUnderLoadOneAfterTheOtherLoseNothing) {
  std::mt19937 random(1);
  std::vector<Duration> pauses;
  RestartLoad load(*master_);
  for (size_t reign = 1; reign <= Restarts() && !HasFailure(); ++reign) {
    PutSome(reign);
    const Incarnation holder = HolderOf(KeyOf("durable", 1));
    load.AwaitRounds(1 + random() % 20);
    (void)load.TakePause();
    Kill(master_->process());
    // What this test is about: those who wait find none.
    std::this_thread::sleep_for(milliseconds(random() % 500));
    StartMaster();
    for (const auto& node : nodes_) AwaitReport(*node, static_cast<int>(reign) + 1);
    // Puts that were under way have been answered then.
    load.AwaitRounds(2);
    pauses.push_back(load.TakePause());
    ExpectAllStands(reign);
    EXPECT_EQ(HolderOf(KeyOf("durable", 1)), holder);
    EXPECT_THAT(load.errors(), IsEmpty());
  }
  load.Stop();
  EXPECT_THAT(load.errors(), IsEmpty());
  EXPECT_EQ(pauses.size(), Restarts());
  std::sort(pauses.begin(), pauses.end());
  if (pauses.empty()) return;
  std::printf("%zu restarts; puts waited for %.2f s (median), %.2f s (max)\n", pauses.size(),
              Seconds(pauses[pauses.size() / 2]), Seconds(pauses.back()));
  RecordProperty("pause_median_ms", static_cast<int>(1000 * Seconds(pauses[pauses.size() / 2])));
  RecordProperty("pause_max_ms", static_cast<int>(1000 * Seconds(pauses.back())));
}

}  // namespace
}  // namespace kvstore::cluster
