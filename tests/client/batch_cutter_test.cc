#include "client/batch_cutter.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "kvstore/client.h"
#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"

namespace kvstore::client {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

// The largest thing on the wire that carries this request.
size_t BytesOnTheWire(VerbRequest request) {
  request.id = kMost;
  request.patience = std::chrono::hours(24 * 3650);
  v1::VerbMessage message;
  Encode(request, message.mutable_request());
  return message.ByteSizeLong();
}

// Every item is in exactly one message, in order.
void ExpectWhole(const std::vector<Message>& messages, size_t items) {
  size_t next = 0;
  for (const Message& message : messages) {
    EXPECT_EQ(message.first, next);
    EXPECT_EQ(message.count, ItemCount(message.request.verb));
    EXPECT_GE(message.count, 1u);
    next += message.count;
  }
  EXPECT_EQ(next, items);
}

TEST(BatchCutterTest, WhatFitsIsOneMessage) {
  Exists batch;
  for (size_t i = 0; i < kMaxBatchItems; ++i) batch.keys.Add("key");
  EXPECT_EQ(CutBatch(batch).size(), 1u);
  batch.keys.Add("key");
  const auto messages = CutBatch(batch);
  EXPECT_EQ(messages.size(), 2u);
  ExpectWhole(messages, kMaxBatchItems + 1);
}

TEST(BatchCutterTest, AnEmptyBatchIsNoMessage) { EXPECT_TRUE(CutBatch(Exists()).empty()); }

TEST(BatchCutterTest, EveryPartKeepsWhatHoldsForTheWholeBatch) {
  StartPut puts;
  Pin pins;
  pins.hard = true;
  pins.soft = std::chrono::seconds(5);
  puts.durable = true;
  puts.retention = {false, {}, std::chrono::seconds(7), "group", 0};
  for (uint32_t i = 0; i < kMaxBatchItems + 2; ++i) {
    puts.keys.Add("key");
    puts.sequences.push_back(i);
    puts.sizes.push_back(1);
    puts.positions.push_back(i);
    pins.keys.Add("key");
  }
  const auto parts = CutBatch(puts);
  ASSERT_EQ(parts.size(), 2u);
  for (const Message& part : parts) {
    const auto& verb = std::get<StartPut>(part.request.verb);
    EXPECT_TRUE(verb.durable);
    EXPECT_EQ(verb.retention, puts.retention);
    ASSERT_EQ(verb.positions.size(), part.count);
    EXPECT_EQ(verb.positions.front(), part.first);
  }
  const auto pinning = CutBatch(pins);
  ASSERT_EQ(pinning.size(), 2u);
  for (const Message& part : pinning) {
    EXPECT_TRUE(std::get<Pin>(part.request.verb).hard);
    EXPECT_EQ(std::get<Pin>(part.request.verb).soft, pins.soft);
  }
}

TEST(BatchCutterTest, ARemovalByPrefixIsOneItem) {
  const auto messages = CutBatch(RemoveMatching{"prefix"});
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].count, 1u);
  EXPECT_EQ(std::get<RemoveMatching>(messages[0].request.verb).prefix, "prefix");
}

TEST(BatchCutterTest, TheLargestItemsAndOptionsFitTheLimit) {
  StartPut puts;
  CommitPut commits;
  for (size_t i = 0; i < 10'000; ++i) {
    puts.keys.Add(std::string(kMaxKeyBytes, '\xff'));
    puts.sequences.push_back(kMost);
    puts.sizes.push_back(1ull << 44);
    commits.sequences.push_back(kMost);
    commits.checksums.push_back(kMost);
    commits.pieces.push_back(GrantPiece{kMost, kMost, kMost, kMost});
  }
  commits.put.keys = puts.keys;
  commits.put.sequences = puts.sequences;
  commits.put.sizes = puts.sizes;
  puts.preferred_nodes = std::vector<std::string>(64, std::string(255, 'n'));
  for (const Verb& batch : {Verb(puts), Verb(commits)}) {
    const auto messages = CutBatch(batch);
    ExpectWhole(messages, 10'000);
    for (const Message& message : messages) {
      EXPECT_LE(BytesOnTheWire(message.request), kMaxMessageBytes);
    }
  }
}

RC_GTEST_PROP(BatchCutterProperty, KeysKeepTheirOrderAndMessagesTheirLimit, ()) {
  const auto sizes =
      *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(1, kMaxKeyBytes + 1));
  StatObject batch;
  for (int repeat = 0; repeat < 100; ++repeat) {
    for (const size_t size : sizes) batch.keys.Add(std::string(size, static_cast<char>(size)));
  }
  size_t next = 0;
  for (const Message& message : CutBatch(batch)) {
    RC_ASSERT(message.first == next);
    const KeyBatch& keys = std::get<StatObject>(message.request.verb).keys;
    for (size_t i = 0; i < keys.size(); ++i) RC_ASSERT(keys[i] == batch.keys[next++]);
    RC_ASSERT(BytesOnTheWire(message.request) <= kMaxMessageBytes);
  }
  RC_ASSERT(next == batch.keys.size());
}

}  // namespace
}  // namespace kvstore::client
