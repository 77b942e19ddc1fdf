#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "packages/installed.h"

// The Debian packages: what is in them, what they ask for, and that what they unpack runs.
namespace kvstore::packages {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class DebTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Execute({KVSTORE_CPACK_PATH, "--config", KVSTORE_BUILD_FOLDER "/CPackConfig.cmake", "-B",
             packages_});
  }

  // The package's file, whatever the architecture.
  std::string PathOf(const std::string& package) const {
    for (const auto& entry : std::filesystem::directory_iterator(packages_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(package + "_" KVSTORE_VERSION "-") && name.ends_with(".deb")) {
        return entry.path();
      }
    }
    ADD_FAILURE() << "no package " << package;
    return "";
  }

  std::string Field(const std::string& package, const std::string& field) const {
    return Execute({"/usr/bin/dpkg-deb", "-f", PathOf(package), field}).out;
  }

  std::string Contents(const std::string& package) const {
    return Execute({"/usr/bin/dpkg-deb", "-c", PathOf(package)}).out;
  }

  const Folder folder_;
  const std::string packages_ = folder_.path() + "/packages";
  const std::string tree_ = folder_.path() + "/tree";
};

TEST_F(DebTest, ThePackagesHoldWhatTheirNamesSayAndRun) {
  // One cpack for all that can be asked of its packages.
  const std::string programs = Contents("kvstore");
  for (const char* path :
       {"./usr/bin/kvstore_master", "./usr/bin/kvstore_node", "./usr/bin/kvctl",
        "./usr/bin/kvbench", "./usr/share/man/man1/kvbench.1", "./usr/share/man/man1/kvctl.1",
        "./usr/share/man/man1/kvstore_master.1", "./usr/share/man/man1/kvstore_node.1",
        "./usr/share/bash-completion/completions/kvctl",
        "./usr/share/zsh/vendor-completions/_kvctl",
        "./usr/share/fish/vendor_completions.d/kvctl.fish", "./etc/kvstore/master.yaml",
        "./etc/kvstore/node.yaml", "./lib/systemd/system/kvstore-master.service",
        "./lib/systemd/system/kvstore-node.service", "./usr/share/doc/kvstore/copyright",
        "./usr/share/doc/kvstore/SECURITY.md", "./usr/share/kvstore/grafana/kvstore.json",
        "./usr/share/kvstore/prometheus/kvstore-alerts.yaml"}) {
    EXPECT_TRUE(Has(programs, path)) << path << " is not among\n" << programs;
  }
  for (const char* path : {"./usr/include", "libkv", "./usr/etc", "/usr/lib/systemd", "kvdemo"}) {
    EXPECT_FALSE(Has(programs, path)) << path << " is among\n" << programs;
  }
  EXPECT_EQ(Execute({"/usr/bin/dpkg-deb", "-I", PathOf("kvstore"), "conffiles"}).out,
            "/etc/kvstore/master.yaml\n/etc/kvstore/node.yaml\n");
  for (const char* need : {"adduser", "libc6", "libgrpc++1.51", "libyaml-cpp0.7"}) {
    EXPECT_TRUE(Has(Field("kvstore", "Depends"), need)) << Field("kvstore", "Depends");
  }

  const std::string libraries = Contents("libkvclient0");
  EXPECT_TRUE(Has(libraries, "/" KVSTORE_LIBDIR "/libkvclient.so.0"));
  EXPECT_TRUE(Has(libraries, "/" KVSTORE_LIBDIR "/libkvtransfer.so.0"));
  EXPECT_FALSE(Has(libraries, ".so\n") || Has(libraries, ".so ->")) << libraries;
  EXPECT_TRUE(Has(Field("libkvclient0", "Depends"), "libgrpc++1.51"));
  EXPECT_EQ(Execute({"/usr/bin/dpkg-deb", "-I", PathOf("libkvclient0"), "shlibs"}).out,
            "libkvclient 0 libkvclient0 (>= " KVSTORE_VERSION
            "-1)\nlibkvtransfer 0 libkvclient0 (>= " KVSTORE_VERSION "-1)\n");

  const std::string development = Contents("libkvclient-dev");
  for (const char* path :
       {"./usr/include/kvstore/client.h", "./usr/include/kvstore/kvclient.h",
        "./usr/include/kvstore/transfer.h", "/libkvclient.so ->", "/pkgconfig/kvclient.pc",
        "/cmake/kvstore/kvstoreConfig.cmake", "/examples/put_get.c"}) {
    EXPECT_TRUE(Has(development, path)) << path << " is not among\n" << development;
  }
  EXPECT_EQ(Field("libkvclient-dev", "Depends"), "libkvclient0 (= " KVSTORE_VERSION "-1)\n");

  for (const char* package : {"kvstore", "libkvclient0", "libkvclient-dev"}) {
    Execute({"/usr/bin/dpkg-deb", "-x", PathOf(package), tree_});
  }
  const std::string lib = tree_ + "/usr/" KVSTORE_LIBDIR;
  const std::string program = folder_.path() + "/put_get_c";
  Shell(KVSTORE_CC " " + tree_ + "/usr/share/doc/libkvclient-dev/examples/put_get.c -o " + program +
        " $(PKG_CONFIG_PATH=" + lib + "/pkgconfig pkg-config --cflags --libs kvclient)" +
        " -Wl,-rpath," + lib);
  const InstalledPool pool(tree_ + "/usr/bin");
  EXPECT_EQ(Execute({program, pool.master()}).out,
            "a block in two pieces\nremoved; then: not_found\n");
  EXPECT_TRUE(
      Has(Execute({tree_ + "/usr/bin/kvctl", "--master", pool.master(), "nodes"}).out, "shelf"));
}

// Run as dpkg runs them, but among stand-ins for what they call, which write down what they were
// told.
class MaintainerScriptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"adduser", "systemctl"}) {
      StandIn(name, "echo " + std::string(name) + " \"$@\" >>" + calls_);
    }
    StandIn("getent", "exit 2");
    cluster::WriteFile(calls_, "");
  }

  void StandIn(const std::string& name, const std::string& what) {
    const std::string path = folder_.path() + "/" + name;
    cluster::WriteFile(path, "#!/bin/sh\n" + what + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  // What it called.
  std::string CallsOf(const std::string& script, const std::string& action) {
    cluster::WriteFile(calls_, "");
    Shell("PATH=" + folder_.path() + ":$PATH " KVSTORE_PACKAGING_FOLDER "/debian/" + script + " " +
          action);
    return cluster::ReadFile(calls_);
  }

  const Folder folder_;
  const std::string calls_ = folder_.path() + "/calls";
};

TEST_F(MaintainerScriptTest, TheUserIsMadeOnce) {
  EXPECT_TRUE(Has(CallsOf("postinst", "configure"), "adduser --system --group"));
  EXPECT_FALSE(Has(CallsOf("postinst", "abort-upgrade 0.1.0-1"), "adduser"));
  StandIn("getent", "exit 0");
  EXPECT_FALSE(Has(CallsOf("postinst", "configure 0.1.0-1"), "adduser"));
}

TEST_F(MaintainerScriptTest, NothingIsStartedAndAnUpgradeStopsNothing) {
  for (const auto& [script, action] : std::vector<std::pair<std::string, std::string>>{
           {"postinst", "configure"}, {"prerm", "upgrade 0.2.0-1"}, {"postrm", "purge"}}) {
    const std::string calls = CallsOf(script, action);
    for (const char* verb : {"start", "stop", "enable", "disable"}) {
      EXPECT_FALSE(Has(calls, verb)) << script << " " << action << ": " << calls;
    }
  }
}

}  // namespace
}  // namespace kvstore::packages
