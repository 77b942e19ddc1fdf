#include "kvstore/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/pool_test.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::StartsWith;
using transfer::Way;

// Two members of one pool: what is put lies in `near_`s memory, and `far_` must fetch it.
class ClientTest : public PoolTest {
 protected:
  void SetUp() override {
    Start();
    near_ = Join(64 * kMiB, "near");
    far_ = Join(0, "far");
    ASSERT_TRUE(near_ && far_);
  }

  std::unique_ptr<Client> near_;
  std::unique_ptr<Client> far_;
};

TEST_F(ClientTest, WhatWasPutIsReadInItsWritersMemory) {
  const std::string bytes = BytesOf("k", 3 * kMiB);
  ASSERT_EQ(near_->Put("k", bytes), Status::Ok());
  EXPECT_EQ(*near_->Get("k"), bytes);
  EXPECT_EQ(near_->counters(Way::kLocal).bytes_written, bytes.size());
  EXPECT_EQ(near_->counters(Way::kTcp).bytes_read, 0u);
  EXPECT_EQ(near_->counters().puts_ok, 1u);
  EXPECT_EQ(near_->counters().gets_ok, 1u);
}

TEST_F(ClientTest, AnotherNodeOfItsHostReadsItThroughSharedMemory) {
  const std::string bytes = BytesOf("k", 3 * kMiB);
  ASSERT_EQ(near_->Put("k", bytes), Status::Ok());
  EXPECT_EQ(*far_->Get("k"), bytes);
  EXPECT_GE(far_->counters(Way::kShm).bytes_read, bytes.size());
  EXPECT_EQ(far_->counters(Way::kTcp).bytes_read, 0u);
}

TEST_F(ClientTest, WhereOnlyTcpIsAllowedItIsReadOverTcp) {
  ClientOptions options;
  options.master = master_->address();
  options.ways = {Way::kTcp};
  const auto remote = Client::Connect(options);
  ASSERT_TRUE(remote.ok()) << remote.status();
  const std::string bytes = BytesOf("k", 3 * kMiB);
  ASSERT_EQ(near_->Put("k", bytes), Status::Ok());
  EXPECT_EQ(*(*remote)->Get("k"), bytes);
  EXPECT_GE((*remote)->counters(Way::kTcp).bytes_read, bytes.size());
  EXPECT_EQ((*remote)->counters(Way::kShm).bytes_read, 0u);
}

TEST_F(ClientTest, AClientThatLendsNothingWritesAndReads) {
  const std::string bytes = BytesOf("k", kMiB + 1);
  ASSERT_EQ(far_->Put("k", bytes), Status::Ok());
  EXPECT_GE(far_->counters(Way::kShm).bytes_written, bytes.size());
  EXPECT_EQ(*far_->Get("k"), bytes);
  EXPECT_EQ(*near_->Get("k"), bytes);
}

TEST_F(ClientTest, EmptyAndSingleBytesAreObjects) {
  ASSERT_EQ(near_->Put("empty", ""), Status::Ok());
  ASSERT_EQ(near_->Put("one", "x"), Status::Ok());
  EXPECT_EQ(*far_->Get("empty"), "");
  EXPECT_EQ(*far_->Get("one"), "x");
  EXPECT_EQ(near_->Stat("empty")->size, 0u);
  EXPECT_TRUE(*far_->Exists("empty"));
}

TEST_F(ClientTest, ScatterListsNeedNotMatch) {
  const std::string bytes = BytesOf("k", 1'000'003);
  std::vector<ConstPiece> out;
  for (size_t at = 0; at < bytes.size(); at += 8191) {
    out.push_back({bytes.data() + at, std::min<size_t>(8191, bytes.size() - at)});
    out.push_back({nullptr, 0});
  }
  const PutItem put{"k", out};
  ASSERT_EQ(near_->Put(std::span(&put, 1)).front(), Status::Ok());

  std::string read(bytes.size() + 500, '\0');
  std::vector<Piece> in;
  for (size_t at = 0; at < read.size(); at += 12'345) {
    in.push_back({read.data() + at, std::min<size_t>(12'345, read.size() - at)});
  }
  const GetItem get{"k", in};
  const GetResult result = far_->Get(std::span(&get, 1)).front();
  ASSERT_EQ(result.status, Status::Ok());
  EXPECT_EQ(result.size, bytes.size());
  EXPECT_EQ(read.substr(0, bytes.size()), bytes);
}

TEST_F(ClientTest, AKeyNamedTwiceFillsBothBuffers) {
  const std::string bytes = BytesOf("k", 100'000);
  ASSERT_EQ(near_->Put("k", bytes), Status::Ok());
  std::string first(bytes.size(), '\0');
  std::string second(bytes.size(), '\0');
  const Piece pieces[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  const GetItem items[] = {{"k", {&pieces[0], 1}}, {"k", {&pieces[1], 1}}};
  for (const GetResult& result : far_->Get(items)) EXPECT_EQ(result.status, Status::Ok());
  EXPECT_EQ(first, bytes);
  EXPECT_EQ(second, bytes);
}

TEST_F(ClientTest, ALargeBatchIsServedItemByItem) {
  constexpr size_t kItems = 5000;  // more than one message
  std::vector<std::string> keys, values;
  std::vector<ConstPiece> pieces;
  std::vector<PutItem> puts;
  for (size_t i = 0; i < kItems; ++i) {
    keys.push_back("batch/" + std::to_string(i));
    values.push_back(BytesOf(keys[i], i % 4000));
  }
  for (size_t i = 0; i < kItems; ++i) pieces.push_back({values[i].data(), values[i].size()});
  for (size_t i = 0; i < kItems; ++i) puts.push_back({keys[i], {&pieces[i], 1}});
  for (const Status& status : near_->Put(puts)) ASSERT_EQ(status, Status::Ok());

  std::vector<std::string> read(kItems, std::string(4000, '\0'));
  std::vector<Piece> into;
  std::vector<GetItem> gets;
  for (size_t i = 0; i < kItems; ++i) into.push_back({read[i].data(), read[i].size()});
  for (size_t i = 0; i < kItems; ++i) gets.push_back({keys[i], {&into[i], 1}});
  const std::vector<GetResult> results = far_->Get(gets);
  for (size_t i = 0; i < kItems; ++i) {
    ASSERT_EQ(results[i].status, Status::Ok());
    ASSERT_EQ(read[i].substr(0, results[i].size), values[i]);
  }
}

TEST_F(ClientTest, ATakenKeyIsRefusedUnlessReplaced) {
  ASSERT_EQ(near_->Put("k", "old"), Status::Ok());
  EXPECT_EQ(far_->Put("k", "new").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(*near_->Get("k"), "old");
  PutOptions replace;
  replace.replace = true;
  ASSERT_EQ(far_->Put("k", "new", replace), Status::Ok());
  EXPECT_EQ(*near_->Get("k"), "new");
  EXPECT_EQ(*far_->Get("k"), "new");
}

TEST_F(ClientTest, ARemovedObjectIsGone) {
  ASSERT_EQ(near_->Put("k", "bytes"), Status::Ok());
  ASSERT_EQ(*far_->Get("k"), "bytes");
  ASSERT_EQ(far_->Remove("k"), Status::Ok());
  EXPECT_EQ(near_->Get("k").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(far_->Get("k").status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(*near_->Exists("k"));
  EXPECT_EQ(near_->Stat("k").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(near_->Remove("k").code(), StatusCode::kNotFound);
  ASSERT_EQ(near_->Put("k", "again"), Status::Ok());
  EXPECT_EQ(*far_->Get("k"), "again");
}

TEST_F(ClientTest, WhoeverWaitsForAnObjectIsWokenByItsCommit) {
  auto woken = std::async(std::launch::async, [&] {
    const TimePoint began = BootClock::now();
    const Status status = far_->WaitExists("k", seconds(30));
    EXPECT_LT(BootClock::now() - began, seconds(15));
    return status;
  });
  ASSERT_EQ(near_->Put("k", "bytes"), Status::Ok());
  EXPECT_EQ(woken.get(), Status::Ok());
  EXPECT_EQ(*far_->Get("k"), "bytes");
}

TEST_F(ClientTest, WaitingEndsWithItsTimeout) {
  const TimePoint began = BootClock::now();
  EXPECT_EQ(far_->WaitExists("never", milliseconds(200)).code(), StatusCode::kDeadlineExceeded);
  EXPECT_LT(BootClock::now() - began, seconds(5));
}

TEST_F(ClientTest, StatSaysWhereAnObjectLies) {
  const std::unique_ptr<Client> other = Join(64 * kMiB, "other");
  PutOptions options;
  options.replicas = 2;
  ASSERT_EQ(near_->Put("k", BytesOf("k", 10'000), options), Status::Ok());
  const Result<ObjectStat> stat = far_->Stat("k");
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->size, 10'000u);
  EXPECT_LT(stat->age, seconds(60));
  ASSERT_EQ(stat->replicas.size(), 2u);
  std::set<std::string> nodes;
  for (const ReplicaStat& replica : stat->replicas) {
    nodes.insert(replica.node);
    EXPECT_EQ(replica.reserved_bytes, 12'288u);
  }
  EXPECT_EQ(nodes, (std::set<std::string>{"near", "other"}));
}

TEST_F(ClientTest, KeysMayHaveAnyBytesOfOneKibibyte) {
  const std::string longest(kMaxKeyBytes, '\xff');
  const std::string binary("\0\n\x80 ", 4);
  for (const std::string& key : {longest, binary}) {
    ASSERT_EQ(near_->Put(key, key), Status::Ok());
    EXPECT_EQ(*far_->Get(key), key);
    EXPECT_TRUE(*far_->Exists(key));
  }
}

TEST_F(ClientTest, BadItemsDoNotHoldUpTheOthers) {
  const std::string too_long(kMaxKeyBytes + 1, 'k');
  const ConstPiece bytes{"abc", 3};
  const ConstPiece null{nullptr, 3};
  const PutItem items[] = {
      {"", {&bytes, 1}}, {"good", {&bytes, 1}}, {too_long, {&bytes, 1}}, {"null", {&null, 1}}};
  const std::vector<Status> statuses = near_->Put(items);
  ASSERT_EQ(statuses.size(), 4u);
  EXPECT_EQ(statuses[0].code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(statuses[1], Status::Ok());
  EXPECT_EQ(statuses[2].code(), StatusCode::kInvalidArgument);
  EXPECT_NE(statuses[2].message().find("1025"), std::string::npos) << statuses[2];
  EXPECT_EQ(statuses[3].code(), StatusCode::kInvalidArgument);

  const std::string_view keys[] = {too_long, "good", ""};
  const std::vector<Result<bool>> found = near_->Exists(keys);
  EXPECT_EQ(found[0].status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(*found[1]);
  EXPECT_EQ(found[2].status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, BuffersThatAreTooSmallAreToldTheSize) {
  ASSERT_EQ(near_->Put("k", BytesOf("k", 5000)), Status::Ok());
  std::string small(4999, '\0');
  const Piece piece{small.data(), small.size()};
  const GetItem item{"k", {&piece, 1}};
  const GetResult result = far_->Get(std::span(&item, 1)).front();
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(result.size, 5000u);
}

TEST_F(ClientTest, NoItemsAreNoAnswers) {
  EXPECT_TRUE(near_->Put(std::span<const PutItem>()).empty());
  EXPECT_TRUE(near_->Get(std::span<const GetItem>()).empty());
  EXPECT_TRUE(near_->Remove(std::span<const std::string_view>()).empty());
}

TEST_F(ClientTest, OptionsOutOfTheirLimitsAreRefusedForEveryItem) {
  PutOptions options;
  options.replicas = kMaxReplicas + 1;
  EXPECT_EQ(near_->Put("k", "x", options).code(), StatusCode::kInvalidArgument);
  options.replicas = 0;
  EXPECT_EQ(near_->Put("k", "x", options).code(), StatusCode::kInvalidArgument);
  options = {};
  options.timeout = Duration::zero();
  EXPECT_EQ(near_->Put("k", "x", options).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(near_->Get("k", -seconds(1)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(near_->WaitExists("k", Duration::zero()).code(), StatusCode::kInvalidArgument);
  const std::string too_long(kMaxKeyBytes + 1, 'k');
  const std::string_view key = "k";
  AwaitOptions awaited;
  awaited.at_most = -seconds(1);
  EXPECT_EQ(near_->AwaitPuts({&key, 1}, awaited).front().status().code(),
            StatusCode::kInvalidArgument);
  awaited = {};
  awaited.after = too_long;
  EXPECT_EQ(near_->AwaitPuts({&key, 1}, awaited).front().status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_FALSE(*near_->Exists("k", Duration::max()));
}

TEST_F(ClientTest, HowLongAnObjectIsToBeKeptIsCheckedToo) {
  const auto refusal = [&](const PutOptions& options) {
    const Status status = near_->Put("k", "x", options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  PutOptions options;
  options.ttl = -seconds(1);
  EXPECT_THAT(refusal(options), StartsWith("ttl is -1000000000 ns"));
  options = {};
  options.soft_pin = Duration(-1);
  EXPECT_THAT(refusal(options), StartsWith("soft_pin is -1 ns"));
  options = {};
  options.group = std::string(kMaxGroupBytes + 1, 'g');
  EXPECT_THAT(refusal(options), StartsWith("group has 256 bytes"));
  EXPECT_THAT(near_->Pin("k", {.soft = Duration(-1)}).message(), StartsWith("soft is -1 ns"));
  EXPECT_EQ(near_->Pin("", {}).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(near_->RemoveMatching(std::string(kMaxKeyBytes + 1, 'p')).status().message(),
              StartsWith("the prefix has 1025 bytes"));
}

TEST_F(ClientTest, MoreReplicasThanNodesAreRefusedWithNumbers) {
  PutOptions options;
  options.replicas = 3;
  options.timeout = seconds(4);
  const Status status = near_->Put("k", "x", options);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
}

TEST_F(ClientTest, MemoryIsRegisteredAndUnregistered) {
  std::string memory = BytesOf("m", kMiB);
  ASSERT_EQ(near_->RegisterMemory(memory.data(), memory.size()), Status::Ok());
  ASSERT_EQ(near_->Put("m", memory), Status::Ok());
  EXPECT_EQ(near_->UnregisterMemory(memory.data()), Status::Ok());
  EXPECT_EQ(near_->UnregisterMemory(memory.data()).code(), StatusCode::kNotFound);
  EXPECT_EQ(near_->RegisterMemory(memory.data(), 1, MemoryKind::kCuda, 0).code(),
            StatusCode::kUnimplemented);
  EXPECT_EQ(near_->RegisterMemory(nullptr, 1).code(), StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, ThreadsShareAClient) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client& client = t % 2 == 0 ? *near_ : *far_;
      for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        const std::string bytes = BytesOf(key, 1000 + i * 37);
        EXPECT_EQ(client.Put(key, bytes), Status::Ok());
        EXPECT_EQ(*near_->Get(key), bytes);
        EXPECT_EQ(*far_->Get(key), bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ClientTest, WhoLeavesTakesItsObjectsAlong) {
  ASSERT_EQ(near_->Put("k", "bytes"), Status::Ok());
  near_.reset();
  EXPECT_EQ(far_->Get("k").status().code(), StatusCode::kNotFound);
  const std::unique_ptr<Client> other = Join(64 * kMiB, "other");
  ASSERT_EQ(far_->Put("k", "elsewhere"), Status::Ok());
  EXPECT_EQ(*far_->Get("k"), "elsewhere");
}

class SmallPoolTest : public PoolTest {
 protected:
  void SetUp() override { Start({"--lease_ms=50", "--gone_after_ms=3000"}); }
};

TEST_F(SmallPoolTest, NothingLentIsNoRoom) {
  const std::unique_ptr<Client> guest = Join(0);
  const Status status = guest->Put("k", "x");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
}

TEST_F(SmallPoolTest, AnObjectLargerThanThePoolIsRefusedAtOnce) {
  const std::unique_ptr<Client> client = Join(8 * kMiB);
  const TimePoint began = BootClock::now();
  EXPECT_EQ(client->Put("k", BytesOf("k", 9 * kMiB)).code(), StatusCode::kResourceExhausted);
  EXPECT_LT(BootClock::now() - began, seconds(10));
}

TEST_F(SmallPoolTest, AWorkingSetLargerThanThePoolIsServedRightlyOrNotAtAll) {
  const std::unique_ptr<Client> lender = Join(16 * kMiB, "lender");
  const std::unique_ptr<Client> guest = Join(0, "guest");
  int found = 0;
  for (int i = 0; i < 80; ++i) {
    const std::string key = std::to_string(i);
    const size_t size = 300'000 + static_cast<size_t>(i) * 9973;
    Client& writer = i % 2 == 0 ? *lender : *guest;
    ASSERT_EQ(writer.Put(key, BytesOf(key, size)), Status::Ok()) << i;
    for (const int back : {0, 3, 40}) {
      if (back > i) continue;
      const std::string old = std::to_string(i - back);
      const size_t old_size = 300'000 + static_cast<size_t>(i - back) * 9973;
      const Result<std::string> value = (i % 3 == 0 ? *lender : *guest).Get(old);
      if (value.ok()) {
        ++found;
        ASSERT_EQ(*value, BytesOf(old, old_size));
      } else {
        ASSERT_EQ(value.status().code(), StatusCode::kNotFound) << value.status();
      }
    }
  }
  EXPECT_GT(found, 80);
}

TEST(ClientOptionsTest, AreRefusedWithTheirNameAndRemedy) {
  const auto refusal = [](auto change) {
    ClientOptions options;
    change(options);
    const Result<std::unique_ptr<Client>> client = Client::Connect(options);
    EXPECT_EQ(client.status().code(), StatusCode::kInvalidArgument) << client.status();
    return client.status().message();
  };
  EXPECT_NE(refusal([](auto& o) { o.master = "nowhere"; }).find("HOST:PORT"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.master = "::1:50051"; }).find("brackets"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.master = "host:0"; }).find("host:0"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.name = std::string(256, 'n'); }).find("256"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.listen = "0.0.0.0:0"; }).find("allow_remote"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.listen = "[::]:0"; }).find("allow_remote"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.listen = "127.0.0.1:99999"; }).find("ADDRESS:PORT"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.listen = "";
              o.lend_bytes = 1;
            }).find("lend_bytes"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.connect_timeout = {}; }).find("connect_timeout"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.master_patience = -seconds(1); }).find("master_patience"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.lend_bytes = UINT64_MAX; }).find("lend_bytes"),
            std::string::npos);
}

TEST(ClientOptionsTest, WithoutAMasterCreationEndsInTime) {
  ClientOptions options;
  options.master = "127.0.0.1:1";
  options.connect_timeout = milliseconds(300);
  const TimePoint began = BootClock::now();
  const Result<std::unique_ptr<Client>> client = Client::Connect(options);
  EXPECT_EQ(client.status().code(), StatusCode::kUnavailable) << client.status();
  EXPECT_LT(BootClock::now() - began, seconds(5));
}

TEST(Version, IsThreeNumbers) { EXPECT_EQ(std::count(Version().begin(), Version().end(), '.'), 2); }

}  // namespace
}  // namespace kvstore
