#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "transfer/rdma/frame.h"

namespace kvstore::transfer {
namespace {

const QueuePairEnd kEnd{.number = 0x123456,
                        .first_packet = 0xabcdef,
                        .gid = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 1},
                        .lid = 7,
                        .mtu = IBV_MTU_4096,
                        .max_reads = 16};

std::vector<std::string> Questions() {
  return {Encode(DevicesQuestion{}),
          Encode(OpenQuestion{.access = Access::kWrite, .device = 3, .client = kEnd}),
          Encode(RegionQuestion{.device = 1, .region = 9}),
          Encode(BeginQuestion{.writes = {{.region = 9,
                                           .offset = 4096,
                                           .length = 10,
                                           .guard = Guard{.first = 4096, .birth = 5}},
                                          {.region = 9, .offset = 0, .length = 0, .guard = {}}}}),
          Encode(EndQuestion{})};
}

TEST(RdmaFrameTest, QuestionsComeBackAsTheyWere) {
  const std::vector<std::string> questions = Questions();
  for (const std::string& bytes : questions) {
    const std::optional<Question> question = DecodeQuestion(bytes);
    ASSERT_TRUE(question);
    EXPECT_EQ(Encode(*question), bytes);
  }
  const auto open = std::get<OpenQuestion>(*DecodeQuestion(questions[1]));
  EXPECT_EQ(open.access, Access::kWrite);
  EXPECT_EQ(open.device, 3);
  EXPECT_EQ(open.client, kEnd);
  const auto begin = std::get<BeginQuestion>(*DecodeQuestion(questions[3]));
  ASSERT_EQ(begin.writes.size(), 2u);
  EXPECT_EQ(begin.writes[0].offset, 4096u);
  EXPECT_EQ(begin.writes[0].guard->birth, 5u);
  EXPECT_FALSE(begin.writes[1].guard);
}

TEST(RdmaFrameTest, QuestionsThatAreCutShortOrTooLongAreNone) {
  for (const std::string& bytes : Questions()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeQuestion(std::string_view(bytes).substr(0, size))) << size;
    }
    EXPECT_FALSE(DecodeQuestion(bytes + '\0'));
  }
  EXPECT_FALSE(DecodeQuestion(std::string(1, '\x7f')));
}

TEST(RdmaFrameTest, AQueuePairThatNoDeviceHasIsRefused) {
  for (const auto spoil : {+[](QueuePairEnd* end) { end->number = 1 << 24; },
                           +[](QueuePairEnd* end) { end->first_packet = 1 << 24; },
                           +[](QueuePairEnd* end) { end->mtu = 0; },
                           +[](QueuePairEnd* end) { end->mtu = IBV_MTU_4096 + 1; }}) {
    QueuePairEnd end = kEnd;
    spoil(&end);
    EXPECT_FALSE(DecodeQuestion(Encode(OpenQuestion{.client = end})));
    EXPECT_FALSE(DecodeOpenAnswer(Encode(OpenAnswer{.holder = end})));
  }
  EXPECT_TRUE(DecodeOpenAnswer(Encode(OpenAnswer{.holder = kEnd})));
}

RegionAnswer SomeRegion() {
  return {.memory = {.size = 5 << 20, .origin = 4096, .part_bytes = 2 << 20, .keys = {1, 2, 3}},
          .guarded = true,
          .granule = 4096,
          .words = {.size = 8 * (5 << 20) / 4096, .origin = 0, .part_bytes = 1 << 20, .keys = {4}}};
}

TEST(RdmaFrameTest, ARegionNamesAKeyForEachPartAndAWordForEachGranule) {
  const std::optional<RegionAnswer> region = DecodeRegionAnswer(Encode(SomeRegion()));
  ASSERT_TRUE(region);
  EXPECT_EQ(region->memory.keys, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(region->words.keys, std::vector<uint32_t>{4});
  EXPECT_TRUE(region->guarded);
  for (const auto spoil : {+[](RegionAnswer* answer) { answer->memory.keys.pop_back(); },
                           +[](RegionAnswer* answer) { answer->memory.part_bytes = 0; },
                           +[](RegionAnswer* answer) { answer->memory.origin = UINT64_MAX; },
                           +[](RegionAnswer* answer) { answer->words.size -= 8; },
                           +[](RegionAnswer* answer) { answer->granule = 0; }}) {
    RegionAnswer bad = SomeRegion();
    spoil(&bad);
    EXPECT_FALSE(DecodeRegionAnswer(Encode(bad)));
  }
}

TEST(RdmaFrameTest, VerdictsKeepTheirCodesAndTheFirstRefusalItsReason) {
  const std::vector<Status> verdicts = {Status::Ok(), AbortedError("withdrawn"),
                                        InvalidArgumentError("beyond")};
  const std::optional<std::vector<Status>> decoded = DecodeVerdicts(Encode(verdicts));
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->size(), 3u);
  EXPECT_TRUE((*decoded)[0].ok());
  EXPECT_EQ((*decoded)[1].code(), StatusCode::kAborted);
  EXPECT_EQ((*decoded)[1].message(), "withdrawn");
  EXPECT_EQ((*decoded)[2].code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE((*decoded)[2].message().empty());
}

TEST(RdmaFrameTest, DevicesAreNamed) {
  const auto devices = DecodeDevices(Encode(std::vector<HolderDevice>{
      {.name = "mlx5_0", .ethernet = true}, {.name = "mlx5_1", .ethernet = false, .near = true}}));
  ASSERT_TRUE(devices);
  EXPECT_EQ(devices->at(1).name, "mlx5_1");
  EXPECT_FALSE(devices->at(1).ethernet);
  EXPECT_TRUE(devices->at(1).near);
  EXPECT_TRUE(devices->at(0).ethernet);
  EXPECT_FALSE(devices->at(0).near);
  EXPECT_FALSE(DecodeDevices(Encode(std::vector<HolderDevice>{})));
}

}  // namespace
}  // namespace kvstore::transfer
