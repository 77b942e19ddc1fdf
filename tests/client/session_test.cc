#include "client/session.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>

#include "client/scripted_master.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kMiB = 1u << 20;
constexpr PutId kPut{{1, 2}, 3};

TimePoint In(Duration duration) { return BootClock::now() + duration; }

// All of a node but its verbs' users.
class Node {
 public:
  explicit Node(const std::string& master, uint64_t lend_bytes = kMiB)
      : engine_(*transfer::Engine::Create({})),
        host_(*SegmentHost::Create(*engine_, lend_bytes)),
        channel_(OpenMasterChannel(master)),
        verbs_(channel_, poller_, master),
        session_(std::make_unique<Session>(channel_, poller_,
                                           SessionOptions{master, "a node", "a host"}, *engine_,
                                           *host_, verbs_)) {}

  Session& session() { return *session_; }
  SegmentHost& host() { return *host_; }
  VerbStream& verbs() { return verbs_; }
  transfer::Engine& engine() { return *engine_; }
  Status Joined() { return session_->WaitJoined(In(seconds(10))); }
  // An access to a granule, until Leave.
  bool Enter(uint64_t birth, uint64_t offset = 0) {
    const Result<transfer::PeerId> self = engine_->Open(engine_->Descriptor());
    auto mapping = engine_->Map({.access = transfer::Access::kRead,
                                 .peer = *self,
                                 .region = host_->Segments().front().index,
                                 .offset = offset,
                                 .length = 4096,
                                 .guard = transfer::Guard{offset, birth}},
                                In(seconds(10)));
    access_ = mapping.ok() ? *std::move(mapping) : nullptr;
    return access_ != nullptr;
  }
  void Leave() { access_.reset(); }

 private:
  const std::unique_ptr<transfer::Engine> engine_;
  const std::unique_ptr<SegmentHost> host_;
  const std::shared_ptr<grpc::Channel> channel_;
  Poller poller_;
  VerbStream verbs_;
  const std::unique_ptr<Session> session_;
  std::unique_ptr<transfer::Mapping> access_;
};

Orders RetireFirstGranule(uint64_t birth) {
  return {1, {RetireOrder{kPut, 0, birth, {{0, 4096}}}}};
}

// The same, in the segment that the hello named.
Orders RetireFirstGranule(const Hello& hello) {
  Orders orders = RetireFirstGranule(hello.counter);
  std::get<RetireOrder>(orders.orders[0]).segment = hello.segments.at(0).index;
  return orders;
}

// All memory of a node that has just joined can be granted afterwards.
void PrepareAll(ScriptedMaster& master) {
  master.Send({1, {PrepareOrder{master.WaitForHellos(1)[0].segments.at(0).index, kMiB}}});
  master.WaitForReadyAcks(1);
}

TEST(Session, TheFirstHelloSaysWhatTheNodeIsAndLends) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  const Hello hello = master.WaitForHellos(1)[0];
  EXPECT_EQ(hello.self.name, "a node");
  EXPECT_EQ(hello.self.host, "a host");
  EXPECT_EQ(hello.self.descriptor, node.engine().Descriptor());
  EXPECT_EQ(hello.self.incarnation, node.engine().incarnation());
  EXPECT_TRUE(hello.pool.IsNone());
  EXPECT_EQ(hello.term, 0u);
  EXPECT_EQ(hello.counter, node.host().counter());
  ASSERT_EQ(hello.segments.size(), 1u);
  EXPECT_EQ(hello.segments[0].size, kMiB);
  EXPECT_EQ(hello.segments[0].ready, 0u);
}

TEST(Session, AMemberBeatsUnderItsIncarnation) {
  ScriptedMaster master;
  Node node(master.address());
  EXPECT_EQ(master.WaitForBeats(3)[2], node.engine().incarnation());
}

TEST(Session, RetirementsAreConfirmedWithTheNewCounter) {
  ScriptedMaster master;
  Node node(master.address());
  const Hello hello = master.WaitForHellos(1)[0];
  master.Send(RetireFirstGranule(hello));
  const std::vector<RetireAck> acks = master.WaitForRetireAcks(2);
  EXPECT_EQ(acks[0].stage, RetireStage::kWithdrawn);
  EXPECT_EQ(acks[1].stage, RetireStage::kFree);
  EXPECT_EQ(acks[1].put, kPut);
  EXPECT_GT(master.last_counter(), hello.counter);
}

TEST(Session, AFreeThatAnAccessDelayedIsSaidWhenItEnds) {
  ScriptedMaster master;
  Node node(master.address());
  const Hello hello = master.WaitForHellos(1)[0];
  ASSERT_TRUE(node.Enter(hello.counter));
  master.Send(RetireFirstGranule(hello));
  EXPECT_EQ(master.WaitForRetireAcks(1).size(), 1u);
  node.Leave();
  EXPECT_EQ(master.WaitForRetireAcks(2)[1].stage, RetireStage::kFree);
}

TEST(Session, PagesAreTouchedAndConfirmed) {
  ScriptedMaster master;
  Node node(master.address());
  const Hello hello = master.WaitForHellos(1)[0];
  master.Send({1, {PrepareOrder{hello.segments.at(0).index, kMiB}}});
  EXPECT_EQ(master.WaitForReadyAcks(1)[0].limit, kMiB);
}

TEST(Session, ABrokenStreamIsOpenedAgainByTheSameIncarnation) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  master.EndSessions();
  const std::vector<Hello> hellos = master.WaitForHellos(2);
  EXPECT_EQ(hellos[1].self.incarnation, hellos[0].self.incarnation);
  EXPECT_EQ(hellos[1].pool, ScriptedMaster::Greeting().pool);
  EXPECT_EQ(hellos[1].term, ScriptedMaster::Greeting().term);
  EXPECT_EQ(hellos[1].counter, hellos[0].counter);
  EXPECT_TRUE(node.Joined().ok());
}

// Joins, loses its stream, and is told `refusal` when it comes back.
std::vector<Hello> HellosAround(const Status& refusal, ScriptedMaster& master, Node& node) {
  EXPECT_TRUE(node.Joined().ok());
  master.WaitForVerbHellos(1);  // else that stream may end before it has said anything
  master.OnHello([refusal](const Hello& hello) -> Result<Welcome> {
    if (!hello.pool.IsNone()) return refusal;
    return ScriptedMaster::Greeting();
  });
  master.EndSessions();
  return master.WaitForHellos(3);
}

TEST(Session, ANodeOfAnotherPoolEmptiesItselfAndJoinsAsAnother) {
  ScriptedMaster master;
  Node node(master.address());
  PrepareAll(master);
  const uint64_t birth = node.host().counter();
  const std::vector<Hello> hellos =
      HellosAround(FailedPreconditionError("pool: you are of another"), master, node);
  EXPECT_EQ(hellos[1].self.incarnation, hellos[0].self.incarnation);
  EXPECT_NE(hellos[2].self.incarnation, hellos[0].self.incarnation);
  EXPECT_NE(hellos[2].self.descriptor, hellos[0].self.descriptor);
  EXPECT_TRUE(hellos[2].pool.IsNone());
  EXPECT_EQ(hellos[2].term, 0u);
  EXPECT_GT(hellos[2].counter, hellos[1].counter);
  EXPECT_FALSE(node.Enter(birth));  // what lay there is nobody's any more
  EXPECT_EQ(master.WaitForVerbHellos(2).back(), hellos[2].self.incarnation);
}

TEST(Session, AGoneNodeJoinsAsAnother) {
  ScriptedMaster master;
  Node node(master.address());
  const std::vector<Hello> hellos =
      HellosAround(FailedPreconditionError("gone: silent for too long"), master, node);
  EXPECT_NE(hellos[2].self.incarnation, hellos[1].self.incarnation);
  EXPECT_TRUE(node.Joined().ok());
}

// As by a master that crashes after it has taken its first such hello, and before its welcome is
// read; the next master lives.
class CrashOnce {
 public:
  Result<Welcome> operator()(const Hello&) {
    if (!crashed_->exchange(true)) return UnavailableError("connection reset");
    return ScriptedMaster::Greeting();
  }

 private:
  std::shared_ptr<std::atomic<bool>> crashed_ = std::make_shared<std::atomic<bool>>(false);
};

TEST(Session, AHelloWithoutAnAnswerIsNotRepeatedByTheSameIncarnation) {
  ScriptedMaster master;
  master.OnHello(CrashOnce());
  Node node(master.address());
  EXPECT_TRUE(node.Joined().ok());
  const std::vector<Hello> hellos = master.WaitForHellos(2);
  EXPECT_NE(hellos[1].self.incarnation, hellos[0].self.incarnation);
  EXPECT_NE(hellos[1].self.descriptor, hellos[0].self.descriptor);
  EXPECT_GT(hellos[1].counter, hellos[0].counter);
  EXPECT_EQ(master.WaitForVerbHellos(1).back(), hellos[1].self.incarnation);
}

TEST(Session, WhatAnUnheardMasterMayHaveGrantedIsWithdrawnBeforeTheNextHello) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  // Its master was followed by one that crashed, and that one by a third.
  master.OnHello([join = CrashOnce()](const Hello& hello) mutable -> Result<Welcome> {
    if (!hello.pool.IsNone()) return FailedPreconditionError("pool: you are of another");
    return join(hello);
  });
  master.EndSessions();
  const std::vector<Hello> hellos = master.WaitForHellos(4);
  EXPECT_EQ(hellos[2].segments.at(0).ready, kMiB);  // so the second may have granted all of it
  EXPECT_NE(hellos[3].self.incarnation, hellos[2].self.incarnation);
  EXPECT_GT(hellos[3].counter, hellos[2].counter);
  EXPECT_FALSE(node.Enter(hellos[2].counter));
  EXPECT_TRUE(node.Joined().ok());
}

TEST(Session, AMemberStaysTheSameThoughItsMasterDoesNotAnswerAtOnce) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  master.OnHello(CrashOnce());
  master.EndSessions();
  const std::vector<Hello> hellos = master.WaitForHellos(3);
  EXPECT_EQ(hellos[2].self.incarnation, hellos[0].self.incarnation);
  EXPECT_EQ(hellos[2].counter, hellos[0].counter);
}

// A master that knows nothing of the memory of who joins, in that term.
auto WelcomeOfTerm(uint64_t term) {
  return [term](const Hello&) -> Result<Welcome> {
    Welcome welcome = ScriptedMaster::Greeting();
    welcome.term = term;
    welcome.wants_report = true;
    return welcome;
  };
}

// Loses its stream, is told that it is gone, and joins as another.
Report ReportOfTheNext(ScriptedMaster& master) {
  master.OnHello([](const Hello& hello) -> Result<Welcome> {
    if (!hello.pool.IsNone()) return FailedPreconditionError("gone: silent for too long");
    return WelcomeOfTerm(1)(hello);
  });
  master.EndSessions();
  return master.WaitForReports(1)[0];
}

TEST(Session, MemoryInUseIsReportedByTheNextIncarnation) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const uint64_t birth = node.host().counter();
  ASSERT_TRUE(node.Enter(birth));
  const Report report = ReportOfTheNext(master);
  EXPECT_NE(master.WaitForHellos(3)[2].self.incarnation,
            master.WaitForHellos(3)[0].self.incarnation);
  EXPECT_TRUE(node.Joined().ok());
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_EQ(report.held[0].ranges, std::vector<Range>{(Range{0, 4096})});
  node.Leave();
  const RetireAck ack = master.WaitForRetireAcks(1)[0];
  EXPECT_EQ(ack.stage, RetireStage::kFree);
  EXPECT_EQ(ack.put, (PutId{node.engine().incarnation(), report.held[0].sequence}));
}

// Somebody on this host who looks at the first granule of a node's memory in place.
class Viewer {
 public:
  explicit Viewer(Node& node) {
    const auto peer = engine_->Open(node.engine().Descriptor());
    EXPECT_TRUE(peer.ok()) << peer.status();
    transfer::MapRequest request;
    request.peer = *peer;
    request.region = node.host().Segments().at(0).index;
    request.length = 4096;
    request.guard = transfer::Guard{0, node.host().counter()};
    auto mapping = engine_->Map(request, In(seconds(20)));
    if (mapping.ok()) mapping_ = *std::move(mapping);
  }

  const transfer::Mapping& mapping() const { return *mapping_; }
  void LetGo() { mapping_.reset(); }

 private:
  const std::unique_ptr<transfer::Engine> engine_ = *transfer::Engine::Create({});
  std::unique_ptr<transfer::Mapping> mapping_;
};

TEST(Session, MemoryThatIsViewedIsReportedByTheNextIncarnation) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  Viewer viewer(node);
  ASSERT_EQ(viewer.mapping().way(), transfer::Way::kShm);
  const Report report = ReportOfTheNext(master);
  EXPECT_TRUE(node.Joined().ok());
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_EQ(report.held[0].ranges, std::vector<Range>{(Range{0, 4096})});
  EXPECT_FALSE(viewer.mapping().Stands());
  viewer.LetGo();
  EXPECT_EQ(master.WaitForRetireAcks(1)[0].stage, RetireStage::kFree);
}

TEST(Session, WhoLeavesWaitsForNoViewer) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const Viewer viewer(node);
  const TimePoint began = BootClock::now();
  node.session().Close(In(seconds(10)));
  EXPECT_LT(BootClock::now() - began, seconds(5));
  EXPECT_TRUE(master.WaitForGoodbye());
  EXPECT_FALSE(viewer.mapping().Stands());
  EXPECT_EQ(viewer.mapping().data()[4095], std::byte{0});  // the pages stay with who views them
}

NoteOrder NoteOfFirstGranule(const Hello& hello) {
  NoteOrder note;
  note.put = kPut;
  note.segment = hello.segments.at(0).index;
  note.birth = hello.counter;
  note.ranges = {{0, 4096}};
  note.key = "a key";
  note.size = 4000;
  note.checksum = 77;
  return note;
}

TEST(Session, AMasterThatWantsAReportHasOneBeforeAnyAck) {
  ScriptedMaster master;
  master.OnHello(WelcomeOfTerm(1));
  Node node(master.address());
  const Hello hello = master.WaitForHellos(1)[0];
  const Report report = master.WaitForReports(1)[0];
  EXPECT_TRUE(report.last);
  EXPECT_EQ(report.term, 1u);
  EXPECT_GT(report.counter, hello.counter);
  EXPECT_TRUE(report.notes.empty());
  EXPECT_TRUE(report.held.empty());
  ASSERT_EQ(report.segments.size(), 1u);
  EXPECT_EQ(report.segments[0].index, hello.segments.at(0).index);
  EXPECT_EQ(report.segments[0].size, kMiB);
}

TEST(Session, ANodeComesBackIntoTheNextReignWithWhatItHolds) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const Hello first = master.WaitForHellos(1)[0];
  const NoteOrder note = NoteOfFirstGranule(first);
  master.Send({1, {note}});
  EXPECT_TRUE(master.WaitForNoteAcks(1)[0].kept);
  master.OnHello(WelcomeOfTerm(2));
  master.EndSessions();
  const Report report = master.WaitForReports(1)[0];
  EXPECT_EQ(report.term, 2u);
  EXPECT_EQ(report.notes, std::vector<NoteOrder>{note});
  const std::vector<Hello> hellos = master.WaitForHellos(2);
  EXPECT_EQ(hellos[1].self.incarnation, first.self.incarnation);
  EXPECT_EQ(hellos[1].pool, ScriptedMaster::Greeting().pool);
  EXPECT_EQ(hellos[1].term, 1u);
  EXPECT_TRUE(node.Enter(note.birth));  // what is noted stands
  node.Leave();
  EXPECT_FALSE(node.Enter(note.birth, 4096));
}

TEST(Session, WhatIsTouchedInANewReignIsReportedAndConfirmedWhenItIsLeft) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const uint64_t birth = node.host().counter();
  ASSERT_TRUE(node.Enter(birth));
  master.OnHello(WelcomeOfTerm(2));
  master.EndSessions();
  const Report report = master.WaitForReports(1)[0];
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_EQ(report.held[0].ranges, std::vector<Range>{(Range{0, 4096})});
  node.Leave();
  const RetireAck ack = master.WaitForRetireAcks(1)[0];
  EXPECT_EQ(ack.stage, RetireStage::kFree);
  EXPECT_EQ(ack.put, (PutId{node.engine().incarnation(), report.held[0].sequence}));
  EXPECT_EQ(ack.birth, report.held[0].birth);
}

TEST(Session, AReportThatBrokeOffIsMadeAgain) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const NoteOrder note = NoteOfFirstGranule(master.WaitForHellos(1)[0]);
  master.Send({1, {note}});
  master.WaitForNoteAcks(1);
  master.OnHello(WelcomeOfTerm(2));
  master.EndSessions();
  const Report first = master.WaitForReports(1)[0];
  master.EndSessions();
  // The first one's last part may have come as well.
  Report second = first;
  for (size_t parts = 2; second.counter == first.counter && parts < 4; ++parts) {
    second = master.WaitForReports(parts)[parts - 1];
  }
  EXPECT_EQ(second.notes, first.notes);
  EXPECT_GT(second.counter, first.counter);
  EXPECT_TRUE(node.Joined().ok());
}

TEST(Session, ALargeReportComesInPartsOfWhichOneIsTheLast) {
  constexpr uint64_t kObjects = 20'000;  // of about 200 bytes each in a report
  ScriptedMaster master;
  Node node(master.address(), kObjects * 4096);
  ASSERT_TRUE(node.Joined().ok());
  const Hello hello = master.WaitForHellos(1)[0];
  for (uint64_t begin = 0; begin < kObjects; begin += 5000) {
    Orders orders{1, {}};
    for (uint64_t i = begin; i < begin + 5000; ++i) {
      NoteOrder note = NoteOfFirstGranule(hello);
      note.put.sequence = i + 1;
      note.ranges = {{i * 4096, 4096}};
      note.key = "key-" + std::to_string(i);
      orders.orders.push_back(note);
    }
    master.Send(orders);
  }
  master.WaitForNoteAcks(kObjects);
  master.OnHello(WelcomeOfTerm(2));
  master.EndSessions();
  std::set<uint64_t> reported;
  size_t parts = 0;
  for (bool last = false; !last;) {
    ++parts;
    const Report part = master.WaitForReports(parts)[parts - 1];
    ASSERT_EQ(part.term, 2u);  // 0: none came
    for (const NoteOrder& note : part.notes) reported.insert(note.put.sequence);
    last = part.last;
  }
  EXPECT_GT(parts, 2u);
  EXPECT_EQ(reported.size(), kObjects);
}

TEST(Session, ANodeWhoseBeatsAreUnknownJoinsAsAnother) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  master.AnswerBeats(true);
  const std::vector<Hello> hellos = master.WaitForHellos(2);
  EXPECT_NE(hellos[1].self.incarnation, hellos[0].self.incarnation);
  EXPECT_TRUE(hellos[1].pool.IsNone());
  EXPECT_GT(hellos[1].counter, hellos[0].counter);
  master.AnswerBeats(false);
}

TEST(Session, AVersionRefusalIsReportedAtOnce) {
  ScriptedMaster master;
  master.OnHello([](const Hello&) -> Result<Welcome> {
    return FailedPreconditionError("the node is too old: it speaks 1, this master 2");
  });
  Node node(master.address());
  const TimePoint began = BootClock::now();
  const Status joined = node.session().WaitJoined(In(seconds(30)));
  EXPECT_LT(BootClock::now() - began, seconds(5));
  EXPECT_EQ(joined.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(joined.message().find("the node is too old"), std::string::npos) << joined;
}

TEST(Session, NoMasterIsUnavailableInTime) {
  Node node("127.0.0.1:1");
  const Incarnation self = node.engine().incarnation();
  const TimePoint began = BootClock::now();
  const Status joined = node.session().WaitJoined(In(milliseconds(300)));
  EXPECT_LT(BootClock::now() - began, seconds(2));
  EXPECT_EQ(joined.code(), StatusCode::kUnavailable);
  EXPECT_NE(joined.message().find("127.0.0.1:1"), std::string::npos) << joined;
  EXPECT_NE(joined.message().find("onnect"), std::string::npos) << joined;  // gRPC's reason
  EXPECT_EQ(node.engine().incarnation(), self);                             // nobody heard of it
}

TEST(Session, WhereNoMasterAnswersNothingRememberedIsCertain) {
  Node node("127.0.0.1:1");
  EXPECT_FALSE(node.session().IsCertain());
}

// A node that has joined under term 7, and whose master is one of term 1 from then on.
class DeposedMaster : public testing::Test {
 protected:
  void SetUp() override {
    master_.OnHello([](const Hello&) -> Result<Welcome> {
      Welcome welcome = ScriptedMaster::Greeting();
      welcome.term = 7;
      return welcome;
    });
    node_ = std::make_unique<Node>(master_.address());
    ASSERT_TRUE(node_->Joined().ok());
    master_.OnHello([](const Hello&) -> Result<Welcome> { return ScriptedMaster::Greeting(); });
    master_.EndSessions();
  }

  ScriptedMaster master_;
  std::unique_ptr<Node> node_;
};

TEST_F(DeposedMaster, IsNotFollowed) {
  const std::vector<Hello> hellos = master_.WaitForHellos(3);
  EXPECT_EQ(hellos[2].term, 7u);
  EXPECT_FALSE(node_->session().WaitJoined(BootClock::now()).ok());
}

TEST_F(DeposedMaster, MakesNoMemberByItsWelcome) {
  ASSERT_GE(master_.WaitForHellos(2).size(), 2u);
  EXPECT_FALSE(node_->session().WaitJoined(In(milliseconds(500))).ok());
}

TEST(Session, ClosingWithdrawsEverythingAndSaysGoodbye) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  PrepareAll(master);
  const uint64_t birth = node.host().counter();
  node.session().Close(In(seconds(5)));
  EXPECT_TRUE(master.WaitForGoodbye());
  EXPECT_FALSE(node.Enter(birth));
}

TEST(Session, ADrainedNodeSaysGoodbyeAndComesBackAsAnotherThatLendsNothing) {
  ScriptedMaster master;
  Node node(master.address());
  PrepareAll(master);
  master.Send({1, {LeaveOrder{}}});
  EXPECT_TRUE(master.WaitForGoodbye());
  const std::vector<Hello> hellos = master.WaitForHellos(2);
  EXPECT_NE(hellos[1].self.incarnation, hellos[0].self.incarnation);
  EXPECT_TRUE(hellos[1].pool.IsNone());
  EXPECT_TRUE(hellos[1].segments.empty());
  EXPECT_TRUE(node.host().WaitDrained(In(seconds(10))));
  EXPECT_EQ(node.host().lent().bytes, 0u);
  ASSERT_TRUE(node.Joined().ok());
  ASSERT_TRUE(node.host().Lend(kMiB).ok());
  master.Send({1, {PrepareOrder{hellos[0].segments.at(0).index, kMiB}}});
  EXPECT_EQ(master.WaitForReadyAcks(2)[1].limit, kMiB);
  EXPECT_EQ(master.WaitForHellos(2).size(), 2u) << "it stays";
}

TEST(Session, ADrainedNodeDoesNotWaitForAMasterThatHangs) {
  ScriptedMaster master;
  Node node(master.address());
  PrepareAll(master);
  master.HangOnGoodbye();
  master.Send({1, {LeaveOrder{}}});
  EXPECT_TRUE(master.WaitForGoodbye());
  EXPECT_TRUE(node.host().WaitDrained(In(seconds(30))));
  EXPECT_EQ(node.host().lent().bytes, 0u);
}

TEST(Session, ClosingIsBoundedWhileMemoryIsInUse) {
  ScriptedMaster master;
  Node node(master.address());
  ASSERT_TRUE(node.Joined().ok());
  const uint64_t birth = node.host().counter();
  ASSERT_TRUE(node.Enter(birth));
  const TimePoint began = BootClock::now();
  node.session().Close(In(seconds(2)));
  EXPECT_LT(BootClock::now() - began, seconds(4));
  node.Leave();
}

TEST(Session, ClosingIsBoundedWithoutAMaster) {
  auto master = std::make_unique<ScriptedMaster>();
  Node node(master->address());
  ASSERT_TRUE(node.Joined().ok());
  master.reset();
  const TimePoint began = BootClock::now();
  node.session().Close(In(seconds(5)));
  EXPECT_LT(BootClock::now() - began, seconds(5));
}

}  // namespace
}  // namespace kvstore::client
