// The units for systemd and the settings that they name.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "packages/installed.h"

namespace kvstore::packages {
namespace {

TEST(SettingsTest, AreWhatTheProgramsTake) {
  const std::string settings = KVSTORE_PACKAGING_FOLDER;
  const auto in_force = [&](const std::string& program, const std::string& file) {
    return Execute({program, "--config", settings + "/" + file, "--print_config"}).out;
  };
  EXPECT_NE(in_force(KVSTORE_MASTER_PATH, "master.yaml").find("port: 50051"), std::string::npos);
  EXPECT_NE(in_force(KVSTORE_NODE_PATH, "node.yaml").find("master: 127.0.0.1:50051"),
            std::string::npos);
}

class UnitsTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (access("/usr/bin/systemd-analyze", X_OK) != 0) GTEST_SKIP() << "no systemd-analyze here";
    const std::string tree = folder_.path() + "/tree";
    Shell("DESTDIR=" + tree +
          " " KVSTORE_CMAKE_PATH " --install " KVSTORE_BUILD_FOLDER " --component debian");
    std::string unit = cluster::ReadFile(tree + "/lib/systemd/system/" + GetParam());
    // Neither program need be installed on this machine.
    const std::string installed = "ExecStart=/usr/bin/";
    const size_t at = unit.find(installed);
    ASSERT_NE(at, std::string::npos) << unit;
    unit.replace(at, installed.size(), "ExecStart=" KVSTORE_BUILD_FOLDER "/bin/");
    cluster::WriteFile(unit_, unit);
  }

  const Folder folder_;
  const std::string unit_ = folder_.path() + "/" + GetParam();
};

INSTANTIATE_TEST_SUITE_P(All, UnitsTest,
                         ::testing::Values("kvstore-master.service", "kvstore-node.service"),
                         [](const auto& unit) {
                           const std::string name = unit.param;
                           return name.substr(8, name.find('.') - 8);
                         });

TEST_P(UnitsTest, SystemdTakesThem) {
  const cluster::Finished verdict =
      Execute({"/usr/bin/systemd-analyze", "verify", "--man=no", "--recursive-errors=one", unit_});
  EXPECT_EQ(verdict.out + verdict.err, "") << cluster::ReadFile(unit_);
}

// Of 10, by systemd's own measure; what is left of it is that they serve a network.
TEST_P(UnitsTest, AreExposedByTwoAtMost) {
  Execute({"/usr/bin/systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20",
           unit_});
}

}  // namespace
}  // namespace kvstore::packages
