// Who is written down among the durable members, and struck, and when.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "master/switchboard_fixture.h"

namespace kvstore::master {
namespace {

using std::chrono::seconds;

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

// Two Lends of one client, that lends for the first time.
class FirstLends : public SwitchboardTest {
 protected:
  FirstLends() { members_.at_once = false; }

  void Lend(const Member& member, uint64_t granule = 4096) {
    board_.HandleLend(member.id, {{{0, 8192, granule, 0}}},
                      [this](const Status& status) { answers_.push_back(status.code()); });
  }
  // Who stands there in the end.
  std::set<std::string> Written() const {
    std::set<std::string> written;
    for (const std::string& change : members_.asked) {
      const auto [what, who] = std::pair(change.substr(0, 5), change.substr(change.rfind(' ') + 1));
      if (what == "admit") {
        written.insert(who);
      } else {
        written.erase(who);
      }
    }
    return written;
  }

  std::vector<StatusCode> answers_;
};

TEST_F(FirstLends, WhoLeavesBeforeItIsWrittenDownIsNoMember) {
  const Member client = Join(1);
  Lend(client);
  board_.Leave(client.id);
  members_.AnswerAll();  // written down
  EXPECT_EQ(answers_, std::vector{StatusCode::kFailedPrecondition});
  members_.AnswerAll();
  EXPECT_TRUE(Written().empty());
  EXPECT_EQ(board_.TakeCensus().nodes_live, 0U);
}

TEST_F(FirstLends, OneThatIsRefusedStrikesNobodyWhoLends) {
  const Member client = Join(1);
  Lend(client);
  Lend(client, /*granule=*/8192);  // the segment's is another by then
  members_.AnswerAll();
  EXPECT_EQ(answers_, (std::vector{StatusCode::kOk, StatusCode::kInvalidArgument}));
  members_.AnswerAll();
  EXPECT_EQ(Written(), std::set<std::string>{"1"});
}

TEST_F(FirstLends, OneThatIsRefusedFirstLeavesItToTheOther) {
  const Member client = Join(1);
  Lend(client, /*granule=*/1);
  Lend(client);
  members_.AnswerAll();
  EXPECT_EQ(answers_, (std::vector{StatusCode::kInvalidArgument, StatusCode::kOk}));
  members_.AnswerAll();
  EXPECT_EQ(Written(), std::set<std::string>{"1"});
}

TEST_F(FirstLends, WhoIsBeingStruckAsksAgain) {
  const Member client = Join(1);
  Lend(client, /*granule=*/1);
  members_.AnswerAll();
  ASSERT_EQ(members_.asked.back(), "strike 1");
  Lend(client);  // an admission now would be undone
  EXPECT_EQ(answers_, (std::vector{StatusCode::kInvalidArgument, StatusCode::kUnavailable}));
  EXPECT_EQ(members_.asked.back(), "strike 1");
  members_.AnswerAll();
  Lend(client);
  members_.AnswerAll();
  EXPECT_EQ(answers_.back(), StatusCode::kOk);
  EXPECT_EQ(Written(), std::set<std::string>{"1"});
}

TEST_F(FirstLends, WhoCouldNotBeStruckIsStruckLater) {
  const Member client = Join(1);
  Lend(client);
  board_.Leave(client.id);
  members_.AnswerAll();
  members_.status = UnavailableError("cannot write FILE");
  members_.AnswerAll();  // the strike
  const size_t tried = members_.asked.size();
  Pass(seconds(2));
  EXPECT_GT(members_.asked.size(), tried);
  EXPECT_EQ(members_.asked.back(), "strike 1");
}

}  // namespace
}  // namespace kvstore::master
