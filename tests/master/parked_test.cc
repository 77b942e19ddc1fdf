// Many parked puts, more than one event looks after.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "fakes/strike.h"
#include "master/catalog.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kGranule = 4096;
constexpr Incarnation kWriter{1, 1};
constexpr Incarnation kFirst{2, 2};
constexpr Incarnation kSecond{3, 3};
constexpr Incarnation kLarge{4, 4};

class ParkedTest : public testing::Test {
 protected:
  static Limits MakeLimits() {
    Limits limits;
    limits.free_share_wanted = 0;
    return limits;
  }

  void Join(Incarnation node, const std::string& name, uint64_t granules) {
    Hello hello;
    hello.self = {node, name, name, ""};
    hello.counter = ++counter_;
    if (granules > 0) hello.segments = {{0, granules * kGranule, kGranule, granules * kGranule}};
    Effects effects;
    const Result<Welcome> welcome = catalog_.Join(now_, hello, &effects);
    ASSERT_TRUE(welcome.ok()) << welcome.status();
    Note(effects);
    if (!welcome->wants_report) return;
    ASSERT_TRUE(catalog_.HandleReport(now_, node, WholeReport(1, counter_), &effects).ok());
    Note(effects);
  }

  // Its sequence.
  uint64_t Put(uint64_t granules, uint32_t replicas) {
    StartPut put;
    put.keys.Add("k" + std::to_string(++sequence_));
    put.sequences = {sequence_};
    put.sizes = {granules * kGranule};
    put.replicas = replicas;
    Ask(put);
    return sequence_;
  }

  template <typename Verb>
  void Ask(Verb verb) {
    Note(catalog_.Handle(now_, kWriter, {++requests_, std::chrono::hours(1), std::move(verb)}));
  }

  void Note(const Effects& effects) {
    for (const Effects::Reply& reply : effects.replies) {
      const auto* started = std::get_if<std::vector<StartPutAnswer>>(&reply.reply.answers);
      if (started == nullptr) continue;
      for (const StartPutAnswer& answer : *started) answers_[reply.reply.id] = answer.status;
    }
  }

  bool IsAnswered(uint64_t put) const { return answers_.contains(put); }

  TimePoint now_{std::chrono::hours(1)};
  Catalog catalog_{now_, MakeLimits(), Reign{{9, 9}, 1, {}, {}}};
  uint64_t counter_ = 0;
  uint64_t sequence_ = 0;  // also the request's id, as long as only puts are asked for
  uint64_t requests_ = 0;
  std::map<uint64_t, Status> answers_;  // by request
};

TEST_F(ParkedTest, AYoungOneGetsRoomThoughHundredsOfOlderOnesAreStuckElsewhere) {
  Join(kWriter, "writer", 0);
  Join(kFirst, "first", 4);
  Join(kSecond, "second", 4);
  Put(4, 2);  // both are full
  for (int i = 0; i < 1000; ++i) Put(4, 2);
  Join(kLarge, "large", 16);
  const uint64_t blocking = Put(16, 1);
  const uint64_t young = Put(16, 1);  // fits nowhere else
  ASSERT_TRUE(IsAnswered(blocking));
  Note(catalog_.SessionLost(now_, kLarge));  // no place that it could wait for
  Join(kLarge, "large", 16);
  Ask(AbortPut{{blocking}});
  Note(catalog_.HandleAcks(now_, kLarge,
                           {1, ++counter_, {{{kWriter, blocking}, 0, 4, RetireStage::kFree}}, {}}));
  EXPECT_EQ(catalog_.TakeCensus(now_).puts_parked, 1001u);
  for (int tick = 0; tick < 10; ++tick) Note(catalog_.Tick(now_));
  EXPECT_TRUE(IsAnswered(young));
  EXPECT_EQ(catalog_.TakeCensus(now_).puts_parked, 1000u);
  EXPECT_EQ(catalog_.CheckInvariants(), "");
}

}  // namespace
}  // namespace kvstore::master
