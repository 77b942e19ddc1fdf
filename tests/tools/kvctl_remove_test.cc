#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST_F(KvctlTest, RemovesSeveralAndReportsTheMissingOne) {
  Run({"put", "a", "-"}, "1");
  Run({"put", "b", "-"}, "2");
  const Finished removed = Run({"rm", "a", "missing", "b"});
  EXPECT_EQ(removed.code, 3);
  EXPECT_THAT(removed.err, HasSubstr("missing"));
  EXPECT_EQ(Run({"get", "a"}).code, 3);
  EXPECT_EQ(Run({"get", "b"}).code, 3);
}

TEST_F(KvctlTest, RemovalsAreReportedOneByOneToScripts) {
  Run({"put", "a", "-"}, "1");
  const JsonValue removed = Json({"rm", "a", "missing"});
  EXPECT_EQ(removed["removed"][0]["status"].text(), "ok");
  EXPECT_EQ(removed["removed"][1]["status"].text(), "not_found");
}

class KvctlRemoveTest : public KvctlTest {
 protected:
  void SetUp() override {
    KvctlTest::SetUp();
    for (const char* key : {"m/1", "m/2", "m/30", "n/1"}) {
      ASSERT_EQ(Run({"put", key, "-"}, "v").code, 0);
    }
  }
  std::vector<std::string> Keys() {
    const JsonValue list = Json({"ls"});
    std::vector<std::string> keys;
    for (size_t i = 0; i < list["objects"].size(); ++i) {
      keys.push_back(list["objects"][i]["key"].text());
    }
    return keys;
  }
  using List = std::vector<std::string>;
};

TEST_F(KvctlRemoveTest, ByPrefix) {
  const Finished removed = Run({"rm", "--prefix", "m/", "--yes"});
  EXPECT_EQ(removed.out, "removed 3 objects\n") << removed.err;
  EXPECT_EQ(Keys(), List{"n/1"});
}

TEST_F(KvctlRemoveTest, ByRegularExpression) {
  EXPECT_EQ(Run({"rm", "--regex", "^m/[0-9]$", "--yes"}).out, "removed 2 objects\n");
  EXPECT_EQ(Keys(), (List{"m/30", "n/1"}));
  EXPECT_EQ(Run({"rm", "--regex", "x", "--yes"}).out, "removed 0 objects\n");
  EXPECT_EQ(Json({"rm", "--regex", "0", "-y"})["removed_objects"].number(), 1);
  EXPECT_EQ(Keys(), List{"n/1"});
}

TEST_F(KvctlRemoveTest, All) {
  EXPECT_EQ(Run({"rm", "--all", "-y"}).out, "removed 4 objects\n");
  EXPECT_EQ(Keys(), List{});
}

TEST_F(KvctlRemoveTest, WithoutATerminalItDoesNothingUnlessToldYes) {
  const Finished refused = Run({"rm", "--all"}, "y\n");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--yes"));
  EXPECT_EQ(Keys().size(), 4u);
}

TEST_F(KvctlRemoveTest, OnATerminalItSaysHowManyThereAreAndAsks) {
  // script(1) gives it a terminal.
  if (RunProgram({"/bin/sh", "-c", "command -v script"}).code != 0) {
    GTEST_SKIP() << "there is no script(1) here";
  }
  const auto answer = [&](const std::string& text) {
    return RunProgram(
               {"/bin/sh", "-c",
                R"(printf '%s\n' "$3" | script -qec "$1 --master $2 rm --prefix m/" /dev/null)",
                "sh", KVSTORE_KVCTL_PATH, master_.address(), text})
        .out;
  };
  EXPECT_THAT(answer("n"), HasSubstr("nothing was removed"));
  EXPECT_EQ(Keys().size(), 4u);
  EXPECT_THAT(answer("y"),
              ContainsRegex("remove the objects whose keys begin with m/: 3\\? \\[y/N\\]"));
  EXPECT_EQ(Keys(), List{"n/1"});
}

TEST_F(KvctlRemoveTest, WhatIsNotClearIsRefused) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"rm"},
                                                {"rm", "--all", "--prefix", "m/", "-y"},
                                                {"rm", "--all", "m/1", "-y"},
                                                {"rm", "--prefix", "", "-y"},
                                                {"rm", "--regex", "(", "-y"}}) {
    EXPECT_EQ(Run(words).code, 2) << words.back();
  }
  EXPECT_EQ(Keys().size(), 4u);
}

}  // namespace
}  // namespace kvstore::cluster
