// The master is killed and started again: its nodes come back with what they hold, and whoever
// waits long enough sees a pause.

#include "system/master_restart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/restart_load.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class MasterDownFor : public MasterRestart, public ::testing::WithParamInterface<seconds> {};

TEST_P(MasterDownFor, NothingThatWasConfirmedIsLostAndWhoWaitsSeesAPause) {
  constexpr size_t kKeys = 20;
  PutOptions durable;
  durable.durable = true;
  for (size_t i = 0; i < kKeys; ++i) {
    ASSERT_EQ(Put(KeyOf("durable", i), 1, durable), Status::Ok());
    ASSERT_EQ(Put(KeyOf("noted", i), 1), Status::Ok());
    ASSERT_EQ(Put(KeyOf("removed", i), 1, durable), Status::Ok());
    ASSERT_EQ(client_->Remove(KeyOf("removed", i)), Status::Ok());
  }
  AwaitNotes();
  const Incarnation holder = HolderOf(KeyOf("durable", 0));
  RestartLoad load(*master_);
  load.AwaitRounds(10);
  Kill(master_->process());
  std::this_thread::sleep_for(GetParam());  // what this test is about
  StartMaster();
  for (const auto& node : nodes_) AwaitReport(*node, 2);
  load.AwaitRounds(10);
  load.Stop();
  EXPECT_EQ(load.errors(), std::vector<std::string>());
  for (size_t i = 0; i < kKeys; ++i) {
    EXPECT_EQ(Read(KeyOf("durable", i)), "version 1") << i;
    EXPECT_EQ(Read(KeyOf("noted", i)), "version 1") << i;
    EXPECT_TRUE(Read(KeyOf("removed", i)).starts_with("not_found")) << i;
  }
  EXPECT_EQ(HolderOf(KeyOf("durable", 0)), holder);
}

INSTANTIATE_TEST_SUITE_P(Seconds, MasterDownFor,
                         ::testing::Values(seconds(0), seconds(1), seconds(5)),
                         [](const auto& test) { return std::to_string(test.param.count()); });

// It says nothing that is not theirs, so that nobody need have forgotten what the one before said.
TEST_F(MasterRestart, OneThatAwaitsMembersAnswersAtOnce) {
  ASSERT_EQ(Put("kept", 1, {.durable = true}), Status::Ok());
  flags_.push_back("--quiet_start_ms=60000");
  RestartMaster();
  EXPECT_EQ(Read("kept"), "version 1");
}

TEST_F(MasterRestart, WhoWaitsTooShortIsToldHowManyNodesAreMissing) {
  PutOnBothNodes();
  const Incarnation holder = HolderOf(on_[1]);
  nodes_[1]->process().Signal(SIGSTOP);
  // Not gone, and nothing to be evicted, before all of these have asked.
  flags_.insert(flags_.end(), {"--gone_after_ms=60000", "--lease_ms=60000"});
  RestartMaster();
  AwaitReport(*nodes_[0], 2);
  // What has been reported is served.
  EXPECT_EQ(Read(on_[0]), "version 1");
  // Of all else nobody knows.
  for (const std::string& key : {on_[1], std::string("never put")}) {
    const std::string found = Read(key, seconds(4));
    EXPECT_TRUE(found.starts_with("deadline_exceeded")) << found;
    EXPECT_NE(found.find("1 of the pool's nodes have not reported"), std::string::npos) << found;
  }
  const Status put = Put("new", 1, {.timeout = seconds(4)});
  EXPECT_EQ(put.code(), StatusCode::kDeadlineExceeded) << put;
  EXPECT_NE(put.message().find("1 of the pool's nodes have not reported"), std::string::npos)
      << put;
  const Status removed = client_->Remove(on_[0], milliseconds(500));
  EXPECT_EQ(removed.code(), StatusCode::kDeadlineExceeded) << removed;
  // So is an operator, at once.
  const std::vector<std::vector<std::string>> commands = {{"locate", on_[1]},
                                                          {"evict", on_[1]},
                                                          {"evict", "--bytes", "1MiB"},
                                                          {"drain", "shelf-1"},
                                                          {"drain", "shelf-0"},
                                                          {"copy", "--to", "shelf-1", on_[0]},
                                                          {"copy", "--to", "shelf-0", on_[1]},
                                                          {"ls"}};
  for (std::vector<std::string> words : commands) {
    words.insert(words.begin(), {KVSTORE_KVCTL_PATH, "--master", master_->address()});
    const Finished asked = RunProgram(words);
    EXPECT_EQ(asked.code, 1) << words[3];
    EXPECT_THAT(asked.out + asked.err,
                testing::HasSubstr("1 of the pool's nodes have not reported"))
        << words[3];
  }

  nodes_[1]->process().Signal(SIGCONT);
  EXPECT_EQ(Read(on_[1]), "version 1");
  EXPECT_EQ(HolderOf(on_[1]), holder);
  EXPECT_TRUE(Read("never put").starts_with("not_found"));
  EXPECT_EQ(Put("new", 1), Status::Ok());
}

class NodesAreSoonGone : public MasterRestart {
 protected:
  NodesAreSoonGone() : MasterRestart({"--gone_after_ms=6000", "--lease_ms=1000"}) {}
};

TEST_F(NodesAreSoonGone, ANodeThatIsKilledWithItsMasterIsWaitedForUntilItIsGone) {
  PutOnBothNodes();
  Kill(nodes_[1]->process());
  RestartMaster();
  EXPECT_EQ(Read(on_[0]), "version 1");
  const std::string early = Read(on_[1], milliseconds(300));
  EXPECT_TRUE(early.starts_with("deadline_exceeded")) << early;
  EXPECT_EQ(Put("new", 1, {.timeout = kLong}), Status::Ok());
  EXPECT_EQ(Read("new"), "version 1");
  EXPECT_TRUE(Read(on_[1]).starts_with("not_found"));
  EXPECT_EQ(Read(on_[0]), "version 1");
}

TEST_F(MasterRestart, RestartsThatFollowOneAnotherLoseNothing) {
  PutOnBothNodes();
  const Incarnation holder = HolderOf(on_[0]);
  for (int restart = 0; restart < 3; ++restart) {
    RestartMaster();
    EXPECT_EQ(Read(on_[0]), "version 1");
    EXPECT_EQ(Read(on_[1]), "version 1");
  }
  EXPECT_EQ(HolderOf(on_[0]), holder);
}

}  // namespace
}  // namespace kvstore::cluster
