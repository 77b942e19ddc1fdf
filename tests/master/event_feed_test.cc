#include "master/event_feed.h"

#include <gtest/gtest.h>

#include <set>

#include "master/event_names.h"

namespace kvstore::master {
namespace {

constexpr TimePoint kNow = TimePoint() + std::chrono::hours(1);

ObjectEvent Committed(std::string key) {
  ObjectEvent event;
  event.key = std::move(key);
  return event;
}

NodeEvent Gone() {
  NodeEvent event;
  event.what = NodeEvent::What::kGone;
  return event;
}

class EventFeedTest : public testing::Test {
 protected:
  std::shared_ptr<EventQueue> Watch(const EventFilter& filter = {}) {
    auto queue = feed_.Watch(filter, [this] { ++woken_; });
    EXPECT_TRUE(queue.ok()) << queue.status();
    return queue.ok() ? *queue : nullptr;
  }
  void Happens(const std::vector<NodeEvent>& nodes, const std::vector<ObjectEvent>& objects) {
    feed_.Add(kNow, nodes, objects);
    feed_.Wake();
  }
  static std::vector<std::string> Keys(const EventQueue::Batch& batch) {
    std::vector<std::string> keys;
    for (const PoolEvent& event : batch.events) {
      const auto* object = std::get_if<ObjectEvent>(&event.what);
      keys.push_back(object == nullptr ? "(node)" : object->key);
    }
    return keys;
  }
  using List = std::vector<std::string>;

  EventFeed feed_;
  int woken_ = 0;
};

TEST_F(EventFeedTest, EveryWatcherGetsWhatHappensInOrder) {
  const auto one = Watch(), two = Watch();
  Happens({}, {Committed("a"), Committed("b")});
  Happens({Gone()}, {});
  EXPECT_EQ(Keys(one->Take()), (List{"a", "b", "(node)"}));
  EXPECT_EQ(Keys(two->Take()), (List{"a", "b", "(node)"}));
  EXPECT_EQ(Keys(two->Take()), List{});
}

TEST_F(EventFeedTest, AWatcherIsWokenForWhatItWantsOnly) {
  const auto queue = Watch({.prefix = "m/", .kinds = {}});
  Happens({Gone()}, {Committed("n/1")});
  EXPECT_EQ(woken_, 0);
  Happens({Gone()}, {Committed("m/1")});
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(Keys(queue->Take()), List{"m/1"});
}

TEST_F(EventFeedTest, KindsAreChosenByName) {
  const auto queue = Watch({.prefix = "", .kinds = {"node_gone", "removed"}});
  ObjectEvent removed = Committed("r");
  removed.what = ObjectEvent::What::kRemoved;
  NodeEvent left;
  left.what = NodeEvent::What::kLeft;
  Happens({left, Gone()}, {Committed("c"), removed});
  EXPECT_EQ(Keys(queue->Take()), (List{"(node)", "r"}));
}

TEST_F(EventFeedTest, AnUnknownKindIsRefusedWithThoseThatThereAre) {
  const auto queue = feed_.Watch({.prefix = "", .kinds = {"comitted"}}, [] {});
  EXPECT_EQ(queue.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(queue.status().message().find("committed"), std::string::npos);
  EXPECT_NE(queue.status().message().find("node_gone"), std::string::npos);
}

TEST_F(EventFeedTest, WhatASlowWatcherHasNoRoomForIsCountedBehindWhatItGets) {
  const auto slow = Watch();
  for (size_t i = 0; i < EventQueue::kMostEvents + 5; ++i) Happens({Gone()}, {});
  const EventQueue::Batch batch = slow->Take();
  EXPECT_EQ(batch.events.size(), EventQueue::kMostEvents);
  EXPECT_EQ(batch.left_out, 5u);
  Happens({Gone()}, {});
  const EventQueue::Batch after = slow->Take();
  EXPECT_EQ(after.events.size(), 1u);
  EXPECT_EQ(after.left_out, 0u);
}

TEST_F(EventFeedTest, LongKeysAreBoundedByTheirBytes) {
  const auto slow = Watch();
  constexpr uint64_t kEvents = 2 * EventQueue::kMostBytes / 1024;
  for (uint64_t i = 0; i < kEvents; ++i) Happens({}, {Committed(std::string(1024, 'k'))});
  const EventQueue::Batch batch = slow->Take(SIZE_MAX);
  EXPECT_LT(batch.events.size() * 1024, EventQueue::kMostBytes);
  EXPECT_GT(batch.events.size(), 1000u);
  EXPECT_EQ(batch.events.size() + batch.left_out, kEvents);
}

TEST_F(EventFeedTest, EventsAreTakenPartByPart) {
  const auto queue = Watch();
  Happens({}, {Committed("a"), Committed("b"), Committed("c")});
  EXPECT_EQ(Keys(queue->Take(1)), List{"a"});
  EXPECT_EQ(Keys(queue->Take()), (List{"b", "c"}));
}

TEST_F(EventFeedTest, ObjectsAreWantedOnlyWhileSomebodyWatchesThem) {
  EXPECT_FALSE(feed_.wants_objects());
  const auto nodes = Watch({.prefix = "", .kinds = {"node_gone"}});
  EXPECT_FALSE(feed_.wants_objects());
  auto all = Watch();
  EXPECT_TRUE(feed_.wants_objects());
  all.reset();
  Happens({Gone()}, {});
  EXPECT_FALSE(feed_.wants_objects());
  EXPECT_EQ(nodes->Take().events.size(), 1u);
}

TEST_F(EventFeedTest, WatchersAreBoundedAndAPlaceIsFreeWhenOneGoes) {
  std::vector<std::shared_ptr<EventQueue>> watchers;
  for (size_t i = 0; i < EventFeed::kMostWatchers; ++i) watchers.push_back(Watch());
  EXPECT_EQ(feed_.Watch({}, [] {}).status().code(), StatusCode::kResourceExhausted);
  watchers.pop_back();
  EXPECT_TRUE(feed_.Watch({}, [] {}).ok());
}

TEST(EventNamesTest, NoTwoAreEqual) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kNodeEvents; ++i) {
    names.insert(EventName(static_cast<NodeEvent::What>(i)));
  }
  for (size_t i = 0; i < kObjectEvents; ++i) {
    names.insert(EventName(static_cast<ObjectEvent::What>(i)));
  }
  EXPECT_EQ(names.size(), kNodeEvents + kObjectEvents);
}

}  // namespace
}  // namespace kvstore::master
