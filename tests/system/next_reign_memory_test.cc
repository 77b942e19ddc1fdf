// Memory that somebody touches while one master follows another is given to nobody.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/free_port.h"
#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

std::string NewFolder() {
  std::string folder = std::filesystem::temp_directory_path() / "kvstore-reign-XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  return folder;
}

class NextReign : public OneHost {
 protected:
  NextReign() : NextReign(NewFolder()) {}
  ~NextReign() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void RestartMaster() {
    master_.process().Signal(SIGKILL);
    ASSERT_EQ(master_.process().WaitForExit(seconds(20)), 128 + SIGKILL);
    master_ = MasterProcess(flags_);
    ASSERT_TRUE(master_.running());
    ASSERT_TRUE(node_->process().WaitForLine("reports to the master of term 2", seconds(30)));
  }

 private:
  explicit NextReign(const std::string& folder) : NextReign(folder, FlagsFor(folder)) {}
  NextReign(const std::string& folder, const std::vector<std::string>& flags)
      : OneHost(flags), folder_(folder), flags_(flags) {}

  static std::vector<std::string> FlagsFor(const std::string& folder) {
    return {"--port=" + std::to_string(FreePort()),
            "--state_file=" + folder + "/master.state",
            "--quiet_start_ms=1000",
            "--lease_ms=0",
            "--free_share_wanted=0",
            "--heartbeat_ms=100",
            "--suspect_after_ms=500",
            "--abort_writer_after_ms=100",
            "--order_resend_ms=200",
            "--log_level=warning"};
  }

  const std::string folder_;
  const std::vector<std::string> flags_;
};

TEST_F(NextReign, AViewKeepsItsBytesThoughNoNoteNamesThem) {
  ToldClient viewer(master_, "viewer");
  PutTold("told", 1);
  ASSERT_EQ(viewer.Do("view told"), "version 1");
  ASSERT_EQ(writer_->Remove("told"), Status::Ok());
  RestartMaster();
  WriteOverThePool();
  ExpectAllButOneObject();
  EXPECT_EQ(viewer.Do("look told"), "version 1");
  EXPECT_TRUE(Read("told").starts_with("not_found"));
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectWholePool();
}

TEST_F(NextReign, AViewOfAnObjectThatIsKeptGoesOn) {
  ToldClient viewer(master_, "viewer");
  PutOptions options{.replace = true};
  options.durable = true;
  ASSERT_EQ(writer_->Put("told", ToldValue("told", 1, kCells), options), Status::Ok());
  ASSERT_EQ(viewer.Do("view told"), "version 1");
  RestartMaster();
  EXPECT_EQ(Read("told"), "version 1");
  ASSERT_EQ(writer_->Remove("told", seconds(20)), Status::Ok());
  WriteOverThePool();
  EXPECT_EQ(viewer.Do("look told"), "version 1");
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectWholePool();
}

TEST_F(NextReign, AWriterPausedInTheMidstOfItsCopyKeepsItsMemoryAndBeginsAgain) {
  ToldClient paused(master_, "paused");
  const int put = paused.Begin("put told 1 " + std::to_string(kCells) + " half 60000");
  paused.AwaitStop(put, "half");
  paused.Stop();
  RestartMaster();
  WriteOverThePool();
  ExpectAllButOneObject();
  EXPECT_TRUE(Read("told").starts_with("not_found"));
  paused.Continue();
  paused.GoOn();
  EXPECT_EQ(paused.Result(put), "ok");
  EXPECT_EQ(Read("told"), "version 1");
  EXPECT_EQ(writer_->Remove("told", seconds(20)), Status::Ok());
  ExpectWholePool();
}

}  // namespace
}  // namespace kvstore::cluster
