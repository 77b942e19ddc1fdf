// What clients remember of a real pool, by each way: that it spares questions, and never an answer
// that is out of date.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/pool_test.h"
#include "cluster/free_port.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using transfer::Way;

// `holder_` lends memory; `reader_` reaches it by the way that the test is about.
class RememberedTest : public PoolTest, public ::testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    Start({"--lease_ms=60000", "--gone_after_ms=60000"});
    holder_ = Connect(64 * kMiB, {});
    reader_ = GetParam() == Way::kLocal ? holder_ : Connect(0, {GetParam()});
  }

  std::shared_ptr<Client> Connect(uint64_t lend_bytes, std::vector<Way> ways,
                                  uint32_t remember = 65'536) {
    ClientOptions options;
    options.master = master_->address();
    options.lend_bytes = lend_bytes;
    options.ways = std::move(ways);
    options.remember_locations = remember;
    auto client = Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  void Put(Client& writer, const std::string& key, const std::string& value) {
    PutOptions options;
    options.replace = true;
    ASSERT_EQ(writer.Put(key, value, options), Status::Ok());
  }

  // Calls, and says whether the reader asked the master nothing.
  template <typename Call>
  bool AsksNothing(const Call& call) {
    const uint64_t before = reader_->counters().master_requests;
    call();
    return reader_->counters().master_requests == before;
  }

  // Whether what `once` says comes true. A Get asks the master all the same where that was not
  // heard of lately, which may be so on a busy machine.
  template <typename Once>
  static bool Comes(const Once& once) {
    const TimePoint until = BootClock::now() + std::chrono::seconds(20);
    while (!once()) {
      if (BootClock::now() >= until) return false;
    }
    return true;
  }

  uint64_t remembered() const { return reader_->counters().gets_remembered; }

  std::shared_ptr<Client> holder_;
  std::shared_ptr<Client> reader_;
};

INSTANTIATE_TEST_SUITE_P(ByWay, RememberedTest,
                         ::testing::Values(Way::kLocal, Way::kShm, Way::kTcp),
                         [](const auto& way) { return std::string(WayName(way.param)); });

TEST_P(RememberedTest, AGetAfterAGetAsksTheMasterNothing) {
  for (const size_t size : {size_t{0}, size_t{4096}, size_t{3 * kMiB}}) {
    const std::string bytes = BytesOf("k", size);
    EXPECT_TRUE(Comes([&] {
      Put(*holder_, "k", bytes);  // where the reader has not been
      EXPECT_EQ(*reader_->Get("k"), bytes);
      const uint64_t before = remembered();
      const auto gets = [&] {
        for (int i = 0; i < 20; ++i) EXPECT_EQ(*reader_->Get("k"), bytes);
      };
      // An object that was empty is as good as unknown to the form for strings, but is read at
      // once.
      return AsksNothing(gets) && remembered() - before == 20;
    }));
  }
  if (GetParam() == Way::kLocal) return;
  EXPECT_GT(reader_->counters(GetParam()).bytes_read, 20 * 3 * kMiB);
}

TEST_P(RememberedTest, AGetAfterAnExistsAsksTheMasterNothing) {
  const std::string bytes = BytesOf("k", 10'000);
  EXPECT_TRUE(Comes([&] {
    Put(*holder_, "k", bytes);  // where the reader has not been
    const std::string_view keys[] = {"missing", "k"};
    const auto exist = reader_->Exists(keys);
    EXPECT_FALSE(*exist[0]);
    EXPECT_TRUE(*exist[1]);
    const uint64_t before = remembered();
    return AsksNothing([&] { EXPECT_EQ(*reader_->Get("k"), bytes); }) && remembered() - before == 1;
  }));
}

TEST_P(RememberedTest, ExistsAlwaysAsks) {
  Put(*holder_, "k", "value");
  ASSERT_EQ(*reader_->Get("k"), "value");
  for (int i = 0; i < 3; ++i) {
    const uint64_t before = reader_->counters().master_requests;
    EXPECT_TRUE(*reader_->Exists("k"));
    EXPECT_GT(reader_->counters().master_requests, before);
  }
  ASSERT_EQ(holder_->Remove("k"), Status::Ok());
  EXPECT_FALSE(*reader_->Exists("k"));
}

TEST_P(RememberedTest, AnExistsOfVeryManyKeysBringsNoLocations) {
  Put(*holder_, "0", "value");
  std::vector<std::string> names;
  for (int i = 0; i < 1025; ++i) names.push_back(std::to_string(i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  EXPECT_TRUE(*reader_->Exists(keys)[0]);
  ASSERT_EQ(*reader_->Get("0"), "value");
  EXPECT_EQ(reader_->counters().gets_remembered, 0u);
}

TEST_P(RememberedTest, ARemovedObjectIsNotReadWhereItWas) {
  for (const std::string& bytes : {std::string(), BytesOf("k", 100'000)}) {
    Put(*holder_, "k", bytes);
    ASSERT_EQ(*reader_->Get("k"), bytes);
    ASSERT_EQ(holder_->Remove("k"), Status::Ok());
    EXPECT_EQ(reader_->Get("k").status().code(), StatusCode::kNotFound);
  }
}

TEST_P(RememberedTest, AReplacedObjectIsReadAsItIsNow) {
  for (uint64_t version = 1; version <= 50; ++version) {
    const std::string bytes = BytesOf("k", version * 997, version);
    Put(version % 3 == 0 ? *reader_ : *holder_, "k", bytes);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(*reader_->Get("k"), bytes) << version;
  }
  EXPECT_GE(reader_->counters().gets_remembered, 100u);
}

TEST_P(RememberedTest, ASmallerOrLargerObjectThatReplacesItIsToldItsOwnSize) {
  Put(*holder_, "k", BytesOf("k", 5000));
  ASSERT_TRUE(reader_->Get("k").ok());
  Put(*holder_, "k", BytesOf("k", 200, 2));
  std::string buffer(300, '\0');
  const Piece piece{buffer.data(), buffer.size()};
  GetItem item{"k", {&piece, 1}};
  EXPECT_EQ(reader_->Get({&item, 1})[0].size, 200u);
  Put(*holder_, "k", BytesOf("k", 301, 3));
  const GetResult small = reader_->Get({&item, 1})[0];
  EXPECT_EQ(small.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(small.size, 301u);
  item.offset = 1;
  EXPECT_EQ(reader_->Get({&item, 1})[0].status, Status::Ok());
  EXPECT_EQ(buffer, BytesOf("k", 301, 3).substr(1));
}

TEST_P(RememberedTest, WithoutRoomToRememberEveryGetAsks) {
  const auto forgetful =
      Connect(0, GetParam() == Way::kLocal ? std::vector<Way>{} : std::vector<Way>{GetParam()}, 0);
  Put(*holder_, "k", "value");
  for (int i = 0; i < 3; ++i) {
    const uint64_t before = forgetful->counters().master_requests;
    ASSERT_EQ(*forgetful->Get("k"), "value");
    EXPECT_GT(forgetful->counters().master_requests, before);
  }
  EXPECT_EQ(forgetful->counters().gets_remembered, 0u);
}

TEST_P(RememberedTest, ASessionReadsLayersOfOnePut) {
  const std::string bytes = BytesOf("k", 100'000);
  Put(*holder_, "k", bytes);
  const std::string_view keys[] = {"k", "missing"};
  std::unique_ptr<ReadSession> session;
  const auto open = [&] {
    auto opened = reader_->OpenReadSession(keys);
    ASSERT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
    EXPECT_EQ(*session->sizes()[0], bytes.size());
    EXPECT_EQ(session->sizes()[1].status().code(), StatusCode::kNotFound);
  };
  std::string layer(1000, '\0');
  const Piece piece{layer.data(), layer.size()};
  const auto layers = [&] {
    for (uint64_t at = 0; at < bytes.size(); at += layer.size()) {
      const PartItem part{0, {&piece, 1}, at, layer.size()};
      ASSERT_EQ(session->Read({&part, 1})[0].status, Status::Ok());
      ASSERT_EQ(layer, bytes.substr(at, layer.size()));
    }
  };
  EXPECT_TRUE(Comes([&] {
    open();
    return HasFatalFailure() || AsksNothing(layers);
  }));
  Put(*holder_, "k", BytesOf("k", 100'000, 2));
  const PartItem part{0, {&piece, 1}, 5000, layer.size()};
  EXPECT_EQ(session->Read({&part, 1})[0].status.code(), StatusCode::kAborted);
}

TEST_P(RememberedTest, AViewIsOfTheObjectAsItIsOrRefused) {
  if (GetParam() == Way::kTcp) {
    Put(*holder_, "k", "value");
    EXPECT_EQ(reader_->View("k").status().code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(reader_->counters().views_failed, 1u);
    return;
  }
  uint64_t views = 0;
  for (uint64_t version = 1; version <= 3; ++version) {
    const std::string bytes = BytesOf("k", 100'000 * version, version);
    std::unique_ptr<ObjectView> view;
    EXPECT_TRUE(Comes([&] {
      Put(*holder_, "k", bytes);  // where the reader has not been
      auto first = reader_->View("k");
      EXPECT_TRUE(first.ok()) << first.status();
      view = first.ok() ? *std::move(first) : nullptr;
      views += 2;
      return AsksNothing([&] { EXPECT_TRUE(reader_->View("k").ok()); });
    }));
    ASSERT_NE(view, nullptr);
    ASSERT_EQ(view->pieces().size(), 1u);
    const auto* const data = static_cast<const char*>(view->pieces()[0].data);
    EXPECT_EQ(std::string_view(data, view->size()), bytes);
    EXPECT_EQ(view->Verify(), Status::Ok());
    ASSERT_EQ(holder_->Remove("k"), Status::Ok());
    EXPECT_EQ(std::string_view(data, view->size()), bytes);
    EXPECT_EQ(reader_->View("k").status().code(), StatusCode::kNotFound);
  }
  EXPECT_EQ(reader_->counters().views_ok, views);
  EXPECT_EQ(reader_->counters().views_missed, 3u);
}

TEST_P(RememberedTest, ReadsAreReportedInTheBackground) {
  Start({"--lease_ms=60000", "--gone_after_ms=60000",
         "--metrics_port=" + std::to_string(cluster::FreePort())});
  holder_ = Connect(64 * kMiB, {});
  reader_ = GetParam() == Way::kLocal ? holder_ : Connect(0, {GetParam()});
  Put(*holder_, "k", "value");
  ASSERT_EQ(*reader_->Get("k"), "value");
  const std::string none = master_->Metric("kvstore_reads_noted_total");
  ASSERT_THAT(none, HasSubstr("kvstore_reads_noted_total"));
  std::string noted = none;
  const TimePoint until = BootClock::now() + std::chrono::seconds(20);
  while (noted == none && BootClock::now() < until) {
    EXPECT_EQ(*reader_->Get("k"), "value");
    noted = master_->Metric("kvstore_reads_noted_total");
  }
  EXPECT_NE(noted, none);
}

TEST_P(RememberedTest, BytesAndTimeAreCounted) {
  Put(*reader_, "k", BytesOf("k", 5000));
  ASSERT_TRUE(reader_->Get("k").ok());
  const ClientCounters counters = reader_->counters();
  EXPECT_EQ(counters.bytes_put, 5000u);
  EXPECT_EQ(counters.bytes_got, 5000u);
  EXPECT_GT(counters.put_time, Duration::zero());
  EXPECT_GT(counters.get_time, Duration::zero());
}

using RememberedDeathTest = RememberedTest;
INSTANTIATE_TEST_SUITE_P(ByWay, RememberedDeathTest, ::testing::Values(Way::kLocal),
                         [](const auto& way) { return std::string(WayName(way.param)); });

TEST_P(RememberedDeathTest, AClientThatGoesBeforeItsViewsSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Put(*holder_, "k", "value");
  const std::string_view key = "k";
  EXPECT_DEATH(
      {
        const auto session = holder_->OpenReadSession({&key, 1});
        const auto view = holder_->View("k");
        reader_.reset();
        holder_.reset();
      },
      HasSubstr("1 view, 1 read session"));
}

}  // namespace
}  // namespace kvstore
