// A client that is stopped in the midst of a put, over RDMA, until its grant has run out and the
// memory is another's: programs as users run them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "cluster/child_process.h"
#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "rdma/devices.h"
#include "tools/program.h"

namespace kvstore::rdma_tests {
namespace {

using cluster::ChildProcess;
using testing::StartsWith;

// All that the node lends: whoever is granted memory is granted this.
constexpr uint64_t kBytes = 1 << 20;
// Longer than a client needs to meet the node, as a rule; else it begins again.
constexpr const char* kGrant = "--max_grant_ms=4000";

class LatePutTest : public testing::Test {
 protected:
  // Without the guards of these names.
  void Start(const std::string& off_at_master, const std::string& off_at_node) {
    master_ = std::make_unique<cluster::MasterProcess>(
        std::vector<std::string>{kGrant, "--pinned_share_allowed=1"}, Without(off_at_master));
    ASSERT_TRUE(master_->running());
    std::vector<std::string> node = Without(off_at_node);
    node.insert(node.end(), {KVSTORE_NODE_PATH, "--master=" + master_->address(), "--lend=1MiB",
                             "--ways=rdma", "--rdma_devices=rxe1"});
    node_ = std::make_unique<ChildProcess>(node);
    ASSERT_TRUE(node_->WaitForLine(" ready", kLong)) << node_->output();
    ClientOptions options;
    options.master = master_->address();
    options.ways = {transfer::Way::kRdma};
    options.rdma_devices = {"rxe2"};
    client_ = Client::Connect(options).value();
  }

  // Until it has stopped, with leave to write to all of that memory.
  void StartWriter() {
    writer_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{KVSTORE_TEST_LATE_PUT_PATH, master_->address(), "rxe0", "late",
                                 std::to_string(kBytes)},
        ChildProcess::Input::kTold);
    ASSERT_TRUE(writer_->WaitForLine("stopping", kLong)) << writer_->output();
    writer_->Signal(SIGSTOP);
  }

  // In that memory, once its last owner's grant is over. Never evicted. What a Get of it comes to.
  // On a busy machine the client may not meet the node within its patience; then it begins again.
  std::string PutByAnother() {
    Status put;
    const TimePoint until = In(kLong);
    do {
      put = client_->Put("next", Next(), {.timeout = kLong, .hard_pin = true});
    } while (!put.ok() && BootClock::now() < until);
    return put.ok() ? Get() : put.ToString();
  }

  std::string WakeWriter() {
    EXPECT_TRUE(writer_->Tell("\n"));
    writer_->Signal(SIGCONT);
    const auto ended = writer_->WaitForLine("ended: ", 2 * kLong);
    EXPECT_TRUE(ended) << writer_->output();
    return ended.value_or("");
  }

  std::string Get() {
    const Result<std::string> got = client_->Get("next", kLong);
    if (!got.ok()) return got.status().ToString();
    return *got == Next() ? "right" : "wrong bytes";
  }

  static std::string Next() { return std::string(kBytes, '\3'); }

  std::unique_ptr<cluster::MasterProcess> master_;
  std::unique_ptr<ChildProcess> node_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<ChildProcess> writer_;

 private:
  static std::vector<std::string> Without(const std::string& guard) {
    if (guard.empty()) return {};
    return {"/usr/bin/env", "KVSTORE_GUARD_OFF=" + guard};
  }
};

TEST_F(LatePutTest, APutThatIsStoppedUntilItsGrantIsOverHarmsNoByteOfTheNextOwner) {
  Start("", "");
  StartWriter();
  ASSERT_EQ(PutByAnother(), "right");
  EXPECT_THAT(WakeWriter(), testing::Not(StartsWith("ended: ok"))) << writer_->output();
  EXPECT_EQ(Get(), "right");
}

// That it would, if the node did not cut it off, and the master did not wait for that.
TEST_F(LatePutTest, WithoutTheCutItWritesOverTheNextOwner) {
  Start("reuse_after_free_ack", "rdma_cut_withdrawn_writes");
  StartWriter();
  ASSERT_EQ(PutByAnother(), "right");
  WakeWriter();
  EXPECT_THAT(Get(), StartsWith("data_loss"));
}

}  // namespace
}  // namespace kvstore::rdma_tests
