#include "master/outbox.h"

#include <gtest/gtest.h>

namespace kvstore::master {
namespace {

constexpr Incarnation kReader{1, 1};
constexpr Incarnation kHolder{2, 2};
constexpr Incarnation kOther{3, 3};
constexpr Incarnation kStranger{4, 4};

CopyOrder CopyFrom(Incarnation holder) {
  CopyOrder order;
  order.from = {{holder, 0}, 5, {{0, 4096}}};
  order.ranges = {{0, 4096}};
  return order;
}

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() {
    for (Incarnation node : {kReader, kHolder, kOther}) nodes_.Add({node, "n", "h", "d"}, {});
  }

  NodeTable nodes_;
  Outbox out_{7};
};

TEST_F(OutboxTest, OrdersBringOnceTheHoldersThatCopiesComeFrom) {
  out_.Add(kReader, CopyFrom(kOther));
  out_.Add(kReader, CopyFrom(kHolder));
  out_.Add(kReader, PrepareOrder{0, 4096});
  out_.Add(kReader, CopyFrom(kOther));
  const Effects effects = out_.Take(nodes_);
  ASSERT_EQ(effects.orders.size(), 1U);
  const Orders& orders = effects.orders[0].orders;
  EXPECT_EQ(orders.term, 7U);
  EXPECT_EQ(orders.orders.size(), 4U);
  ASSERT_EQ(orders.peers.size(), 2U);
  EXPECT_EQ(orders.peers[0].incarnation, kHolder);
  EXPECT_EQ(orders.peers[1].incarnation, kOther);
}

TEST_F(OutboxTest, WhoIsNoMemberIsNotBrought) {
  out_.Add(kReader, CopyFrom(kStranger));
  const Effects effects = out_.Take(nodes_);
  ASSERT_EQ(effects.orders.size(), 1U);
  EXPECT_TRUE(effects.orders[0].orders.peers.empty());
}

TEST_F(OutboxTest, AnswersWithoutReplicasBringNobody) {
  out_.Add({kReader, 1}, CountAnswer{0, Status::Ok(), 5});
  const Effects effects = out_.Take(nodes_);
  ASSERT_EQ(effects.replies.size(), 1U);
  EXPECT_TRUE(effects.replies[0].reply.peers.empty());
  EXPECT_EQ(std::get<std::vector<CountAnswer>>(effects.replies[0].reply.answers).at(0).count, 5U);
}

}  // namespace
}  // namespace kvstore::master
