#include "client/object_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "client/locations.h"
#include "client/put.h"
#include "client/read_notes.h"
#include "fakes/fake_pool.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using testing::FakePool;
using ::testing::HasSubstr;
using transfer::MapRequest;
using Viewed = Result<std::unique_ptr<ObjectView>>;

// This node is on host a, as node 0 is: it lends nothing itself.
class ObjectViewTest : public ::testing::Test {
 protected:
  ObjectViewTest() {
    pool_.parts.self = {{50, 50}, "a"};
    pool_.parts.locations = &locations_;
    pool_.parts.notes = &notes_;
    pool_.master.lease = seconds(5);
  }

  void Put(const std::string& key, const std::string& value, uint32_t replicas = 1) {
    const ConstPiece piece{value.data(), value.size()};
    const PutItem item{key, {&piece, 1}};
    PutOptions options;
    options.replicas = replicas;
    ASSERT_EQ(PutObjects(pool_.parts, {&item, 1}, options)[0], Status::Ok());
  }
  std::vector<Viewed> View(const std::vector<std::string_view>& keys) {
    return ViewObjects(pool_.parts, keys, seconds(10), guards_, &counters_);
  }
  Viewed ViewOne(std::string_view key) { return std::move(View({key})[0]); }

  void Retire(const std::string& key) {
    for (const Replica& replica : pool_.master.objects[key].replicas) {
      for (auto& node : pool_.nodes) {
        if (node->peer().incarnation == replica.segment.holder) node->Retire(replica);
      }
    }
  }
  // The object lies on these nodes only.
  void OnlyOn(const std::string& key, std::vector<size_t> nodes) {
    std::erase_if(pool_.master.objects[key].replicas, [&](const Replica& replica) {
      return std::none_of(nodes.begin(), nodes.end(), [&](size_t i) {
        return pool_.nodes[i]->peer().incarnation == replica.segment.holder;
      });
    });
  }

  static std::string BytesOf(const ObjectView& view) {
    std::string bytes;
    for (const ConstPiece& piece : view.pieces()) {
      bytes.append(static_cast<const char*>(piece.data), piece.size);
    }
    return bytes;
  }
  static std::string Value(size_t size) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 17 + i / 4096);
    return value;
  }

  FakePool pool_;
  Locations locations_{100};
  ReadNotes notes_;
  ReadGuards guards_;
  GetCounters counters_;
};

TEST_F(ObjectViewTest, AnObjectIsSeenWhereItLiesWhateverItsRanges) {
  pool_.master.granules_per_range = 1;
  Put("k", Value(10'000));
  const Viewed view = ViewOne("k");
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ((*view)->pieces().size(), 3u);
  EXPECT_EQ((*view)->size(), 10'000u);
  EXPECT_EQ(BytesOf(**view), Value(10'000));
  const Replica& replica = pool_.master.objects["k"].replicas[0];
  EXPECT_EQ((*view)->pieces()[1].data, pool_.nodes[0]->memory() + replica.ranges[1].offset);
  EXPECT_EQ((*view)->checksum(), pool_.master.objects["k"].checksum);
}

TEST_F(ObjectViewTest, ItsMemoryStaysWhileItLivesThoughItIsRemoved) {
  Put("k", Value(100));
  Viewed view = ViewOne("k");
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(pool_.engine.mappings, 1u);
  EXPECT_FALSE(pool_.nodes[0]->holder().idle());
  Retire("k");
  EXPECT_EQ(BytesOf(**view), Value(100));
  view->reset();
  EXPECT_EQ(pool_.engine.mappings, 0u);
  EXPECT_TRUE(pool_.nodes[0]->holder().idle());
}

TEST_F(ObjectViewTest, AnEmptyObjectHasNoBytesButAHolderThatIsAsked) {
  Put("k", "");
  const Viewed view = ViewOne("k");
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE((*view)->pieces().empty());
  EXPECT_EQ((*view)->size(), 0u);
  EXPECT_EQ((*view)->Verify(), Status::Ok());
  Retire("k");
  pool_.master.objects.erase("k");
  EXPECT_EQ(ViewOne("k").status().code(), StatusCode::kNotFound);
}

TEST_F(ObjectViewTest, VerifyFindsBytesThatDoNotMatchTheirChecksum) {
  Put("k", Value(5000));
  const Viewed view = ViewOne("k");
  ASSERT_TRUE(view.ok());
  EXPECT_EQ((*view)->Verify(), Status::Ok());
  pool_.nodes[0]->memory()[pool_.master.objects["k"].replicas[0].ranges[0].offset + 4999] ^= 1;
  EXPECT_EQ((*view)->Verify().code(), StatusCode::kDataLoss);
}

TEST_F(ObjectViewTest, OwnMemoryComesBeforeThatOfTheHostAndNoOtherIsTried) {
  Put("k", Value(100), 3);
  std::vector<transfer::PeerId> tried;
  pool_.engine.instead_of_mapping = [&](const MapRequest& request) {
    tried.push_back(request.peer);
    return FailedPreconditionError("no shared memory with peer " + std::to_string(request.peer));
  };
  pool_.parts.self.incarnation = pool_.nodes[2]->peer().incarnation;
  const Viewed view = ViewOne("k");
  EXPECT_EQ(view.status(), FailedPreconditionError("no shared memory with peer 2"));
  EXPECT_EQ(tried, (std::vector<transfer::PeerId>{2, 0}));
}

TEST_F(ObjectViewTest, AnObjectOfOtherHostsCannotBeSeenInPlace) {
  Put("k", Value(100), 3);
  OnlyOn("k", {1, 2});
  const Viewed view = ViewOne("k");
  EXPECT_EQ(view.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(view.status().message(), HasSubstr("Get can"));
  EXPECT_EQ(pool_.master.finds.size(), 1u);
}

TEST_F(ObjectViewTest, EachKeyHasItsOwnAnswerAndOneNamedTwiceTwoViews) {
  Put("a", "1");
  Put("b", "22");
  Put("far", "3", 2);
  OnlyOn("far", {1});
  const std::vector<Viewed> views = View({"a", "missing", "b", "a", "far"});
  EXPECT_EQ(BytesOf(**views[0]), "1");
  EXPECT_EQ(views[1].status().code(), StatusCode::kNotFound);
  EXPECT_EQ(BytesOf(**views[2]), "22");
  EXPECT_EQ(BytesOf(**views[3]), "1");
  EXPECT_EQ(views[4].status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_EQ(pool_.engine.mappings, 3u);
}

TEST_F(ObjectViewTest, ARememberedObjectIsSeenWithoutAskingTheMaster) {
  Put("k", "value");
  { const Viewed first = ViewOne("k"); }
  EXPECT_TRUE(notes_.Take().empty());
  const Viewed view = ViewOne("k");
  EXPECT_EQ(BytesOf(**view), "value");
  EXPECT_EQ(pool_.master.finds.size(), 1u);
  EXPECT_EQ(counters_.remembered, 1u);
  EXPECT_EQ(notes_.Take(), std::vector<PutId>{pool_.master.objects["k"].put});
  pool_.clock.Advance(seconds(5));
  EXPECT_TRUE(ViewOne("k").ok());
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(ObjectViewTest, ARemovedOrReplacedObjectIsNotSeenAnyMore) {
  Put("k", "older");
  ASSERT_TRUE(ViewOne("k").ok());
  Retire("k");
  Put("k", "newer");
  EXPECT_EQ(BytesOf(**ViewOne("k")), "newer");
  EXPECT_EQ(counters_.refused, 1u);
  Retire("k");
  pool_.master.objects.erase("k");
  EXPECT_EQ(ViewOne("k").status().code(), StatusCode::kNotFound);
}

TEST_F(ObjectViewTest, WhereOnlyALaterRangeIsRefusedTheOthersAreLetGo) {
  pool_.master.granules_per_range = 1;
  Put("k", Value(10'000));
  size_t mapped = 0;
  pool_.engine.instead_of_mapping = [&](const MapRequest&) {
    return ++mapped == 3 ? AbortedError("moved") : Status::Ok();
  };
  const Viewed view = ViewOne("k");
  ASSERT_TRUE(view.ok());  // located anew
  EXPECT_EQ(pool_.engine.mappings, 3u);
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(ObjectViewTest, AnObjectThatIsRefusedTwiceIsUnavailable) {
  Put("k", "value");
  Retire("k");
  const Viewed view = ViewOne("k");
  EXPECT_EQ(view.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(view.status().message(), HasSubstr("try again"));
  EXPECT_EQ(pool_.master.finds.size(), 2u);
}

TEST_F(ObjectViewTest, AnObjectWhoseHolderIsGoneIsForgottenAndLocatedAnew) {
  Put("k", "value");
  ASSERT_TRUE(ViewOne("k").ok());
  size_t asked = 0;
  pool_.engine.instead_of_mapping = [&](const MapRequest&) {
    return ++asked == 1 ? UnavailableError("no way leads to the peer") : Status::Ok();
  };
  EXPECT_EQ(BytesOf(**ViewOne("k")), "value");
  EXPECT_EQ(pool_.master.finds.size(), 2u);
  pool_.engine.instead_of_mapping = [](const MapRequest&) {
    return UnavailableError("no way leads to the peer");
  };
  EXPECT_EQ(ViewOne("k").status(), UnavailableError("no way leads to the peer"));
  EXPECT_EQ(locations_.Find("k", pool_.parts.self.incarnation, TimePoint::min()), nullptr);
}

TEST_F(ObjectViewTest, ANoIsNeverToldFromWhatIsRemembered) {
  Put("k", "far", 2);
  OnlyOn("k", {1});
  ASSERT_FALSE(ViewOne("k").ok());
  Put("k", "near");  // replaced, and on this host now
  EXPECT_EQ(BytesOf(**ViewOne("k")), "near");
}

TEST_F(ObjectViewTest, TooManyViewsAreSaidSo) {
  Put("k", "value");
  pool_.engine.instead_of_mapping = [](const MapRequest&) {
    return ResourceExhaustedError("4096 mappings of that peer");
  };
  EXPECT_EQ(ViewOne("k").status(), ResourceExhaustedError("4096 mappings of that peer"));
}

TEST_F(ObjectViewTest, AfterTheDeadlineNothingIsMapped) {
  Put("k", "value");
  pool_.master.locate = [&](const std::string&) {
    pool_.clock.Advance(seconds(11));
    return Status::Ok();
  };
  EXPECT_EQ(ViewOne("k").status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pool_.engine.mappings, 0u);
}

}  // namespace
}  // namespace kvstore::client
