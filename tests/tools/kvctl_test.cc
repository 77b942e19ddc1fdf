#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using text::JsonValue;

TEST_F(KvctlTest, WhatWasPutIsGotByteForByte) {
  std::string value;
  for (int i = 0; i < 300'000; ++i) value += static_cast<char>(i * 7 % 256);
  const Finished put = Run({"put", "some/key", "-"}, value);
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_EQ(put.out, "stored 293.0 KiB\n");
  EXPECT_EQ(put.err, "");

  EXPECT_EQ(Run({"get", "some/key"}).out, value);
  const std::string file = TempPath("got");
  EXPECT_EQ(Run({"get", "some/key", "-o", file}).code, 0);
  EXPECT_EQ(ReadFile(file), value);
  unlink(file.c_str());
}

TEST_F(KvctlTest, AFileAndAnEmptyOneCanBePut) {
  const std::string file = TempPath("value");
  WriteFile(file, "hello\n");
  EXPECT_EQ(Run({"put", "full", file}).code, 0);
  WriteFile(file, "");
  EXPECT_EQ(Run({"put", "empty", file}).code, 0);
  unlink(file.c_str());
  EXPECT_EQ(Run({"get", "full"}).out, "hello\n");
  const Finished empty = Run({"get", "empty"});
  EXPECT_EQ(empty.code, 0) << empty.err;
  EXPECT_EQ(empty.out, "");
}

TEST_F(KvctlTest, ATakenKeyIsReplacedOnlyWhenAsked) {
  EXPECT_EQ(Run({"put", "key", "-"}, "one").code, 0);
  const Finished refused = Run({"put", "key", "-"}, "two");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("already_exists"));
  EXPECT_EQ(Run({"get", "key"}).out, "one");
  EXPECT_EQ(Run({"put", "--replace", "key", "-"}, "three").code, 0);
  EXPECT_EQ(Run({"get", "key"}).out, "three");
}

TEST_F(KvctlTest, PutSaysHowLongTheObjectIsToBeKept) {
  EXPECT_EQ(Run({"put", "--ttl", "1ms", "key", "-"}, "gone").code, 0);
  EXPECT_EQ(Run({"get", "key"}).code, 3);
  EXPECT_EQ(Run({"put", "--pin", "--soft-pin=1h", "--group", "g", "key", "-"}, "kept").code, 0);
  EXPECT_EQ(Run({"get", "key"}).out, "kept");
  const Finished half = Run({"put", "--pin", "large", "-"}, std::string(32 << 20, 'x'));
  EXPECT_EQ(half.code, 1);
  EXPECT_THAT(half.err, HasSubstr("too much is pinned"));
  EXPECT_THAT(Run({"put", "--group", std::string(256, 'g'), "k", "-"}, "x").err,
              HasSubstr("group has 256 bytes"));
  const Finished refused = Run({"put", "--ttl", "soon", "k", "-"}, "x");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--ttl: "));
}

TEST_F(KvctlTest, AnInputThatCanNotBeReadToItsEndIsNotStored) {
  const std::pair<const char*, const char*> inputs[] = {
      {R"(exec "$1" --master "$2" put key - <&-)", "Bad file descriptor"},
      {R"(exec "$1" --master "$2" put key - </)", "Is a directory"},
      {R"(exec "$1" --master "$2" put key /)", "Is a directory"},
  };
  for (const auto& [script, reason] : inputs) {
    const Finished put = Shell(script, master_);
    EXPECT_EQ(put.code, 1) << script;
    EXPECT_EQ(put.out, "");
    EXPECT_THAT(put.err, HasSubstr(reason));
    EXPECT_EQ(Run({"get", "key"}).code, 3);
  }
}

TEST_F(KvctlTest, AnInputThatMemoryDoesNotSufficeForIsNotStored) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than the limit below gives";
#endif
  for (const char* input : {R"("$file")", R"(- <"$file")", R"(- </dev/zero)"}) {
    const std::string script = "file=$(mktemp) && truncate -s 2G \"$file\"; ulimit -v 1500000\n" +
                               std::string(R"("$1" --master "$2" put key )") + input +
                               "\ncode=$?; rm \"$file\"; exit $code";
    const Finished put = Shell(script, master_);
    EXPECT_EQ(put.code, 1) << input;
    EXPECT_EQ(put.out, "");
    EXPECT_THAT(put.err, HasSubstr("no memory"));
    EXPECT_EQ(Run({"get", "key"}).code, 3);
  }
}

TEST_F(KvctlTest, AReaderThatHasHadEnoughIsNoErrorToTellAndThePoolIsLeft) {
  ASSERT_EQ(Run({"put", "key", "-"}, std::string(8 << 20, 'x')).code, 0);
  const Finished got =
      Shell(R"({ "$1" --master "$2" get key; echo "exit $?" >&2; } | head -c 10)", master_);
  EXPECT_EQ(got.out, "xxxxxxxxxx");
  EXPECT_EQ(got.err, "exit 1\n");
  EXPECT_EQ(Json({"nodes"})["nodes"].size(), 1u);
}

TEST_F(KvctlTest, AClosedStandardOutputIsTold) {
  const Finished got = Shell(R"("$1" --master "$2" status >&-)", master_);
  EXPECT_EQ(got.code, 1);
  EXPECT_THAT(got.err, HasSubstr("can't write to standard output"));
}

TEST_F(KvctlTest, ALongKeyIsShortenedInTheTableOnly) {
  const std::string key = "begin" + std::string(1000, 'k') + "end";
  ASSERT_EQ(Run({"put", key, "-"}, "1").code, 0);
  const std::string table = Run({"ls"}).out;
  EXPECT_THAT(table, ContainsRegex("begink+\\.\\.\\.k+end "));
  EXPECT_LT(table.size(), 400u);
  EXPECT_EQ(Json({"ls"})["objects"][0]["key"].text(), key);
}

TEST_F(KvctlTest, AMissingObjectIsExitStatusThree) {
  EXPECT_EQ(Run({"get", "nothing"}).code, 3);
  EXPECT_EQ(Run({"stat", "nothing"}).code, 3);
  EXPECT_EQ(Run({"rm", "nothing"}).code, 3);
  EXPECT_EQ(Run({"get", "nothing"}).out, "");
}

TEST_F(KvctlTest, ListsKeysInOrderAndByPrefix) {
  for (const char* key : {"m/2", "m/1", "n/1"}) Run({"put", key, "-"}, "abc");
  const JsonValue all = Json({"ls"});
  ASSERT_EQ(all["objects"].size(), 3u);
  EXPECT_EQ(all["objects"][0]["key"].text(), "m/1");
  EXPECT_EQ(all["objects"][0]["size"].number(), 3);
  EXPECT_EQ(all["objects"][0]["nodes"][0].text(), "lender");
  EXPECT_EQ(Json({"ls", "--prefix", "m/"})["objects"].size(), 2u);

  const JsonValue cut = Json({"ls", "--limit", "1"});
  EXPECT_EQ(cut["objects"].size(), 1u);
  EXPECT_EQ(std::get<bool>(cut["more"].value), true);
  const Finished table = Run({"ls", "--limit=2"});
  EXPECT_THAT(table.out, ContainsRegex("KEY +SIZE"));
  EXPECT_THAT(table.err, HasSubstr("there are more"));
}

TEST_F(KvctlTest, AKeyOfAnyBytesCanBeTypedAsItIsShown) {
  const std::string typed = "bin\\x00\\xff\\\\\\x1b";
  EXPECT_EQ(Run({"--escaped", "put", typed, "-"}, "value").code, 0);
  EXPECT_THAT(Run({"ls"}).out, HasSubstr(typed));
  EXPECT_EQ(Json({"ls"})["objects"][0]["key_base64"].text(), "YmluAP9cGw==");
  EXPECT_EQ(Run({"get", "--escaped", typed}).out, "value");
  EXPECT_EQ(Run({"ls", "--escaped", "--prefix", "bin\\x00"}).code, 0);
  EXPECT_EQ(Run({"rm", typed, "--escaped"}).code, 0);
}

TEST_F(KvctlTest, AKeyThatBeginsWithADashGoesBehindTheDoubleDash) {
  EXPECT_EQ(Run({"put", "--", "-key", "-"}, "value").code, 0);
  EXPECT_EQ(Run({"get", "-key"}).code, 2);
  EXPECT_EQ(Run({"get", "--", "-key"}).out, "value");
}

TEST_F(KvctlTest, KeysOutOfBoundsAreRefused) {
  EXPECT_EQ(Run({"put", std::string(1024, 'k'), "-"}, "value").code, 0);
  EXPECT_EQ(Run({"get", std::string(1024, 'k')}).out, "value");
  for (const std::string& key : {std::string(1025, 'k'), std::string()}) {
    const Finished refused = Run({"put", key, "-"}, "value");
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("invalid_argument"));
  }
}

TEST_F(KvctlTest, StatTellsSizeChecksumAndPlace) {
  Run({"put", "key", "-"}, "");
  const JsonValue stat = Json({"stat", "key"});
  EXPECT_EQ(stat["key"].text(), "key");
  EXPECT_EQ(stat["size"].number(), 0);
  EXPECT_EQ(stat["checksum_xxh3"].text(), "2d06800538d394c2");  // XXH3-64 of nothing
  EXPECT_EQ(stat["replicas"][0]["node"].text(), "lender");
  EXPECT_EQ(stat["replicas"][0]["reserved_bytes"].number(), 4096);
  EXPECT_THAT(Run({"stat", "key"}).out, ContainsRegex("replica +lender"));
}

TEST_F(KvctlTest, PutAndGetSpeakJsonToo) {
  Run({"put", "key", "-"}, "foobar");
  const JsonValue got = Json({"get", "key"});
  EXPECT_EQ(got["value_base64"].text(), "Zm9vYmFy");
  EXPECT_EQ(got["size"].number(), 6);
}

TEST_F(KvctlTest, APartIsGotByOffsetAndLength) {
  std::string value;
  for (int i = 0; i < 300'000; ++i) value += static_cast<char>(i * 7 % 256);
  ASSERT_EQ(Run({"put", "key", "-"}, value).code, 0);
  EXPECT_EQ(Run({"get", "--offset", "1KiB", "--length", "100000", "key"}).out,
            value.substr(1024, 100'000));
  EXPECT_EQ(Run({"get", "--offset=299999", "key"}).out, value.substr(299'999));
  EXPECT_EQ(Run({"get", "--length=1", "key"}).out, value.substr(0, 1));
  const Finished nothing = Run({"get", "--offset=300000", "key"});
  EXPECT_EQ(nothing.code, 0) << nothing.err;
  EXPECT_EQ(nothing.out, "");
  const JsonValue json = Json({"get", "--offset=299998", "key"});
  EXPECT_EQ(json["offset"].number(), 299'998);
  EXPECT_EQ(json["size"].number(), 2);
}

TEST_F(KvctlTest, APartBeyondTheObjectIsRefusedWithItsSize) {
  ASSERT_EQ(Run({"put", "key", "-"}, "hello").code, 0);
  for (const std::vector<std::string>& part :
       {std::vector<std::string>{"--offset=6"}, {"--length=6"}, {"--offset=4", "--length=2"}}) {
    std::vector<std::string> words = {"get", "key"};
    words.insert(words.end(), part.begin(), part.end());
    const Finished refused = Run(words);
    EXPECT_EQ(refused.code, 1) << part[0];
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, HasSubstr("which has 5 bytes"));
  }
  EXPECT_EQ(Run({"get", "--offset=0", "nothing"}).code, 3);
  EXPECT_EQ(Run({"get", "--offset=x", "key"}).code, 2);
}

TEST_F(KvctlTest, VerboseTellsTheWayOfTheBytesOnStandardError) {
  const bool shared = node_.process().WaitForLine("shared memory on", seconds(0)).has_value();
  const std::string told =
      "5.0 MiB by " + std::string(shared ? "shm" : "tcp") + " in .*; requests to the master: [1-9]";
  const Finished put = Run({"put", "--verbose", "key", "-"}, std::string(5 << 20, 'x'));
  EXPECT_THAT(put.err, ContainsRegex(told));
  const Finished got = Run({"get", "-v", "key"});
  EXPECT_EQ(got.out.size(), 5u << 20);
  EXPECT_THAT(got.err, ContainsRegex(told));
  EXPECT_THAT(Run({"get", "-v", "nothing"}).err, HasSubstr("no bytes moved"));
}

TEST_F(KvctlTest, MoreReplicasThanNodesAreRefused) {
  const Finished refused = Run({"put", "--replicas", "2", "--timeout", "1s", "key", "-"}, "value");
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(Run({"put", "--replicas", "9", "key", "-"}, "value").code, 2);
}

}  // namespace
}  // namespace kvstore::cluster
