#include "master/switchboard.h"

#include <gtest/gtest.h>

#include <memory>

#include "master/switchboard_fixture.h"

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(SwitchboardTest, AnswersGoToTheCallerAndOrdersToTheHolder) {
  const Member holder = Join(1, 1 << 20);
  const Member caller = Join(2);
  Store(holder, "key");
  const size_t answered = holder.verbs->received.size();
  Ask(caller, Remove{Key("key")});
  EXPECT_TRUE(caller.verbs->received.empty());  // the holder has not withdrawn yet
  ASSERT_EQ(holder.session->received.size(), 1U);
  EXPECT_EQ(holder.session->received[0].term, kTerm);
  const auto& order = std::get<RetireOrder>(holder.session->received[0].orders.at(0));
  board_.HandleAcks(holder.id, {kTerm, 2, {{order.put, 0, order.birth}}, {}});
  ASSERT_EQ(caller.verbs->received.size(), 1U);
  EXPECT_EQ(holder.verbs->received.size(), answered);
}

TEST_F(SwitchboardTest, AnswerWithoutAStreamIsDropped) {
  const Member caller = Join(1);
  board_.VerbsEnded(caller.id, caller.verbs.get());
  Ask(caller, Exists{Key("key")});
  EXPECT_TRUE(caller.verbs->received.empty());
}

TEST_F(SwitchboardTest, AnswersGoToTheLastStreamThatIsStillOpen) {
  const Member caller = Join(1);
  const auto later = std::make_shared<FakeVerbs>();
  ASSERT_TRUE(board_.OpenVerbs(caller.id, kTerm, later).ok());
  Ask(caller, Exists{Key("key")});
  EXPECT_EQ(later->received.size(), 1U);
  board_.VerbsEnded(caller.id, later.get());
  Ask(caller, Exists{Key("key")});
  EXPECT_EQ(later->received.size(), 1U);
  EXPECT_EQ(caller.verbs->received.size(), 1U);
}

TEST_F(SwitchboardTest, VerbStreamsNeedThisTermAndAMember) {
  const Member caller = Join(1);
  const auto stream = std::make_shared<FakeVerbs>();
  EXPECT_EQ(board_.OpenVerbs(caller.id, kTerm - 1, stream).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(board_.OpenVerbs({9, 9}, kTerm, stream).code(), StatusCode::kFailedPrecondition);
}

TEST_F(SwitchboardTest, SessionOpenedAgainReplacesTheFirst) {
  const Member first = Join(1, 8192);
  Member second{first.id};
  ASSERT_TRUE(TryJoin(second, 8192).ok());
  ASSERT_TRUE(first.session->ended);
  EXPECT_EQ(first.session->ended->code(), StatusCode::kAborted);
  // The end of the first is no loss of the second.
  board_.SessionEnded(first.id, first.session.get());
  EXPECT_EQ(board_.TakeCensus().nodes_suspected, 0U);
  board_.SessionEnded(first.id, second.session.get());
  EXPECT_EQ(board_.TakeCensus().nodes_suspected, 1U);
}

TEST_F(SwitchboardTest, HeartbeatsAreCarriedOverByTheTicker) {
  const Member node = Join(1, 8192);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(board_.Heard(node.id));
    Pass(seconds(1));
  }
  EXPECT_EQ(board_.TakeCensus().nodes_live, 1U);
  Pass(seconds(1));
  EXPECT_EQ(board_.TakeCensus().nodes_suspected, 1U);
}

class ImpatientSwitchboardTest : public SwitchboardTest {
 protected:
  ImpatientSwitchboardTest() : SwitchboardTest(MakeLimits()) {}

  static Limits MakeLimits() {
    Limits limits;
    limits.suspect_after = milliseconds(100);
    return limits;
  }
};

TEST_F(ImpatientSwitchboardTest, BeatsThatComeWhileATickWaitsForTheCatalogCountInThatTick) {
  const Member node = Join(1, 8192);
  board_.Tick();
  // The tick asks for the time when it has the catalog at last.
  clock_.when_asked = [&] {
    clock_.now += milliseconds(150);
    EXPECT_TRUE(board_.Heard(node.id));
  };
  board_.Tick();
  EXPECT_EQ(board_.TakeCensus().nodes_live, 1U);
  EXPECT_EQ(board_.counters().nodes_suspected, 0U);
}

TEST_F(SwitchboardTest, WhileTheMasterWasHeldUpNobodyWasSilent) {
  const Member node = Join(1, 8192);
  Pass(milliseconds(300));
  clock_.now += seconds(60);
  board_.Tick();
  EXPECT_EQ(board_.TakeCensus().nodes_live, 1U);
  Pass(milliseconds(1100));  // but before and since it was
  EXPECT_EQ(board_.TakeCensus().nodes_suspected, 1U);
}

TEST_F(SwitchboardTest, WhileTheMasterWasHeldUpNoSuspectHadTimeToComeBack) {
  const Member node = Join(1, 8192);
  Pass(seconds(2));
  ASSERT_EQ(board_.TakeCensus().nodes_suspected, 1U);
  clock_.now += seconds(60);
  board_.Tick();
  EXPECT_EQ(board_.TakeCensus().nodes_suspected, 1U);
  EXPECT_TRUE(board_.Heard(node.id));
  board_.Tick();
  EXPECT_EQ(board_.TakeCensus().nodes_live, 1U);
}

TEST_F(SwitchboardTest, GoneNodeIsDisconnectedAndNoLongerHeard) {
  const Member node = Join(1, 8192);
  Pass(seconds(2));
  EXPECT_FALSE(node.session->ended);
  Pass(seconds(16));
  ASSERT_TRUE(node.session->ended && node.verbs->ended);
  EXPECT_EQ(node.session->ended->code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(node.session->ended->message().starts_with("gone"));
  EXPECT_FALSE(board_.Heard(node.id));
  EXPECT_EQ(TryJoin(node, 8192).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(SwitchboardTest, LeavingEndsTheStreamsCleanly) {
  const Member node = Join(1, 8192);
  board_.Leave(node.id);
  ASSERT_TRUE(node.session->ended && node.verbs->ended);
  EXPECT_TRUE(node.session->ended->ok());
  EXPECT_FALSE(board_.Heard(node.id));
  EXPECT_EQ(board_.TakeCensus().nodes_live, 0U);
}

TEST_F(SwitchboardTest, ReportThatIsRefusedEndsTheSession) {
  const Member node{{1, 1}};
  Hello hello;
  hello.self = {node.id, "name", "host", "descriptor"};
  hello.segments.push_back({0, 8192, 4096, 8192});
  board_.Join(hello, node.session, [](const Result<Welcome>& w) { EXPECT_TRUE(w.ok()); });
  const Report report = WholeReport(kTerm - 1, 1);
  const auto stranger = std::make_shared<FakeSession>();
  EXPECT_TRUE(board_.HandleReport(node.id, stranger.get(), report).ok());  // of a session before
  EXPECT_FALSE(node.session->ended);
  const Status status = board_.HandleReport(node.id, node.session.get(), report);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(node.session->ended);
  EXPECT_EQ(node.session->ended->code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(members_.asked.back(), "strike 1");
  EXPECT_EQ(TryJoin(node, 8192).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(SwitchboardTest, StreamsAreSharedOnlyWhileTheyAreOpen) {
  Member node = Join(1, 8192);
  const std::weak_ptr<FakeSession> session = node.session;
  const std::weak_ptr<FakeVerbs> verbs = node.verbs;
  board_.VerbsEnded(node.id, node.verbs.get());
  board_.SessionEnded(node.id, node.session.get());
  node.session.reset();
  node.verbs.reset();
  EXPECT_TRUE(session.expired());
  EXPECT_TRUE(verbs.expired());
}

}  // namespace
}  // namespace kvstore::master
