#ifndef KVSTORE_TESTS_SYSTEM_MASTER_RESTART_H_
#define KVSTORE_TESTS_SYSTEM_MASTER_RESTART_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/free_port.h"
#include "kvstore/client.h"
#include "system/told_value.h"

namespace kvstore::cluster {

inline constexpr size_t kCells = 1024;  // 16 KiB
inline constexpr Duration kLong = std::chrono::seconds(30);

inline std::string KeyOf(const std::string& kind, size_t i) {
  return kind + "/" + std::to_string(i);
}

// A master with its file and its port, nodes, and a client.
class MasterRestart : public ::testing::Test {
 protected:
  explicit MasterRestart(std::vector<std::string> flags = {}) : flags_(std::move(flags)) {
    std::string folder = std::filesystem::temp_directory_path() / "kvstore-restart-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    flags_.push_back("--port=" + std::to_string(FreePort()));
    flags_.push_back("--state_file=" + (folder_ / "master.state").string());
    flags_.push_back("--quiet_start_ms=1000");
  }
  ~MasterRestart() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void SetUp() override {
    StartMaster();
    nodes_[0] = std::make_unique<NodeProcess>(*master_, "shelf-0", "64MiB");
    nodes_[1] = std::make_unique<NodeProcess>(*master_, "shelf-1", "64MiB");
    client_ = Join(*master_, 0, "client");
    ASSERT_NE(client_, nullptr);
  }

  void StartMaster() {
    master_ = std::make_unique<MasterProcess>(flags_);
    ASSERT_TRUE(master_->running());
  }
  static void Kill(ChildProcess& process) {
    process.Signal(SIGKILL);
    ASSERT_EQ(process.WaitForExit(kLong), 128 + SIGKILL);
  }
  void RestartMaster() {
    Kill(master_->process());
    StartMaster();
  }
  // Until it has told that master what it holds.
  static void AwaitReport(NodeProcess& node, int term) {
    const std::string said = "reports to the master of term " + std::to_string(term);
    EXPECT_TRUE(node.process().WaitForLine(said, kLong)) << said;
  }

  Status Put(const std::string& key, uint32_t version, PutOptions options = {}) {
    return client_->Put(key, ToldValue(key, version, kCells), options);
  }
  // "version V", "wrong bytes", or an error.
  std::string Read(const std::string& key, Duration timeout = kLong) {
    const Result<std::string> got = client_->Get(key, timeout);
    if (!got.ok()) return got.status().ToString();
    const std::optional<uint32_t> version = VersionTold(key, *got);
    return version ? "version " + std::to_string(*version) : "wrong bytes";
  }
  // A node carries out notes in their order: what it was told before this it has confirmed, too.
  void AwaitNotes() {
    PutOptions options{.timeout = kLong, .replace = true, .replicas = 2};
    options.durable = true;
    ASSERT_EQ(Put("fence", 1, options), Status::Ok());
  }
  Incarnation HolderOf(const std::string& key) {
    const Result<ObjectStat> stat = client_->Stat(key, kLong);
    EXPECT_TRUE(stat.ok()) << key << ": " << stat.status();
    return stat.ok() && !stat->replicas.empty() ? stat->replicas[0].holder : Incarnation();
  }
  // Objects until each node has one: `on_[i]` lies on "shelf-i".
  void PutOnBothNodes() {
    PutOptions options{.placement = Placement::kSpread};
    options.durable = true;
    for (size_t i = 0; i < 200 && (on_[0].empty() || on_[1].empty()); ++i) {
      ASSERT_EQ(Put(KeyOf("spread", i), 1, options), Status::Ok());
      const Result<ObjectStat> stat = client_->Stat(KeyOf("spread", i), kLong);
      ASSERT_TRUE(stat.ok()) << stat.status();
      on_[stat->replicas.at(0).node == "shelf-0" ? 0 : 1] = KeyOf("spread", i);
    }
    ASSERT_FALSE(on_[0].empty() || on_[1].empty());
  }

  std::vector<std::string> flags_;
  std::filesystem::path folder_;
  std::unique_ptr<MasterProcess> master_;
  std::array<std::unique_ptr<NodeProcess>, 2> nodes_;
  std::unique_ptr<Client> client_;
  std::array<std::string, 2> on_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_MASTER_RESTART_H_
