#include "master/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "master/node_table.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kGranule = 4096;

class PlacementTest : public testing::Test {
 protected:
  Node* Add(uint64_t number, const std::string& name, const std::string& host,
            std::vector<uint64_t> ready_of_16) {
    Node* const node = nodes_.Add({{number, 0}, name, host, ""}, TimePoint{});
    for (uint32_t i = 0; i < ready_of_16.size(); ++i) {
      nodes_.AddSegment(node, {i, 16 * kGranule, kGranule, ready_of_16[i] * kGranule});
    }
    return node;
  }

  // The order of first mention, as "node/segment".
  std::vector<std::string> Order(const Node* writer, const Object& object) const {
    std::vector<std::string> order;
    Candidates candidates(nodes_, writer, object);
    while (const Segment* segment = candidates.Next()) {
      const std::string name =
          segment->node().peer.name + "/" + std::to_string(segment->id().index);
      if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
    }
    return order;
  }

  void Take(Node* node, uint64_t granules) {
    replicas_.push_back(std::make_unique<FurtherReplica>(&object_));
    ASSERT_TRUE(node->segments[0]->Grant(replicas_.back().get(), granules * kGranule, 1, 1));
    nodes_.NoteSpace(node->segments[0].get());
  }

  Object object_;
  NodeTable nodes_;
  std::vector<std::unique_ptr<FurtherReplica>> replicas_;
};

using Names = std::vector<std::string>;

TEST_F(PlacementTest, LocalFirstIsOwnMemoryThenTheHostThenTheMostFree) {
  Node* const a = Add(4, "a", "h1", {16, 16});
  Node* const b = Add(3, "b", "h1", {16});
  Node* const c = Add(2, "c", "h2", {16});
  Node* const d = Add(1, "d", "h2", {16});
  Take(d, 4);
  Object object;
  EXPECT_EQ(Order(a, object), (Names{"a/0", "a/1", "b/0", "c/0", "d/0"}));
  EXPECT_EQ(Order(b, object), (Names{"b/0", "a/0", "a/1", "c/0", "d/0"}));
  EXPECT_EQ(Order(c, object), (Names{"c/0", "d/0", "b/0", "a/0", "a/1"}));
}

TEST_F(PlacementTest, SpreadIsTheMostFreeAndFollowsWhatIsTaken) {
  Node* const a = Add(1, "a", "h1", {16});
  Node* const b = Add(2, "b", "h1", {16});
  Object object;
  object.placement = Placement::kSpread;
  EXPECT_EQ(Order(a, object), (Names{"a/0", "b/0"}));
  Take(a, 2);
  EXPECT_EQ(Order(a, object), (Names{"b/0", "a/0"}));
  Take(b, 5);
  EXPECT_EQ(Order(a, object), (Names{"a/0", "b/0"}));
}

TEST_F(PlacementTest, PagesThatCanStillBeHadCountAsFree) {
  Add(1, "a", "h1", {0});
  Node* const b = Add(2, "b", "h1", {16});
  Take(b, 1);
  Object object;
  object.placement = Placement::kSpread;
  EXPECT_EQ(Order(nullptr, object), (Names{"a/0", "b/0"}));
}

TEST_F(PlacementTest, PreferredNodesComeFirstInTheirOrder) {
  Node* const a = Add(1, "a", "h1", {16});
  Add(2, "b", "h2", {16});
  Add(3, "c", "h3", {16, 16});
  Object object;
  object.more().preferred_nodes = {"nobody", "c", "b"};
  EXPECT_EQ(Order(a, object), (Names{"c/0", "c/1", "b/0", "a/0"}));
}

TEST_F(PlacementTest, SuspectedNodesAreLeftOutUntilTheyAreTrustedAgain) {
  Node* const a = Add(1, "a", "h1", {16});
  Node* const b = Add(2, "b", "h1", {16});
  Object object;
  object.more().preferred_nodes = {"b"};
  nodes_.Suspect(b, TimePoint{});
  EXPECT_EQ(Order(a, object), (Names{"a/0"}));
  nodes_.Suspect(a, TimePoint{});
  EXPECT_EQ(Order(a, object), Names{});
  nodes_.Trust(b);
  EXPECT_EQ(Order(a, object), (Names{"b/0"}));
}

TEST_F(PlacementTest, WhatIsSickOrDrainedIsLeftOutAtEveryStage) {
  Node* const a = Add(1, "a", "h1", {16, 16});
  Node* const b = Add(2, "b", "h1", {16});
  Node* const c = Add(3, "c", "h2", {16});
  Object object;
  object.more().preferred_nodes = {"c"};
  a->segments[0]->set_sick(true);
  nodes_.NoteSpace(a->segments[0].get());
  EXPECT_EQ(Order(a, object), (Names{"c/0", "a/1", "b/0"}));
  for (Node* node : {b, c}) {
    node->draining = true;
    nodes_.NoteSpace(node->segments[0].get());
  }
  EXPECT_EQ(Order(a, object), Names{"a/1"});
  a->segments[0]->set_sick(false);
  nodes_.NoteSpace(a->segments[0].get());
  EXPECT_EQ(Order(a, object), (Names{"a/0", "a/1"}));
}

TEST_F(PlacementTest, ANodeThatStartsSlowlyCountsLessWhereFreeMemoryDecides) {
  Node* const a = Add(1, "a", "h1", {16});
  Node* const b = Add(2, "b", "h2", {16});
  Take(a, 4);
  b->start_eighths = 5;
  nodes_.NoteSpace(b->segments[0].get());
  Object object;
  object.placement = Placement::kSpread;
  EXPECT_EQ(Order(nullptr, object), (Names{"a/0", "b/0"}));
  object.placement = Placement::kLocalFirst;
  EXPECT_EQ(Order(b, object), (Names{"b/0", "a/0"}));  // its own memory all the same
  object.more().preferred_nodes = {"b"};
  EXPECT_EQ(Order(a, object), (Names{"b/0", "a/0"}));
  b->start_eighths = 8;
  nodes_.NoteSpace(b->segments[0].get());
  object.more().preferred_nodes = {};
  object.placement = Placement::kSpread;
  EXPECT_EQ(Order(nullptr, object), (Names{"b/0", "a/0"}));
}

TEST_F(PlacementTest, AWriterThatLendsNothingStillHasAHost) {
  Node* const writer = Add(1, "w", "h2", {});
  Add(2, "a", "h1", {16});
  Add(3, "b", "h2", {16});
  EXPECT_EQ(Order(writer, Object()), (Names{"b/0", "a/0"}));
}

TEST_F(PlacementTest, ThisHostIsOwnMemoryThenTheHostAndNowhereElse) {
  Add(4, "a", "h1", {16, 16});
  Node* const b = Add(3, "b", "h1", {16});
  Add(2, "c", "h2", {16});
  Node* const writer = Add(1, "w", "h2", {});
  Node* const alone = Add(5, "d", "h3", {});
  Object object;
  object.placement = Placement::kThisHost;
  EXPECT_EQ(Order(b, object), (Names{"b/0", "a/0", "a/1"}));
  EXPECT_EQ(Order(writer, object), Names{"c/0"});
  EXPECT_EQ(Order(alone, object), Names{});
  EXPECT_EQ(Order(nullptr, object), Names{});  // whose host nobody knows
}

TEST_F(PlacementTest, ForThisHostPreferredNodesCountWhereTheyAreOnIt) {
  Node* const a = Add(1, "a", "h1", {16});
  Add(2, "b", "h1", {16, 16});
  Add(3, "c", "h2", {16});
  Object object;
  object.placement = Placement::kThisHost;
  object.more().preferred_nodes = {"c", "b"};
  EXPECT_EQ(Order(a, object), (Names{"b/0", "b/1", "a/0"}));
  EXPECT_EQ(Order(nullptr, object), Names{});
}

TEST_F(PlacementTest, ANodeThatIsErasedIsNoCandidate) {
  Node* const a = Add(1, "a", "h1", {16});
  Node* const b = Add(2, "b", "h1", {16});
  nodes_.Erase(b);
  EXPECT_EQ(Order(a, Object()), (Names{"a/0"}));
  EXPECT_EQ(nodes_.Named("b"), nullptr);
}

}  // namespace
}  // namespace kvstore::master
