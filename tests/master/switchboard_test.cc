#include "master/switchboard.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>

#include "fakes/strike.h"

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeClock : public Clock {
 public:
  // The next time that it is asked, `when_asked` is called first.
  TimePoint Now() const override {
    if (const auto call = std::exchange(when_asked, nullptr)) call();
    return now;
  }
  TimePoint now = TimePoint() + std::chrono::hours(1);
  mutable std::function<void()> when_asked;
};

class FakeSession : public SessionPort {
 public:
  // Notes are left unconfirmed.
  void Send(Orders orders) override {
    std::erase_if(orders.orders,
                  [](const Order& o) { return std::holds_alternative<NoteOrder>(o); });
    if (!orders.orders.empty()) received.push_back(std::move(orders));
  }
  void EndSession(const Status& why) override { ended = why; }
  std::vector<Orders> received;
  std::optional<Status> ended;
};

class FakeVerbs : public VerbPort {
 public:
  void Send(VerbReply reply) override { received.push_back(std::move(reply)); }
  void EndVerbs(const Status& why) override { ended = why; }
  std::vector<VerbReply> received;
  std::optional<Status> ended;
};

// Does what it is asked when the test says so; by default at once.
class FakeMembers : public Members {
 public:
  void Admit(const Reign::Member& member, Done done) override {
    asked.push_back("admit " + std::to_string(member.incarnation.low));
    Answer(std::move(done));
  }
  void Strike(std::vector<Incarnation> nodes, Done done) override {
    for (const Incarnation node : nodes) asked.push_back("strike " + std::to_string(node.low));
    Answer(std::move(done));
  }
  void AnswerAll() {
    for (const Done& done : std::exchange(waiting, {})) done(status);
  }

  std::vector<std::string> asked;
  std::vector<Done> waiting;
  bool at_once = true;
  Status status;

 private:
  void Answer(Done done) {
    waiting.push_back(std::move(done));
    if (at_once) AnswerAll();
  }
};

constexpr Incarnation kPool{7, 7};
constexpr uint64_t kTerm = 3;

class SwitchboardTest : public testing::Test {
 protected:
  explicit SwitchboardTest(const Limits& limits = Limits())
      : board_(limits, Reign{kPool, kTerm, {}, {}}, clock_, members_) {}

  // A member with a session and a verb stream.
  struct Member {
    Incarnation id;
    std::shared_ptr<FakeSession> session = std::make_shared<FakeSession>();
    std::shared_ptr<FakeVerbs> verbs = std::make_shared<FakeVerbs>();
  };

  Result<Welcome> TryJoin(const Member& member, uint64_t lend_bytes = 0) {
    Hello hello;
    hello.self = {member.id, "name", "host", "descriptor"};
    hello.counter = 1;
    if (lend_bytes > 0) hello.segments.push_back({0, lend_bytes, 4096, lend_bytes});
    Result<Welcome> answer = UnavailableError("not answered");
    board_.Join(hello, member.session, [&answer](Result<Welcome> w) { answer = std::move(w); });
    if (answer.ok() && answer->wants_report) {
      const Report report = WholeReport(kTerm, hello.counter);
      EXPECT_TRUE(board_.HandleReport(member.id, member.session.get(), report).ok());
    }
    return answer;
  }

  Member Join(uint64_t number, uint64_t lend_bytes = 0) {
    Member member{{number, number}};
    const Result<Welcome> welcome = TryJoin(member, lend_bytes);
    EXPECT_TRUE(welcome.ok()) << welcome.status();
    EXPECT_TRUE(board_.OpenVerbs(member.id, kTerm, member.verbs).ok());
    return member;
  }

  template <typename Verb>
  void Ask(const Member& member, Verb verb) {
    board_.Handle(member.id, {++requests_, seconds(60), std::move(verb)});
  }

  static KeyBatch Key(std::string_view key) {
    KeyBatch keys;
    keys.Add(key);
    return keys;
  }

  void Store(const Member& member, std::string_view key) {
    Ask(member, StartPut{Key(key), {++sequences_}, {100}, 1, false, {}, {}});
    Ask(member, CommitPut{{sequences_}, {1}, {}});
  }

  // Time passes in ticks, as it does in a program.
  void Pass(milliseconds time) {
    for (milliseconds passed{}; passed < time; passed += milliseconds(100)) {
      clock_.now += milliseconds(100);
      board_.Tick();
    }
  }

  FakeClock clock_;
  FakeMembers members_;
  Switchboard board_;
  uint64_t requests_ = 0;
  uint64_t sequences_ = 0;
};

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

TEST_F(SwitchboardTest, LenderIsWrittenDownBeforeItJoins) {
  members_.at_once = false;
  const Member node{{1, 1}};
  std::optional<Status> answer;
  Hello hello;
  hello.self = {node.id, "name", "host", "descriptor"};
  hello.segments.push_back({0, 8192, 4096, 8192});
  const auto join = [&] {
    board_.Join(hello, node.session, [&](const Result<Welcome>& w) { answer = w.status(); });
  };
  join();
  EXPECT_FALSE(answer);
  EXPECT_EQ(members_.asked, std::vector<std::string>{"admit 1"});
  EXPECT_EQ(board_.TakeCensus().nodes_live, 0U);
  members_.AnswerAll();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->ok()) << *answer;
  EXPECT_EQ(board_.TakeCensus().nodes_live, 1U);
  join();                               // again, as a member: there is nothing to write
  EXPECT_TRUE(TryJoin({{2, 2}}).ok());  // nor for one that lends nothing
  EXPECT_EQ(members_.asked.size(), 1U);
}

TEST_F(SwitchboardTest, HelloIsRefusedWhileNothingCanBeWritten) {
  members_.status = UnavailableError("cannot write FILE: No space left on device");
  const Result<Welcome> welcome = TryJoin({{1, 1}}, 8192);
  EXPECT_EQ(welcome.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(welcome.status().message().find("No space left"), std::string::npos);
  EXPECT_EQ(board_.TakeCensus().nodes_live, 0U);
  members_.status = Status::Ok();
  EXPECT_TRUE(TryJoin({{1, 1}}, 8192).ok());
}

TEST_F(SwitchboardTest, WhoWouldBeRefusedIsNotWrittenDown) {
  Hello hello;
  hello.self = {{1, 1}, "name", "host", "descriptor"};
  hello.pool = {6, 6};
  hello.segments.push_back({0, 8192, 4096, 8192});
  bool refused = false;
  board_.Join(hello, std::make_shared<FakeSession>(),
              [&refused](const Result<Welcome>& welcome) { refused = !welcome.ok(); });
  EXPECT_TRUE(refused);
  EXPECT_TRUE(members_.asked.empty());
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

TEST_F(SwitchboardTest, LenderIsGoneOnlyWhenItIsStruck) {
  const Member holder = Join(1, 1 << 20);
  const Member caller = Join(2);
  Store(holder, "key");
  members_.at_once = false;
  for (int i = 0; i < 20; ++i) {
    board_.Heard(caller.id);
    Pass(seconds(1));
  }
  EXPECT_EQ(members_.asked.back(), "strike 1");
  EXPECT_EQ(board_.counters().nodes_gone, 0U);
  EXPECT_EQ(board_.TakeCensus().objects, 1U);
  members_.AnswerAll();
  EXPECT_EQ(board_.counters().nodes_gone, 1U);
  EXPECT_EQ(board_.counters().lost_with_node, 1U);
}

TEST_F(SwitchboardTest, StrikeThatFailedIsTriedAgain) {
  const Member node = Join(1, 8192);
  members_.status = UnavailableError("cannot write FILE");
  board_.Leave(node.id);
  EXPECT_EQ(board_.counters().nodes_left, 0U);
  Pass(seconds(3));
  const size_t tried = members_.asked.size();
  EXPECT_GE(tried, 4U);  // the admission, and thrice
  EXPECT_LE(tried, 6U);
  members_.status = Status::Ok();
  Pass(seconds(2));
  EXPECT_EQ(board_.counters().nodes_left, 1U);
  const size_t done = members_.asked.size();
  Pass(seconds(3));
  EXPECT_EQ(members_.asked.size(), done);
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
