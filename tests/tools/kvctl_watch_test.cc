#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class KvctlWatchTest : public KvctlTest {
 protected:
  // Watching, when it is returned.
  std::unique_ptr<ChildProcess> Watch(std::vector<std::string> words) {
    words.insert(words.begin(), {KVSTORE_KVCTL_PATH, "--master", master_.address(), "watch"});
    auto watch = std::make_unique<ChildProcess>(words);
    EXPECT_TRUE(watch->WaitForLine("watching", seconds(20))) << watch->output();
    return watch;
  }
};

TEST_F(KvctlWatchTest, ObjectsAreToldOfAsTheyComeAndGo) {
  const auto watch = Watch({});
  ASSERT_EQ(Run({"put", "key\n", "-"}, std::string(2048, 'x')).code, 0);
  EXPECT_TRUE(watch->WaitForLine("committed             key\\x0a, 2.0 KiB", seconds(20)));
  ASSERT_EQ(Run({"rm", "key\n"}).code, 0);
  EXPECT_TRUE(watch->WaitForLine("removed               key", seconds(20))) << watch->output();
  watch->Signal(SIGINT);
  EXPECT_EQ(watch->WaitForExit(seconds(20)), 0);
}

TEST_F(KvctlWatchTest, ANodeThatLeavesIsToldOf) {
  const auto watch = Watch({"--kinds", "node_left,node_gone"});
  node_.process().Signal(SIGTERM);
  EXPECT_TRUE(watch->WaitForLine("lender", seconds(20))) << watch->output();
  EXPECT_THAT(watch->output(), HasSubstr("node_left"));
}

TEST_F(KvctlWatchTest, AFilterLetsThroughWhatItNames) {
  const auto watch = Watch({"--prefix", "m/", "--kinds=committed", "--output", "json"});
  for (const char* key : {"n/1", "m/1"}) {
    ASSERT_EQ(Run({"put", key, "-"}, "v").code, 0);
    ASSERT_EQ(Run({"rm", key}).code, 0);
  }
  ASSERT_EQ(Run({"put", "m/2", "-"}, "v").code, 0);
  const auto line = watch->WaitForLine("m/2", seconds(20));
  ASSERT_TRUE(line) << watch->output();
  const auto event = JsonValue::Parse(*line);
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)["event"].text(), "committed");
  EXPECT_EQ((*event)["key"].text(), "m/2");
  EXPECT_EQ((*event)["size"].number(), 1);
  EXPECT_THAT(watch->output(), Not(HasSubstr("n/1")));
  EXPECT_THAT(watch->output(), Not(HasSubstr("removed")));
  EXPECT_THAT(watch->output(), HasSubstr("m/1"));
}

TEST_F(KvctlWatchTest, ItEndsAfterTheTimeThatWasNamed) {
  const Finished watch = Run({"watch", "--for", "200ms"});
  EXPECT_EQ(watch.code, 0);
  EXPECT_EQ(watch.out, "");
}

TEST_F(KvctlWatchTest, AnUnknownKindIsRefusedWithThoseThatThereAre) {
  const Finished watch = Run({"watch", "--kinds", "commited"});
  EXPECT_EQ(watch.code, 1);
  EXPECT_THAT(watch.err, HasSubstr("committed, "));
}

TEST_F(KvctlWatchTest, TheHelpNamesAllKinds) {
  const std::string known = Run({"watch", "--kinds", "none such"}).err;
  std::string help = Kvctl({"help", "watch"}).out;
  std::replace(help.begin(), help.end(), '\n', ' ');
  std::istringstream kinds(known.substr(known.find("there are ") + 10));
  int count = 0;
  for (std::string kind; kinds >> kind; ++count) {
    if (kind.ends_with(',')) kind.pop_back();
    EXPECT_THAT(help, ContainsRegex(" " + kind + "[,.]"));
  }
  EXPECT_GE(count, 20);
}

TEST_F(KvctlWatchTest, WithoutAMasterItSaysSoInTime) {
  const Finished watch = Kvctl({"--master", "127.0.0.1:1", "--timeout", "1s", "watch"});
  EXPECT_EQ(watch.code, 1);
  EXPECT_THAT(watch.err, HasSubstr("no master at 127.0.0.1:1"));
}

TEST(KvctlWatchRestartTest, TheNextMasterIsWatchedWhenOneIsLost) {
  std::optional<MasterProcess> master(std::in_place);
  ASSERT_TRUE(master->running());
  const std::string address = master->address();
  ChildProcess watch({KVSTORE_KVCTL_PATH, "--master", address, "--timeout", "30s", "watch",
                      "--kinds", "committed"});
  ASSERT_TRUE(watch.WaitForLine("watching", seconds(20)));
  master->process().Signal(SIGKILL);
  ASSERT_TRUE(watch.WaitForLine("is not seen", seconds(20))) << watch.output();
  master.emplace(std::vector<std::string>{"-port", address.substr(address.rfind(':') + 1)});
  ASSERT_TRUE(master->running());
  NodeProcess node(*master, "lender", "64MiB");
  // It may not watch yet, so that one of many is seen.
  for (int i = 0; i < 200 && !watch.WaitForLine("committed", std::chrono::milliseconds(100)); ++i) {
    Kvctl({"--master", address, "put", "key" + std::to_string(i), "-"}, "v");
  }
  EXPECT_THAT(watch.output(), HasSubstr("committed"));
}

}  // namespace
}  // namespace kvstore::cluster
