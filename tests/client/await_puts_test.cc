#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "client/pool_test.h"
#include "cluster/free_port.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// `near_` computes and puts what `far_` looks for.
class AwaitPutsTest : public PoolTest {
 protected:
  void SetUp() override {
    Start({"--metrics_port=" + std::to_string(cluster::FreePort())});
    near_ = Join(64 * kMiB, "near");
    far_ = Join(0, "far");
    ASSERT_TRUE(near_ && far_);
  }

  // Nothing else waits here.
  bool IsAwaited() const {
    return master_->Metric("kvstore_requests_waiting ") == "kvstore_requests_waiting 1\n";
  }

  std::unique_ptr<Client> near_;
  std::unique_ptr<Client> far_;
};

TEST_F(AwaitPutsTest, WhatAnotherClientLookedForAndThenPutsIsAwaited) {
  const std::string_view keys[] = {"k1", "k2"};
  AwaitOptions options;
  options.at_most = seconds(60);
  options.timeout = seconds(90);
  EXPECT_FALSE(*far_->AwaitPuts(keys, options).front());  // nobody is to put it: at once
  EXPECT_FALSE(*near_->Exists("k1"));
  auto woken = std::async(std::launch::async, [&] { return far_->AwaitPuts(keys, options); });
  const TimePoint until = BootClock::now() + seconds(40);
  while (!IsAwaited() && BootClock::now() < until) std::this_thread::yield();
  ASSERT_TRUE(IsAwaited());
  ASSERT_EQ(near_->Put("k1", "bytes"), Status::Ok());
  ASSERT_EQ(near_->Put("k2", "bytes"), Status::Ok());
  for (const Result<bool>& found : woken.get()) EXPECT_TRUE(*found);
  const uint64_t located = far_->counters().gets_remembered;
  EXPECT_EQ(*far_->Get("k2"), "bytes");
  EXPECT_EQ(far_->counters().gets_remembered, located + 1);  // their locations came along
}

TEST_F(AwaitPutsTest, WhatFollowsWhatWasJustPutIsAwaitedAndGivenUpInTime) {
  ASSERT_EQ(near_->Put("k1", "bytes"), Status::Ok());
  const std::string_view next = "k2";
  AwaitOptions options;
  options.at_most = milliseconds(300);
  options.after = "k1";
  const TimePoint began = BootClock::now();
  EXPECT_FALSE(*far_->AwaitPuts({&next, 1}, options).front());
  EXPECT_GE(BootClock::now() - began, milliseconds(300));
  options.at_most = seconds(60);  // waited for in vain once
  EXPECT_FALSE(*far_->AwaitPuts({&next, 1}, options).front());
  EXPECT_LT(BootClock::now() - began, seconds(30));
}

}  // namespace
}  // namespace kvstore
