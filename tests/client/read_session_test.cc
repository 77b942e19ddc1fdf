#include "client/read_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "client/get.h"
#include "client/put.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakePool;
using ::testing::HasSubstr;

class ReadSessionTest : public ::testing::Test {
 protected:
  ReadSessionTest() { pool_.master.lease = seconds(5); }

  void Put(const std::string& key, const std::string& value) {
    const ConstPiece piece{value.data(), value.size()};
    const PutItem item{key, {&piece, 1}};
    ASSERT_EQ(PutObjects(pool_.parts, {&item, 1}, {})[0], Status::Ok());
  }
  void Retire(const std::string& key) {
    pool_.nodes[0]->Retire(pool_.master.objects[key].replicas[0]);
  }

  std::unique_ptr<ReadSession> Open(const std::vector<std::string_view>& keys) {
    OpenedObjects opened(keys.size());
    Parts parts = pool_.parts;
    parts.locations = opened.locations.get();
    opened.found = LocateObjects(parts, keys, pool_.clock.Now() + seconds(10));
    return MakeReadSession(keys, std::move(opened),
                           [this](std::span<const GetItem> items, Duration timeout,
                                  Locations* locations, std::span<const PutId> of_puts) {
                             Parts reading = pool_.parts;
                             reading.locations = locations;
                             return GetObjects(reading, items, timeout, {}, &counters_, of_puts);
                           });
  }

  struct Got {
    Status status;
    uint64_t size;
    std::string bytes;
  };
  Got Read(ReadSession& session, size_t object, uint64_t offset, uint64_t length) {
    std::string buffer(20'000, '\0');
    const Piece piece{buffer.data(), buffer.size()};
    const PartItem item{object, {&piece, 1}, offset, length};
    const GetResult result = session.Read({&item, 1}, seconds(1))[0];
    return {result.status, result.size, buffer.substr(0, result.status.ok() ? result.size : 0)};
  }

  static std::string Value(size_t size) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 17 + i / 4096);
    return value;
  }

  FakePool pool_;
  GetCounters counters_;
};

TEST_F(ReadSessionTest, PartsAreReadLayerByLayerAfterOneLocate) {
  Put("a", Value(10'000));
  Put("b", Value(300));
  const auto session = Open({"a", "missing", "b"});
  ASSERT_EQ(session->sizes().size(), 3u);
  EXPECT_EQ(*session->sizes()[0], 10'000u);
  EXPECT_EQ(session->sizes()[1].status().code(), StatusCode::kNotFound);
  EXPECT_EQ(*session->sizes()[2], 300u);
  for (uint64_t layer = 0; layer < 10; ++layer) {
    EXPECT_EQ(Read(*session, 0, layer * 1000, 1000).bytes,
              Value(10'000).substr(layer * 1000, 1000));
  }
  EXPECT_EQ(Read(*session, 2, 299, kToTheEnd).bytes, Value(300).substr(299));
  ASSERT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_THAT(pool_.master.finds[0], ElementsAre("a", "missing", "b"));
  EXPECT_EQ(counters_.remembered, 11u);
}

TEST_F(ReadSessionTest, SeveralPartsTravelInOneBatchEachWithItsOwnStatus) {
  Put("a", Value(1000));
  Put("b", Value(200));
  const auto session = Open({"a", "gone", "b"});
  std::string buffer(500, '\0');
  const Piece pieces[] = {{buffer.data(), 100}, {buffer.data() + 100, 200}, {nullptr, 7}};
  const PartItem items[] = {{0, {&pieces[0], 1}, 50, 100},  {1, {&pieces[0], 1}},
                            {2, {&pieces[1], 1}},           {3, {&pieces[1], 1}},
                            {0, {&pieces[1], 1}, 900, 101}, {0, {&pieces[2], 1}, 0, 1}};
  pool_.engine.deadlines.clear();
  const auto results = session->Read(items, seconds(1));
  EXPECT_EQ(results[0].status, Status::Ok());
  EXPECT_EQ(results[1].status.code(), StatusCode::kNotFound);
  EXPECT_EQ(results[2].status, Status::Ok());
  EXPECT_EQ(results[3].status.code(), StatusCode::kInvalidArgument);  // there is no fourth object
  EXPECT_EQ(results[4].status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(results[4].size, 1000u);
  EXPECT_EQ(results[5].status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(buffer.substr(0, 300), Value(1000).substr(50, 100) + Value(200));
  EXPECT_EQ(pool_.engine.deadlines.size(), 1u);
  EXPECT_EQ(session->Read(items, Duration::zero())[0].status.code(), StatusCode::kInvalidArgument);
}

TEST_F(ReadSessionTest, AReplacedObjectsFurtherPartsAreRefused) {
  Put("k", "older value");
  const auto session = Open({"k"});
  EXPECT_EQ(Read(*session, 0, 0, 5).bytes, "older");
  Retire("k");
  Put("k", "newer value");
  const Got got = Read(*session, 0, 5, 6);
  EXPECT_EQ(got.status.code(), StatusCode::kAborted);
  EXPECT_THAT(got.status.message(), HasSubstr("replaced"));
  EXPECT_EQ(Read(*Open({"k"}), 0, 0, 5).bytes, "newer");
}

TEST_F(ReadSessionTest, ARemovedObjectsFurtherPartsAreRefused) {
  Put("k", "value");
  const auto session = Open({"k"});
  Retire("k");
  pool_.master.objects.erase("k");
  EXPECT_EQ(Read(*session, 0, 0, 5).status.code(), StatusCode::kAborted);
}

TEST_F(ReadSessionTest, AfterTheLeaseTheObjectIsLocatedAnewAndMustBeTheSame) {
  Put("k", "value");
  const auto session = Open({"k"});
  pool_.clock.Advance(seconds(5));
  EXPECT_EQ(Read(*session, 0, 1, 3).bytes, "alu");
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  EXPECT_EQ(Read(*session, 0, 1, 3).bytes, "alu");  // and is remembered again
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  pool_.clock.Advance(seconds(5));
  Put("k", "VALUE");  // the older object's memory still stands: nobody has retired it
  EXPECT_EQ(Read(*session, 0, 1, 3).status.code(), StatusCode::kAborted);
}

TEST_F(ReadSessionTest, WithoutALeaseEveryPartAsks) {
  pool_.master.lease = Duration::zero();
  Put("k", "value");
  const auto session = Open({"k"});
  EXPECT_EQ(Read(*session, 0, 1, 3).bytes, "alu");
  EXPECT_EQ(Read(*session, 0, 1, 3).bytes, "alu");
  EXPECT_EQ(pool_.master.finds.size(), 3u);
}

TEST_F(ReadSessionTest, AnEmptyObjectHasOnePart) {
  Put("k", "");
  const auto session = Open({"k"});
  EXPECT_EQ(Read(*session, 0, 0, kToTheEnd).status, Status::Ok());
  EXPECT_EQ(Read(*session, 0, 0, 1).status.code(), StatusCode::kInvalidArgument);
  Retire("k");
  pool_.master.objects.erase("k");
  EXPECT_EQ(Read(*session, 0, 0, kToTheEnd).status.code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace kvstore::client
