// kvctl explain, against a real pool.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// "get" of kvctl exits with 3 when there is nothing.
TEST_F(KvctlTest, ExplainsWhatWasNeverPutAndByWhomItIsMissed) {
  EXPECT_EQ(Run({"explain", "k"}).code, 3);
  EXPECT_EQ(Run({"get", "k"}).code, 3);
  EXPECT_EQ(Run({"get", "k"}).code, 3);
  const Finished told = Run({"explain", "k"});
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.out, HasSubstr("is not there"));
  EXPECT_THAT(told.out, HasSubstr("never put"));
  EXPECT_THAT(told.out, ContainsRegex("asked for 2 times in vain, the last .* ago"));
}

TEST_F(KvctlTest, ExplainsWhatIsThereAndThatItWasAskedForTooEarly) {
  EXPECT_EQ(Run({"get", "k"}).code, 3);
  ASSERT_EQ(Run({"put", "k", "-"}, "value").code, 0);
  const Finished told = Run({"explain", "k"});
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.out, HasSubstr("is there: 5 B"));
  EXPECT_THAT(told.out, ContainsRegex("in vain.*before it was put"));
}

TEST_F(KvctlTest, ExplainsHowObjectsHaveEnded) {
  for (const char* const key : {"a/1", "a/2", "a/3"}) {
    ASSERT_EQ(Run({"put", key, "-"}, "value").code, 0);
  }
  ASSERT_EQ(Run({"rm", "a/1"}).code, 0);
  ASSERT_EQ(Run({"evict", "a/2"}).code, 0);
  EXPECT_THAT(Run({"explain", "a/1"}).out, ContainsRegex("removed, .* ago"));
  EXPECT_THAT(Run({"explain", "a/2"}).out, ContainsRegex("evicted by operator, .* ago"));
  const Finished all = Run({"explain", "a/"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("1 are there, 2 others are remembered"));
  EXPECT_THAT(all.out, HasSubstr("removed: 1"));
  const JsonValue json = Json({"explain", "a/", "--limit=1"});
  EXPECT_EQ(json["there_with_prefix"].number(), 1);
  EXPECT_EQ(json["remembered_with_prefix"].number(), 2);
  ASSERT_EQ(json["remembered"].size(), 1u);
  EXPECT_EQ(json["remembered"][0]["ended"].text(), "evicted_by_operator");
  EXPECT_EQ(Run({"explain"}).code, 0);
}

TEST_F(KvctlTest, ExplainsThatKeysDifferInOnePartAlone) {
  ASSERT_EQ(Run({"put", "m@1@0@1f0c9a77@bfloat16", "-"}, "value").code, 0);
  EXPECT_EQ(Run({"get", "m@1@0@1f0c9a77@half"}).code, 3);
  const Finished told = Run({"explain", "m@1@0@1f0c9a77@half"});
  EXPECT_THAT(told.out, HasSubstr("but for the dtype: asked for half, there is bfloat16"));
  EXPECT_THAT(told.out, HasSubstr("remedy:"));
  const JsonValue json = Json({"explain", "m@"});
  ASSERT_EQ(json["alike"].size(), 1u);
  EXPECT_EQ(json["alike"][0]["differs_in"].text(), "dtype");

  EXPECT_EQ(Run({"get", "m@1@0@2f0c9a77@bfloat16"}).code, 3);
  EXPECT_THAT(Run({"explain", "m@1@0@2f0c9a77@bfloat16"}).out, HasSubstr("PYTHONHASHSEED"));
  EXPECT_THAT(Run({"explain", "m@1@0@2f0c9a77@bfloat16", "--compare=0"}).out,
              ::testing::Not(HasSubstr("alike")));
}

// As engines do: they look up, find nothing, and put.
TEST_F(KvctlTest, ExplainFindsNothingWrongWhereAllThatWasMissedHasBeenPut) {
  for (const char* const key :
       {"m@2@0@1f0c9a77@half", "m@2@1@1f0c9a77@half", "m@2@0@2f0c9a77@half", "of/no/form"}) {
    EXPECT_EQ(Run({"get", key}).code, 3);
    ASSERT_EQ(Run({"put", key, "-"}, "value").code, 0);
  }
  const JsonValue json = Json({"explain"});
  EXPECT_EQ(json["alike"].size(), 0u);
  EXPECT_EQ(json["remembered_with_prefix"].number(), 0);
  EXPECT_EQ(json["there_with_prefix"].number(), 4);
  EXPECT_EQ(json["missed_before_put"].number(), 4);
  const Finished told = Run({"explain", "of/", "--compare=0"});
  EXPECT_THAT(told.out, HasSubstr("1 are there, 0 others"));
  EXPECT_THAT(told.out, HasSubstr("1 of what is there was asked for in vain before it was put"));
}

TEST_F(KvctlTest, ExplainRefusesWhatItCannotRead) {
  EXPECT_EQ(Run({"explain", "a", "b"}).code, 2);
  EXPECT_EQ(Run({"explain", "--limit=many", "a"}).code, 2);
  EXPECT_EQ(Run({"explain", "--compare=-1", "a"}).code, 2);
  EXPECT_EQ(Kvctl({"--master", "127.0.0.1:1", "--timeout", "1s", "explain", "a"}).code, 1);
}

}  // namespace
}  // namespace kvstore::cluster
