// Bad input meets a clear error and loses nothing: against a real master and real nodes.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/free_port.h"
#include "kvstore/client.h"
#include "system/hostile.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr uint64_t kMiB = 1 << 20;

std::string NumberedKey(size_t i) { return "key/" + std::to_string(i); }

// The value that belongs to a key: any other bytes under it are wrong.
std::string ValueOf(std::string_view key, size_t size) {
  std::string value;
  while (value.size() < size) {
    value += std::to_string(std::hash<std::string_view>()(key) + value.size());
  }
  value.resize(size);
  return value;
}

TEST(BadInput, EachKeyOfABatchIsJudgedByItself) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto client = Join(master, 16 * kMiB);
  ASSERT_NE(client, nullptr);

  std::string binary;
  for (int byte = 0; byte < 256; ++byte) binary.push_back(static_cast<char>(byte));
  const std::string longest(kMaxKeyBytes, 'k');
  const std::string too_long(kMaxKeyBytes + 1, 'k');
  const ConstPiece piece{"value", 5};
  const std::vector<std::string> keys = {"", longest, too_long, binary, "plain"};
  std::vector<PutItem> items;
  for (const std::string& key : keys) items.push_back({key, {&piece, 1}});

  const std::vector<Status> statuses = client->Put(items);
  ASSERT_EQ(statuses.size(), keys.size());
  EXPECT_EQ(statuses[0].code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(statuses[1].ok()) << statuses[1];
  EXPECT_EQ(statuses[2].code(), StatusCode::kInvalidArgument);
  EXPECT_NE(statuses[2].message().find("1025"), std::string::npos) << statuses[2];
  EXPECT_TRUE(statuses[3].ok()) << statuses[3];
  EXPECT_TRUE(statuses[4].ok()) << statuses[4];
  for (const std::string& key : {longest, binary, std::string("plain")}) {
    const Result<std::string> value = client->Get(key);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(*value, "value");
  }
  EXPECT_EQ(client->Get("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client->Remove(too_long).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client->Exists("").status().code(), StatusCode::kInvalidArgument);
}

TEST(BadInput, EmptyAndOneByteValuesAreObjectsLikeOthers) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  NodeProcess node(master, "lender", "16MiB");
  ASSERT_TRUE(node.running());
  const auto client = Join(master);  // lends nothing: both travel by TCP
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Put("empty", "").ok());
  ASSERT_TRUE(client->Put("one", "x").ok());
  EXPECT_EQ(*client->Get("empty"), "");
  EXPECT_EQ(*client->Get("one"), "x");
  EXPECT_EQ(client->Stat("empty")->size, 0u);
  EXPECT_EQ(client->Put("empty", "again").code(), StatusCode::kAlreadyExists);
}

// A value of 5 GiB whose scatter list names one window again and again, in and out, by both ways.
TEST(BadInput, FiveGibibytesTravelThroughAWindow) {
  if (kSanitized) GTEST_SKIP() << "10 GiB of copies take minutes under a sanitizer";
  constexpr uint64_t kWindow = 64 * kMiB;
  constexpr uint64_t kPieces = 80;
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto lender = Join(master, 6144 * kMiB, "lender");
  const auto stranger = Join(master, 0, "stranger");
  ASSERT_NE(lender, nullptr);
  ASSERT_NE(stranger, nullptr);
  const std::string window = ValueOf("window", kWindow);
  const std::vector<ConstPiece> out(kPieces, ConstPiece{window.data(), window.size()});
  const PutItem item{"huge", out};
  const PutOptions patient{.timeout = seconds(90)};
  const Status put = lender->Put({&item, 1}, patient)[0];
  ASSERT_TRUE(put.ok()) << put;
  EXPECT_EQ(lender->Stat("huge")->size, kWindow * kPieces);
  for (Client* reader : {lender.get(), stranger.get()}) {
    std::string landing(kWindow, '\0');
    const std::vector<Piece> in(kPieces, Piece{landing.data(), landing.size()});
    const GetItem wanted{"huge", in};
    const GetResult got = reader->Get({&wanted, 1}, seconds(90))[0];
    ASSERT_TRUE(got.status.ok()) << got.status;
    EXPECT_EQ(got.size, kWindow * kPieces);
    EXPECT_TRUE(landing == window);
  }
}

// Enough for a call of so many keys under a sanitizer, beside other tests.
constexpr Duration kLongCall = seconds(120);

class LargeBatch : public ::testing::Test {
 protected:
  static constexpr size_t kKeys = 100'000;

  LargeBatch() {
    for (size_t i = 0; i < kKeys; ++i) {
      keys_.push_back(NumberedKey(i));
      values_.push_back(ValueOf(keys_.back(), 16));
    }
    for (size_t i = 0; i < kKeys; ++i) pieces_.push_back({values_[i].data(), values_[i].size()});
    for (size_t i = 0; i < kKeys; ++i) {
      items_.push_back({keys_[i], {&pieces_[i], 1}});
      views_.push_back(keys_[i]);
    }
  }

  // Gets all keys; every one is right or missing. Returns how many were there.
  size_t GetAll(Client& client) {
    std::string landing(kKeys * 16, '\0');
    std::vector<Piece> into;
    for (size_t i = 0; i < kKeys; ++i) into.push_back({landing.data() + i * 16, 16});
    std::vector<GetItem> wanted;
    for (size_t i = 0; i < kKeys; ++i) wanted.push_back({keys_[i], {&into[i], 1}});
    size_t found = 0;
    const std::vector<GetResult> got = client.Get(wanted, kLongCall);
    EXPECT_EQ(got.size(), kKeys);
    for (size_t i = 0; i < got.size(); ++i) {
      if (got[i].status.ok()) {
        ++found;
        EXPECT_EQ(landing.compare(i * 16, 16, values_[i]), 0) << "wrong bytes under key " << i;
      } else {
        EXPECT_EQ(got[i].status.code(), StatusCode::kNotFound) << got[i].status;
      }
    }
    return found;
  }

  std::vector<std::string> keys_, values_;
  std::vector<ConstPiece> pieces_;
  std::vector<PutItem> items_;
  std::vector<std::string_view> views_;
};

TEST_F(LargeBatch, OfAHundredThousandKeysIsOneCall) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto client = Join(master, 512 * kMiB);
  ASSERT_NE(client, nullptr);
  const std::vector<Status> put = client->Put(items_, {.timeout = kLongCall});
  ASSERT_EQ(put.size(), kKeys);
  for (const Status& status : put) ASSERT_TRUE(status.ok()) << status;
  const std::vector<Result<bool>> exists = client->Exists(views_, kLongCall);
  ASSERT_EQ(exists.size(), kKeys);
  EXPECT_TRUE(std::all_of(exists.begin(), exists.end(),
                          [](const Result<bool>& yes) { return yes.ok() && *yes; }));
  EXPECT_EQ(GetAll(*client), kKeys);
  const std::vector<Status> removed = client->Remove(views_, kLongCall);
  ASSERT_EQ(removed.size(), kKeys);
  for (const Status& status : removed) ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(GetAll(*client), 0u);
}

TEST_F(LargeBatch, LargerThanThePoolEvictsItsOwnHeadAndLosesNoByte) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto client = Join(master, 128 * kMiB);  // 32 768 granules for 100 000 objects
  ASSERT_NE(client, nullptr);
  const std::vector<Status> put = client->Put(items_, {.timeout = kLongCall});
  ASSERT_EQ(put.size(), kKeys);
  for (const Status& status : put) ASSERT_TRUE(status.ok()) << status;
  const size_t found = GetAll(*client);
  EXPECT_GT(found, 10'000u);
  EXPECT_LE(found, 32'768u);
}

TEST(FullPool, TooLargeAnObjectIsRefusedWithNumbers) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto client = Join(master, 16 * kMiB);
  ASSERT_NE(client, nullptr);
  const Status refused = client->Put("large", std::string(32 * kMiB, 'x'));
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused;
  EXPECT_NE(refused.message().find("32"), std::string::npos) << refused;
  EXPECT_TRUE(client->Put("small", "fits").ok());
}

TEST(FullPool, WithoutAnyLentMemoryIsSaidPlainly) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  const auto client = Join(master);
  ASSERT_NE(client, nullptr);
  const Status refused = client->Put("key", "value");
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused;
}

TEST(FullPool, EvictsAndEveryReadIsRightOrMissing) {
  MasterProcess master;
  ASSERT_TRUE(master.running());
  NodeProcess node(master, "lender", "32MiB");
  ASSERT_TRUE(node.running());
  const auto client = Join(master);
  ASSERT_NE(client, nullptr);
  constexpr size_t kObjects = 256;
  constexpr size_t kSize = 512 << 10;  // four times the pool
  for (size_t i = 0; i < kObjects; ++i) {
    const Status put = client->Put(NumberedKey(i), ValueOf(NumberedKey(i), kSize));
    ASSERT_TRUE(put.ok()) << i << ": " << put;
  }
  size_t found = 0;
  for (size_t i = 0; i < kObjects; ++i) {
    const Result<std::string> got = client->Get(NumberedKey(i));
    if (got.ok()) {
      ++found;
      EXPECT_TRUE(*got == ValueOf(NumberedKey(i), kSize)) << "wrong bytes under key " << i;
    } else {
      EXPECT_EQ(got.status().code(), StatusCode::kNotFound) << got.status();
    }
  }
  EXPECT_GT(found, 0u);
  EXPECT_LT(found, kObjects);
}

// One object, held by a process that is about to fall silent.
class DeadPeer : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(master_.running());
    ASSERT_TRUE(node_.running());
    // By TCP: what shares its memory can be read while it is stopped.
    ClientOptions options;
    options.master = master_.address();
    options.ways = {transfer::Way::kTcp};
    auto client = Client::Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    ASSERT_TRUE(client_->Put("key", "value").ok());
  }

  // A Get that the holder can't answer: its error, which must come within the timeout.
  Status GetInVain(seconds timeout) {
    const TimePoint asked = BootClock::now();
    const Result<std::string> got = client_->Get("key", timeout);
    EXPECT_LT(BootClock::now() - asked, timeout + seconds(1));
    return got.status();
  }

  MasterProcess master_{{SuspectAfter(1500)}};  // sooner than a read is given up
  NodeProcess node_{master_, "lender", "16MiB"};
  std::unique_ptr<Client> client_;
};

TEST_F(DeadPeer, AReadFromAKilledHolderIsAClearErrorWithinTheDeadline) {
  node_.process().Signal(SIGKILL);
  ASSERT_TRUE(node_.process().WaitForExit(seconds(10)));
  const StatusCode error = GetInVain(seconds(5)).code();
  EXPECT_TRUE(error == StatusCode::kUnavailable || error == StatusCode::kNotFound);
}

TEST_F(DeadPeer, AReadFromAPausedHolderEndsAtItsDeadlineAndNothingIsLost) {
  node_.process().Signal(SIGSTOP);
  EXPECT_FALSE(GetInVain(seconds(3)).ok());
  node_.process().Signal(SIGCONT);
  const Status wait = client_->WaitExists("key", seconds(10));
  EXPECT_TRUE(wait.ok()) << wait;
  const Result<std::string> again = client_->Get("key", seconds(10));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, "value");
}

// Every port that any of our processes listens on, as the kernel says.
class HostilePort : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(master_.running());
    ASSERT_TRUE(node_.running());
    client_ = Join(master_);
    ASSERT_NE(client_, nullptr);
    for (const pid_t pid : {master_.process().pid(), node_.process().pid()}) {
      for (const Listener& listener : Listeners(pid)) {
        EXPECT_TRUE(listener.loopback) << "port " << listener.port << ", which nobody asked for";
        ports_.push_back(listener.port);
      }
    }
    ASSERT_GE(ports_.size(), 3u) << "gRPC, HTTP, data";
  }

  void ExpectServiceGoesOn(const std::string& key) {
    EXPECT_TRUE(client_->Put(key, ValueOf(key, 100'000)).ok());
    const Result<std::string> got = client_->Get(key);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(*got == ValueOf(key, 100'000));
    EXPECT_FALSE(master_.process().WaitForExit(Duration::zero()));
    EXPECT_FALSE(node_.process().WaitForExit(Duration::zero()));
  }

  MasterProcess master_{{"--metrics_port=" + std::to_string(FreePort())}};
  NodeProcess node_{master_, "lender", "16MiB"};
  std::unique_ptr<Client> client_;
  std::vector<uint16_t> ports_;
};

TEST_F(HostilePort, GarbageClosesThatConnectionOnly) {
  for (const uint16_t port : ports_) {
    for (int round = 0; round < 8; ++round) {
      HostileConnection garbage(port);
      ASSERT_TRUE(garbage.connected()) << port;
      garbage.Send(ValueOf("garbage" + std::to_string(round), 1000));
      garbage.Send(std::string(1000, static_cast<char>(0xff)));
      EXPECT_TRUE(garbage.ClosedByPeerWithin(20)) << "port " << port;
    }
    HostileConnection browser(port);
    browser.Send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(browser.ClosedByPeerWithin(20)) << "port " << port;
  }
  ExpectServiceGoesOn("after garbage");
}

TEST_F(HostilePort, HalfOpenAndSlowConnectionsHoldUpNobody) {
  std::vector<std::unique_ptr<HostileConnection>> silent;
  for (const uint16_t port : ports_) {
    for (int i = 0; i < 50; ++i) silent.push_back(std::make_unique<HostileConnection>(port));
  }
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < silent.size(); i += 2) silent[i]->Send("P");
    ExpectServiceGoesOn("beside slow ones " + std::to_string(round));
  }
}

}  // namespace
}  // namespace kvstore::cluster
