// A full disk, under the state file, a log, and what kvctl writes: nothing that was kept is lost,
// the reason and the remedy are told, and all goes on, at the latest when there is room again.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/free_port.h"
#include "system/told_value.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

constexpr Duration kSoon = seconds(30);
constexpr size_t kCells = 16'384;  // 256 KiB: more than the disk takes

// A disk of 128 KiB that only the programs see that run within it.
class SmallDisk {
 public:
  SmallDisk()
      : folder_(TempPath("small_disk")),
        holder_({"/usr/bin/unshare", "--map-root-user", "--mount", "/bin/bash", "-c",
                 "mkdir -p " + folder_ + " && mount -t tmpfs -o size=128k none " + folder_ +
                     " && echo mounted && exec sleep 600"}) {
    mounted_ = holder_.WaitForLine("mounted", kSoon).has_value();
  }

  // False: this machine lets its users have none.
  bool mounted() const { return mounted_; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  // The command that runs a program within it.
  std::vector<std::string> Within() const {
    return {"/usr/bin/nsenter", "--target", std::to_string(holder_.pid()),
            "--user",           "--mount",  "--preserve-credentials"};
  }
  // Where this process sees a file of it.
  std::string FromOutside(const std::string& name) const {
    return "/proc/" + std::to_string(holder_.pid()) + "/root" + Path(name);
  }
  void Fill() const {
    std::ofstream file(FromOutside("filling"), std::ios::binary);
    while (file.write("x", 1).flush()) continue;
  }
  void MakeRoom() const { std::filesystem::remove(FromOutside("filling")); }

 private:
  const std::string folder_;
  ChildProcess holder_;
  bool mounted_ = false;
};

class DiskFull : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "no disk of its own for a test on this machine";
  }

  // Always at one address, so that the pool follows.
  std::vector<std::string> MasterFlags() const {
    return {"--state_file=" + disk_.Path("state"),
            "--port=" + std::to_string(port_),
            SuspectAfter(500),
            "--gone_after_ms=1500",
            "--heartbeat_ms=100",
            "--lease_ms=1000"};
  }

  static void ExpectRight(Client& client, const std::string& key) {
    const Result<std::string> got = client.Get(key, kSoon);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(VersionTold(key, *got), 1u);
  }

  const SmallDisk disk_;
  const uint16_t port_ = FreePort();
};

TEST_F(DiskFull, ThePoolGoesOnAndKeepsWhatItHasWhereTheStateFileCanNotBeWritten) {
  auto master = std::make_unique<MasterProcess>(MasterFlags(), disk_.Within());
  ASSERT_TRUE(master->running());
  NodeProcess shelf(*master, "shelf", "8MiB");
  NodeProcess other(*master, "other", "8MiB");
  const auto client = Join(*master);
  ASSERT_NE(client, nullptr);
  other.process().Signal(SIGSTOP);  // so that all lies on the shelf
  ASSERT_EQ(client->Put("key", ToldValue("key", 1, kCells), {.timeout = kSoon, .durable = true}),
            Status::Ok());
  disk_.Fill();

  ChildProcess late({KVSTORE_NODE_PATH, "--master=" + master->address(), "--lend=8MiB",
                     "--name=late", "--connect_timeout=2s"});
  EXPECT_EQ(late.WaitForExit(kSoon), 1);
  EXPECT_NE(late.output().find("No space left on device; make room there"), std::string::npos)
      << late.output();
  other.process().Signal(SIGKILL);
  EXPECT_TRUE(
      master->process().WaitForLine("remain members until that can be written down", kSoon));
  EXPECT_NE(master->process().output().find("No space left on device; make room there"),
            std::string::npos);
  EXPECT_EQ(client->Put("more", ToldValue("more", 1, kCells), {.timeout = kSoon}), Status::Ok());
  ExpectRight(*client, "key");
  const std::string kept = ReadFile(disk_.FromOutside("state"));
  EXPECT_NE(kept.find("shelf"), std::string::npos);
  EXPECT_NE(kept.find("other"), std::string::npos);
  EXPECT_EQ(kept.find("late"), std::string::npos);

  // Nor does another master begin that could not say so, and the file stays whole.
  master->process().Signal(SIGKILL);
  ASSERT_TRUE(master->process().WaitForExit(kSoon));
  std::vector<std::string> arguments = disk_.Within();
  arguments.push_back(KVSTORE_MASTER_PATH);
  const std::vector<std::string> flags = MasterFlags();
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const Finished refused = RunProgram(arguments);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("No space left on device; make room there"), std::string::npos)
      << refused.err;
  EXPECT_EQ(ReadFile(disk_.FromOutside("state")), kept);

  disk_.MakeRoom();
  master = std::make_unique<MasterProcess>(MasterFlags(), disk_.Within());
  ASSERT_TRUE(master->running());
  ExpectRight(*client, "key");
  NodeProcess again(*master, "late", "8MiB");
  EXPECT_TRUE(again.running());
  const TimePoint until = BootClock::now() + kSoon;
  while (ReadFile(disk_.FromOutside("state")).find("other") != std::string::npos &&
         BootClock::now() < until) {
    EXPECT_TRUE(client->Exists("key").ok());
  }
  const std::string after = ReadFile(disk_.FromOutside("state"));
  EXPECT_EQ(after.find("other"), std::string::npos) << after;
  EXPECT_NE(after.find("late"), std::string::npos) << after;
}

TEST_F(DiskFull, WhatKvctlCanNotWriteIsAnErrorAndNotLeftBehind) {
  MasterProcess master;
  NodeProcess shelf(master, "shelf", "8MiB");
  const auto client = Join(master);
  ASSERT_NE(client, nullptr);
  const std::string value = ToldValue("key", 1, kCells);
  ASSERT_EQ(client->Put("key", value), Status::Ok());
  const auto get = [&](const std::string& more) {
    std::vector<std::string> arguments = disk_.Within();
    arguments.insert(arguments.end(), {"/bin/bash", "-c",
                                       std::string(KVSTORE_KVCTL_PATH) +
                                           " --master=" + master.address() + " get key " + more});
    return RunProgram(arguments);
  };
  const Finished full = get("--out " + disk_.Path("value"));
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find(disk_.Path("value") + ": No space left on device"), std::string::npos)
      << full.err;
  EXPECT_FALSE(std::filesystem::exists(disk_.FromOutside("value")));
  const Finished output = get("> " + disk_.Path("output"));
  EXPECT_EQ(output.code, 1);
  EXPECT_NE(output.err.find("can't write to standard output"), std::string::npos) << output.err;
  const Finished right = get("");
  EXPECT_EQ(right.code, 0) << right.err;
  EXPECT_EQ(right.out, value);
}

// Nobody is told, and nothing else happens.
TEST(LogFull, MasterAndNodeGoOn) {
  for (const std::string format : {"text", "json"}) {
    const std::string address = "127.0.0.1:" + std::to_string(FreePort());
    const std::string port = address.substr(address.find(':') + 1);
    ChildProcess master({"/bin/bash", "-c",
                         "exec " KVSTORE_MASTER_PATH
                         " --metrics_port=0 --state_file=none --quiet_start_ms=0 --log_objects"
                         " --log_format=" +
                             format + " --port=" + port + " 2>/dev/full"});
    ASSERT_TRUE(master.WaitForLine(" ready on ", kSoon));
    ChildProcess node(
        {"/bin/bash", "-c",
         "exec " KVSTORE_NODE_PATH " --lend=8MiB --master=" + address + " 2>/dev/full"});
    ASSERT_TRUE(node.WaitForLine(" ready", kSoon));
    ClientOptions options;
    options.master = address;
    const auto client = Client::Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->Put("key", ToldValue("key", 1, 4096)), Status::Ok());
    const Result<std::string> got = (*client)->Get("key");
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(VersionTold("key", *got), 1u);
    node.Signal(SIGTERM);
    EXPECT_EQ(node.WaitForExit(kSoon), 0);
    master.Signal(SIGTERM);
    EXPECT_EQ(master.WaitForExit(kSoon), 0);
  }
}

// Not by a signal. The limit is also that of memory that is shared.
TEST(FileSizeLimit, ItsExcessIsAClearError) {
  ChildProcess node({"/bin/bash", "-c",
                     "ulimit -f 1024; exec " KVSTORE_NODE_PATH
                     " --lend=64MiB --master=127.0.0.1:1 --connect_timeout=1s"});
  EXPECT_EQ(node.WaitForExit(kSoon), 1);
  EXPECT_NE(node.output().find("ulimit -f"), std::string::npos) << node.output();
#if !defined(__SANITIZE_THREAD__)  // its runtime writes a file before main begins
  ChildProcess master({"/bin/bash", "-c",
                       "ulimit -f 0; exec " KVSTORE_MASTER_PATH
                       " --port=0 --metrics_port=0 --quiet_start_ms=0 --state_file=" +
                           TempPath("limited.state")});
  EXPECT_EQ(master.WaitForExit(kSoon), 1);
  EXPECT_NE(master.output().find("File too large"), std::string::npos) << master.output();
#endif
}

}  // namespace
}  // namespace kvstore::cluster
