// What explain makes of keys: their parts, and what is alike.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/kvctl/explain/likeness.h"

namespace kvstore::kvctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kSha(64, 'a');

// "maker: part=text part=text"
std::string Parts(std::string_view key) {
  const auto anatomy = Dissect(key);
  if (!anatomy) return "none";
  std::string all = std::string(anatomy->maker) + ":";
  for (const KeyPart& part : anatomy->parts) {
    all += ' ' + std::string(PartName(part.part)) + '=' + part.text;
  }
  return all;
}

TEST(Anatomy, OfLmcache) {
  EXPECT_EQ(Parts("meta-llama/Llama-3@2@1@1f0c9a77@bfloat16"),
            "LMCache: model=meta-llama/Llama-3 world size=2 rank=1 hash of the tokens=1f0c9a77 "
            "dtype=bfloat16");
  EXPECT_EQ(Parts("vllm@m@1@0@-8812345678@half@tag%x@3"),
            "LMCache: model=m world size=1 rank=0 hash of the tokens=-8812345678 dtype=half "
            "tag=tag%x layer=3");
  EXPECT_EQ(Parts("m@00000001@0@1f0c9a77@salt"),
            "LMCache: model=m rank=00000001 group of layers=0 hash of the tokens=1f0c9a77 "
            "tag=salt");
}

TEST(Anatomy, OfVllm) {
  EXPECT_EQ(Parts("team@Llama-3@tp_rank:0@pcp0@dcp0@pp_rank:1@group:0@1f0c9a77ab"),
            "vLLM: namespace=team model=Llama-3 rank=tp_rank:0 rank=pcp0 rank=dcp0 "
            "rank=pp_rank:1 group of layers=group:0 hash of the tokens=1f0c9a77ab");
  EXPECT_EQ(Parts("tp_rank:0@1f0c9a77ab"), "none");
  EXPECT_EQ(Parts("m@tp_rank:0@"), "none");
}

TEST(Anatomy, OfSglang) {
  EXPECT_EQ(Parts("my_tag_Qwen-3_" + kSha + "_0_k"),
            "SGLang: model=my_tag_Qwen-3 hash of the tokens=" + kSha + " rank=0 keys or values=k");
  EXPECT_EQ(Parts(kSha + "__k"), "SGLang: hash of the tokens=" + kSha + " rank= keys or values=k");
}

TEST(Anatomy, OfOtherKeysIsNone) {
  for (const char* const key :
       {"", "key", "a_b_c", "a@b@c@d@e", "m@1@0@xyzxyzxyz@half", "@@@@", "m@1@0@1f0c9a77@", "_"}) {
    EXPECT_EQ(Parts(key), "none") << key;
  }
}

std::vector<Finding> Compare(const std::vector<std::string>& missing,
                             const std::vector<std::string>& there) {
  Likeness likeness(missing);
  for (const std::string& key : there) likeness.Add(key);
  return likeness.Take();
}

TEST(Likeness, TheSameHashUnderAnotherDtype) {
  const auto findings = Compare(
      {"m@1@0@1f0c9a77@half", "m@1@0@2f0c9a77@half", "m@1@0@3f@half"},
      {"m@1@0@1f0c9a77@bfloat16", "m@1@0@2f0c9a77@bfloat16", "m@1@0@aaaaaaaa@half", "unknown"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].what, Finding::What::kOtherPart);
  EXPECT_EQ(findings[0].part, Part::kDtype);
  EXPECT_EQ(findings[0].asked, "half");
  EXPECT_EQ(findings[0].there, "bfloat16");
  EXPECT_EQ(findings[0].keys, 2u);
  EXPECT_THAT(RemedyFor(findings[0]), HasSubstr("dtype"));
}

TEST(Likeness, TheSameHashUnderAnotherModelAndRank) {
  const auto findings = Compare({"/models/m@2@1@1f0c9a77@half"}, {"m@2@0@1f0c9a77@half"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].what, Finding::What::kOtherParts);
  EXPECT_EQ(findings[0].part, Part::kModel);
}

TEST(Likeness, NothingButTheHashDiffers) {
  const auto findings =
      Compare({"m@1@0@1f0c9a77@half", "m@1@0@2f0c9a77@half"}, {"m@1@0@aaaaaaaa@half"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].what, Finding::What::kOtherHash);
  EXPECT_EQ(findings[0].keys, 2u);
  EXPECT_THAT(RemedyFor(findings[0]), HasSubstr("PYTHONHASHSEED"));
}

TEST(Likeness, NeitherTheHashNorTheModelIsThere) {
  const auto findings =
      Compare({"m@1@0@1f0c9a77@half"}, {"n@1@0@aaaaaaaa@half", "o@1@0@aaaaaaaa@half"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].what, Finding::What::kOtherKind);
  EXPECT_EQ(findings[0].part, Part::kModel);
  EXPECT_EQ(findings[0].there, "n, o");
}

TEST(Likeness, WhatHasNoKnownFormIsNoFinding) {
  EXPECT_THAT(Compare({"m@1@0@1f0c9a77@half"}, {"key"}), IsEmpty());
  EXPECT_THAT(Compare({"key"}, {"m@1@0@1f0c9a77@half"}), IsEmpty());
  EXPECT_EQ(Likeness(std::vector<std::string>{"key"}).missing(), 0u);
}

}  // namespace
}  // namespace kvstore::kvctl
