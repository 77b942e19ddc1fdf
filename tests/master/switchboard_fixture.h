#ifndef KVSTORE_TESTS_MASTER_SWITCHBOARD_FIXTURE_H_
#define KVSTORE_TESTS_MASTER_SWITCHBOARD_FIXTURE_H_

// A switchboard on made-up time, with ports and members that the test looks into.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fakes/strike.h"
#include "master/switchboard.h"

namespace kvstore::master {

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

inline constexpr Incarnation kPool{7, 7};
inline constexpr uint64_t kTerm = 3;

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
    board_.Handle(member.id, {++requests_, std::chrono::seconds(60), std::move(verb)});
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
  void Pass(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds passed{}; passed < time;
         passed += std::chrono::milliseconds(100)) {
      clock_.now += std::chrono::milliseconds(100);
      board_.Tick();
    }
  }

  FakeClock clock_;
  FakeMembers members_;
  Switchboard board_;
  uint64_t requests_ = 0;
  uint64_t sequences_ = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_TESTS_MASTER_SWITCHBOARD_FIXTURE_H_
