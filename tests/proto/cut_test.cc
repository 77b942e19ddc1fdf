// Large replies, orders and reports in messages that are each taken.

#include <gtest/gtest.h>

#include <set>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"
#include "proto/text_of.h"

namespace kvstore {
namespace {

Peer PeerWithDescriptor(uint64_t number) {
  return {{1, number}, "node " + std::to_string(number), "host", std::string(4096, 'd')};
}

TEST(CutToMessages, SmallReplyStaysWhole) {
  VerbReply reply{9, std::vector<ItemAnswer>{{0, Status::Ok()}, {1, NotFoundError("x")}}, {}};
  const std::vector<VerbReply> cut = CutToMessages(reply);
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(TextOf(cut[0]), TextOf(reply));
}

TEST(CutToMessages, ReplyWithoutAnswersStaysOne) {
  const std::vector<VerbReply> cut = CutToMessages({9, std::vector<StatAnswer>{}, {}});
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(cut[0].answers.index(), 3U);
}

// The largest reply there can be: 4096 items, each on 8 of 4096 nodes, with long descriptors.
TEST(CutToMessages, EveryMessageIsSmallAndBringsThePeersThatItNames) {
  VerbReply reply;
  reply.id = 5;
  std::vector<LocateAnswer> answers(4096);
  for (uint32_t i = 0; i < answers.size(); ++i) {
    answers[i].index = i;
    for (uint64_t r = 0; r < 8; ++r) {
      answers[i].replicas.push_back({{{1, (i * 8 + r) % 4096}, 0},
                                     ~uint64_t{0},
                                     std::vector<Range>(64, {uint64_t{1} << 43, 1 << 20})});
    }
  }
  reply.answers = std::move(answers);
  for (uint64_t i = 0; i < 4096; ++i) reply.peers.push_back(PeerWithDescriptor(i));

  uint32_t next = 0;
  for (const VerbReply& part : CutToMessages(std::move(reply))) {
    v1::VerbReplyMessage message;
    Encode(part, 1, &message);
    EXPECT_LT(message.ByteSizeLong(), kMaxMessageBytes / 2);
    EXPECT_EQ(part.id, 5U);
    std::set<Incarnation> peers;
    for (const Peer& peer : part.peers) peers.insert(peer.incarnation);
    EXPECT_EQ(peers.size(), part.peers.size());
    for (const LocateAnswer& answer : std::get<std::vector<LocateAnswer>>(part.answers)) {
      ASSERT_EQ(answer.index, next++);
      for (const Replica& replica : answer.replicas) {
        ASSERT_TRUE(peers.contains(replica.segment.holder));
      }
    }
  }
  EXPECT_EQ(next, 4096U);
}

TEST(CutToMessages, LongMessagesCountToo) {
  const std::vector<ItemAnswer> answers(4096, {0, NotFoundError(std::string(4000, 'm'))});
  for (const VerbReply& part : CutToMessages({1, answers, {}})) {
    v1::VerbReplyMessage message;
    Encode(part, 1, &message);
    EXPECT_LT(message.ByteSizeLong(), kMaxMessageBytes / 2);
  }
}

// Stats have the longest answers.
TEST(CutToMessages, GroupsCountToo) {
  std::vector<StatAnswer> answers(4096);
  for (StatAnswer& answer : answers) {
    answer.put = {{~uint64_t{0}, ~uint64_t{0}}, ~uint64_t{0}};
    answer.size = uint64_t{1} << 44;
    answer.checksum = ~uint64_t{0};
    answer.age = answer.lease_left = Duration::max();
    answer.durable = true;
    answer.retention = {true, Duration::max(), Duration::max(), std::string(255, 'g'),
                        ~uint32_t{0}};
  }
  size_t answered = 0;
  for (const VerbReply& part : CutToMessages(VerbReply{1, answers, {}})) {
    v1::VerbReplyMessage message;
    Encode(part, 1, &message);
    EXPECT_LE(message.ByteSizeLong(), (1u << 20) + 1024);
    answered += message.stats().stats_size();
  }
  EXPECT_EQ(answered, 4096U);
}

TEST(CutToMessages, CountsStayWhole) {
  const VerbReply reply{9, std::vector<CountAnswer>{{0, Status::Ok(), 77}}, {}};
  const std::vector<VerbReply> cut = CutToMessages(reply);
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(TextOf(cut[0]), TextOf(reply));
}

std::vector<Range> MostRanges() {
  return std::vector<Range>(64, {uint64_t{1} << 43, uint64_t{1} << 43});
}

NoteOrder LargestNote(uint64_t sequence) {
  return {{{~uint64_t{0}, ~uint64_t{0}}, sequence},
          ~uint32_t{0},
          ~uint64_t{0},
          MostRanges(),
          std::string(1024, '\xff'),
          uint64_t{1} << 44,
          ~uint64_t{0},
          8,
          {true, Duration::max(), Duration::max(), std::string(255, 'g'), ~uint32_t{0}},
          ~uint64_t{0},
          {{~uint64_t{0}, ~uint64_t{0}}, ~uint64_t{0}}};
}

TEST(CutOrders, NoOrdersAreNoMessage) { EXPECT_TRUE(CutToMessages(Orders{1, {}}).empty()); }

TEST(CutOrders, EveryMessageIsSmallAndBringsThePeersThatItNames) {
  Orders orders;
  orders.term = 3;
  for (uint64_t i = 0; i < 2000; ++i) {
    orders.orders.push_back(LargestNote(i));
    orders.orders.push_back(
        CopyOrder{{{1, 1}, i}, 1, 2, {{{1, i}, 5}, 6, MostRanges()}, 7, 8, MostRanges()});
    orders.orders.push_back(RetireOrder{{{1, 1}, i}, 7, 8, MostRanges()});
    orders.peers.push_back(PeerWithDescriptor(i));
  }
  std::vector<Order> together;
  for (const Orders& part : CutToMessages(orders)) {
    v1::Orders message;
    Encode(part, &message);
    EXPECT_LE(message.ByteSizeLong(), (1u << 20) + (60u << 10));
    const Result<Orders> back = Decode(message);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->term, 3U);
    std::set<Incarnation> peers;
    for (const Peer& peer : part.peers) peers.insert(peer.incarnation);
    std::set<Incarnation> named;
    for (const Order& order : back->orders) {
      const auto* copy = std::get_if<CopyOrder>(&order);
      if (copy != nullptr) named.insert(copy->from.segment.holder);
      together.push_back(order);
    }
    EXPECT_EQ(peers, named);
    EXPECT_EQ(peers.size(), part.peers.size());
  }
  EXPECT_EQ(together.size(), orders.orders.size());
  for (size_t i = 0; i < together.size(); i += 3) {
    EXPECT_EQ(std::get<NoteOrder>(together[i]).put.sequence, i / 3);
  }
}

// Cut, encoded, decoded, and put together as a master does.
Report Together(const Report& report, size_t* parts) {
  Report whole;
  const std::vector<Report> cut = CutToMessages(report);
  *parts = cut.size();
  for (const Report& part : cut) {
    v1::Report message;
    Encode(part, &message);
    EXPECT_LE(message.ByteSizeLong(), (1u << 20) + (60u << 10));
    const Result<Report> back = Decode(message);
    EXPECT_TRUE(back.ok()) << back.status();
    if (!back.ok()) return whole;
    EXPECT_EQ(back->last, &part == &cut.back());
    EXPECT_EQ(back->segments.empty(), !back->last);
    whole.term = back->term;
    whole.counter = back->counter;
    whole.segments = back->segments;
    whole.last = back->last;
    whole.notes.insert(whole.notes.end(), back->notes.begin(), back->notes.end());
    whole.held.insert(whole.held.end(), back->held.begin(), back->held.end());
  }
  return whole;
}

TEST(CutReport, TheLastOfManyPartsBringsTheSegments) {
  Report report;
  report.term = 3;
  report.counter = 4;
  report.segments = {{7, 8192, 4096, 4096}};
  report.last = true;
  for (uint64_t i = 0; i < 5000; ++i) {
    NoteOrder note = LargestNote(i);
    note.retention.soft_pin = note.retention.ttl = std::chrono::hours(1);
    report.notes.push_back(std::move(note));
    report.held.push_back({kFirstHeldSequence + i, 7, ~uint64_t{0}, MostRanges()});
  }
  size_t parts = 0;
  EXPECT_EQ(TextOf(Together(report, &parts)), TextOf(report));
  EXPECT_GT(parts, 10U);
}

TEST(CutReport, PartsHaveNoMoreItemsThanAMessageMay) {
  Report report;
  report.segments = {{7, 8192, 4096, 4096}};
  report.last = true;
  for (uint64_t i = 0; i < 200'000; ++i) {
    report.held.push_back({kFirstHeldSequence + i, 0, 0, {{0, 1}}});
  }
  size_t parts = 0;
  EXPECT_EQ(Together(report, &parts).held, report.held);
}

TEST(CutReport, OfANodeWithoutObjectsIsOnePart) {
  Report report;
  report.term = 3;
  report.segments = {{7, 8192, 4096, 4096}};
  const std::vector<Report> cut = CutToMessages(report);
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_TRUE(cut[0].last);
  EXPECT_EQ(cut[0].segments.size(), 1U);
}

}  // namespace
}  // namespace kvstore
