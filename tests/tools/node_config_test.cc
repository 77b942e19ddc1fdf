#include "tools/node_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kvstore {
namespace {

Result<NodeCommand> Read(const std::vector<const char*>& words) { return ReadNodeCommand(words); }

std::string Refusal(const std::vector<const char*>& words) {
  const Result<NodeCommand> command = Read(words);
  EXPECT_FALSE(command.ok());
  EXPECT_EQ(command.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(command.status().message().find('\n'), std::string::npos);
  return command.status().message();
}

// A YAML file of this test.
class NodeConfigFile : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  void TearDown() override { std::filesystem::remove(path_); }

  const std::string path_ =
      ::testing::TempDir() + "node_config_test." + std::to_string(getpid()) + ".yaml";
};

TEST(NodeConfig, HasDefaults) {
  const NodeConfig config = Read({})->config;
  EXPECT_EQ(config.master, "127.0.0.1:50051");
  EXPECT_EQ(config.lend_bytes, uint64_t{1} << 30);
  EXPECT_EQ(config.listen, "127.0.0.1:0");
  EXPECT_FALSE(config.insecure_allow_remote);
  EXPECT_FALSE(config.wait);
  EXPECT_EQ(config.connect_timeout, std::chrono::seconds(10));
}

TEST(NodeConfig, SizesHaveUnitsOrAreSharesOfTheMachine) {
  EXPECT_EQ(Read({"--lend", "512MiB"})->config.lend_bytes, uint64_t{512} << 20);
  EXPECT_EQ(Read({"-lend=0"})->config.lend_bytes, 0u);
  const uint64_t one = Read({"--lend=1%"})->config.lend_bytes;
  EXPECT_GT(one, 0u);
  EXPECT_EQ(Read({"--lend=50%"})->config.lend_bytes, one * 50);
  EXPECT_NE(Refusal({"--lend=96%"}).find("lend"), std::string::npos);
  EXPECT_NE(Refusal({"--lend=much"}).find("lend"), std::string::npos);
}

TEST(NodeConfig, WaysAreAllUnlessSomeAreNamed) {
  using transfer::Way;
  EXPECT_TRUE(Read({})->config.ways.empty());
  EXPECT_EQ(Read({"--ways=shm,tcp"})->config.ways, (std::vector<Way>{Way::kShm, Way::kTcp}));
  EXPECT_NE(Refusal({"--ways", "cuda"}).find("ways: 'cuda'"), std::string::npos);
}

TEST(NodeConfig, RdmaDevicesAreAllUnlessSomeAreNamed) {
  EXPECT_TRUE(Read({})->config.rdma_devices.empty());
  EXPECT_EQ(Read({})->config.rdma_gid_index, -1);
  EXPECT_EQ(Read({"--rdma_devices=mlx5_0,mlx5_1"})->config.rdma_devices,
            (std::vector<std::string>{"mlx5_0", "mlx5_1"}));
  EXPECT_TRUE(Read({"--rdma_devices=auto"})->config.rdma_devices.empty());
  EXPECT_EQ(Read({"--rdma_gid_index=3"})->config.rdma_gid_index, 3);
  EXPECT_NE(Refusal({"--rdma_gid_index=256"}).find("rdma_gid_index"), std::string::npos);
}

TEST(NodeConfig, SwitchesMayHaveAValue) {
  EXPECT_TRUE(Read({"--wait"})->config.wait);
  EXPECT_TRUE(Read({"--wait=true"})->config.wait);
  EXPECT_FALSE(Read({"--wait=false"})->config.wait);
  EXPECT_NE(Refusal({"--wait=maybe"}).find("maybe"), std::string::npos);
}

TEST(NodeConfig, AnUnknownFlagIsToldWithTheNearestOne) {
  EXPECT_NE(Refusal({"--lnd", "1"}).find("--lend"), std::string::npos);
  EXPECT_NE(Refusal({"--lend", "1MiB", "--mister=x"}).find("--master"), std::string::npos);
  EXPECT_NE(Refusal({"stray"}).find("stray"), std::string::npos);
  EXPECT_NE(Refusal({"--master"}).find("master"), std::string::npos);
}

TEST(NodeConfig, HelpAndVersionArePrinted) {
  EXPECT_EQ(Read({"--help"})->what, NodeCommand::What::kPrint);
  EXPECT_NE(Read({"--help"})->text.find("EXIT STATUS"), std::string::npos);
  EXPECT_EQ(Read({"--version"})->text, "kvstore_node " KVSTORE_VERSION "\n");
}

TEST_F(NodeConfigFile, AFlagGoesBeforeTheFileAndTheFileBeforeTheDefault) {
  Write("lend: 2MiB\nname: from-file\nwait: yes\nways: tcp\n");
  const NodeConfig config =
      Read({"--config", path_.c_str(), "--name", "from-flag", "--wait=false"})->config;
  EXPECT_EQ(config.lend_bytes, uint64_t{2} << 20);
  EXPECT_EQ(config.name, "from-flag");
  EXPECT_EQ(config.ways, std::vector{transfer::Way::kTcp});
  EXPECT_FALSE(config.wait);
  EXPECT_EQ(config.master, "127.0.0.1:50051");
}

TEST_F(NodeConfigFile, AnUnknownKeyIsToldWithItsLineAndTheNearestOne) {
  Write("lend: 2MiB\nmastr: x\n");
  const std::string refusal = Refusal({"--config", path_.c_str()});
  EXPECT_NE(refusal.find(":2: unknown key 'mastr'"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("'master'"), std::string::npos) << refusal;
}

TEST_F(NodeConfigFile, WhatIsNoMapOfSettingsIsRefused) {
  for (const char* const text : {"- a\n- b\n", "lend: [1]\n", "a: b: c\n", "lend: 1\nlend: 2\n"}) {
    Write(text);
    EXPECT_FALSE(Read({"--config", path_.c_str()}).ok()) << text;
  }
  EXPECT_NE(Refusal({"--config", "/nowhere/at/all.yaml"}).find("/nowhere/at/all.yaml"),
            std::string::npos);
}

TEST_F(NodeConfigFile, WhatIsPrintedCanBeReadBack) {
  Write(
      Read({"--lend", "3MiB", "--name", "a: b", "--wait", "--ways", "local,tcp", "--print_config"})
          ->text);
  const NodeConfig config = Read({"--config", path_.c_str()})->config;
  EXPECT_EQ(config.lend_bytes, uint64_t{3} << 20);
  EXPECT_EQ(config.name, "a: b");
  EXPECT_EQ(config.ways, (std::vector{transfer::Way::kLocal, transfer::Way::kTcp}));
  EXPECT_TRUE(config.wait);
}

}  // namespace
}  // namespace kvstore
