#include "client/verb_stream.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "client/scripted_master.h"
#include "client/session.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Incarnation kFirst{1, 1};
constexpr Incarnation kSecond{2, 2};

TimePoint In(Duration duration) { return BootClock::now() + duration; }

VerbRequest Request(uint64_t id, size_t key_bytes = 3) {
  Exists exists;
  exists.keys.Add(std::string(key_bytes, 'k'));
  return {id, seconds(1), exists};
}

VerbReply Reply(uint64_t id) { return {id, std::vector<ItemAnswer>{{0, Status::Ok()}}, {}}; }

// Waits on `wakeup` until `done`, or gives up after 10 s.
template <typename Done>
bool Await(Wakeup& wakeup, const Done& done) {
  const TimePoint until = In(seconds(10));
  while (!done() && BootClock::now() < until) wakeup.WaitUntil(until);
  return done();
}

class VerbStreamTest : public ::testing::Test {
 protected:
  ScriptedMaster master_;
  Poller poller_;
  VerbStream stream_{OpenMasterChannel(master_.address()), poller_, master_.address()};
};

TEST_F(VerbStreamTest, NothingIsSentBeforeTheSessionIsWelcomed) {
  EXPECT_EQ(stream_.health().code(), StatusCode::kUnavailable);
  EXPECT_EQ(stream_.epoch(), 0u);
  EXPECT_EQ(stream_.Send(Request(1), In(seconds(1))), std::nullopt);
  stream_.Attach(kFirst, 1);
  EXPECT_EQ(master_.WaitForVerbHellos(1)[0], kFirst);
  EXPECT_EQ(stream_.Send(Request(2), In(seconds(1))), 1u);
  EXPECT_EQ(master_.WaitForRequests(1)[0].id, 2u);
  EXPECT_TRUE(stream_.health().ok());
}

TEST_F(VerbStreamTest, RepliesReachTheReceiver) {
  std::promise<VerbReply> promise;
  stream_.OnReply([&](VerbReply reply) { promise.set_value(std::move(reply)); });
  master_.OnRequest([](const VerbRequest& request) { return Reply(request.id); });
  stream_.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  stream_.Send(Request(17), In(seconds(1)));
  std::future<VerbReply> reply = promise.get_future();
  ASSERT_EQ(reply.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(reply.get().id, 17u);
}

TEST_F(VerbStreamTest, ABrokenStreamIsOpenedAgainAndWakesThoseWhoWait) {
  stream_.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  const std::unique_ptr<Wakeup> wakeup = stream_.NewWakeup();
  const uint64_t epoch = stream_.epoch();
  master_.EndVerbs();
  EXPECT_TRUE(Await(*wakeup, [&] { return stream_.epoch() > epoch; }));
  EXPECT_EQ(master_.WaitForVerbHellos(2)[1], kFirst);
}

TEST_F(VerbStreamTest, AnotherIncarnationHasAStreamOfItsOwn) {
  stream_.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  const uint64_t epoch = stream_.epoch();
  const std::unique_ptr<Wakeup> wakeup = stream_.NewWakeup();
  stream_.Attach(kSecond, 1);
  EXPECT_EQ(stream_.incarnation(), kSecond);
  EXPECT_TRUE(Await(*wakeup, [&] { return stream_.epoch() > epoch; }));
  EXPECT_EQ(master_.WaitForVerbHellos(2)[1], kSecond);
}

TEST_F(VerbStreamTest, AttachingAgainKeepsTheStream) {
  stream_.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  const uint64_t epoch = stream_.epoch();
  stream_.Detach(UnavailableError("the session broke"));
  EXPECT_EQ(stream_.health().message(), "the session broke");
  stream_.Attach(kFirst, 1);
  EXPECT_TRUE(stream_.health().ok());
  stream_.Send(Request(1), In(seconds(1)));
  master_.WaitForRequests(1);
  EXPECT_EQ(stream_.epoch(), epoch);
}

TEST_F(VerbStreamTest, AMasterIsGivenUpSoLongAfterItWasLost) {
  VerbStream impatient(OpenMasterChannel(master_.address()), poller_, master_.address(),
                       seconds(5));
  EXPECT_TRUE(impatient.gives_up_at());  // never welcomed
  impatient.Attach(kFirst, 1);
  EXPECT_FALSE(impatient.gives_up_at());
  const std::unique_ptr<Wakeup> wakeup = impatient.NewWakeup();
  ASSERT_TRUE(Await(*wakeup, [&] { return impatient.epoch() > 0; }));
  const TimePoint before = BootClock::now();
  std::thread losing([&] { impatient.Detach(UnavailableError("the session broke")); });
  EXPECT_TRUE(Await(*wakeup, [&] { return impatient.gives_up_at().has_value(); }));
  EXPECT_LT(BootClock::now() - before, seconds(9));  // was woken
  losing.join();
  const std::optional<TimePoint> gives_up = impatient.gives_up_at();
  ASSERT_TRUE(gives_up);
  EXPECT_GE(*gives_up, before + seconds(5));
  EXPECT_LE(*gives_up, BootClock::now() + seconds(5));
  impatient.Detach(UnavailableError("no answer"));  // for another reason, and no less lost
  EXPECT_EQ(impatient.gives_up_at(), gives_up);
  impatient.Attach(kFirst, 1);
  EXPECT_FALSE(impatient.gives_up_at());
}

// The session stands, and one stream after the other ends before anything has come by it.
TEST_F(VerbStreamTest, StreamsThatEndAtOnceDoNotLetPatienceBeginAnew) {
  VerbStream impatient(OpenMasterChannel(master_.address()), poller_, master_.address(),
                       seconds(60));
  const std::unique_ptr<Wakeup> wakeup = impatient.NewWakeup();
  impatient.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  master_.EndVerbs();
  // Who waits is woken: within the ten seconds that it would sleep.
  ASSERT_TRUE(Await(*wakeup, [&] { return impatient.gives_up_at() || impatient.epoch() > 1; }));
  ASSERT_TRUE(Await(*wakeup, [&] { return impatient.epoch() > 1; }));
  const TimePoint second = BootClock::now();
  master_.WaitForVerbHellos(2);
  master_.EndVerbs();
  ASSERT_TRUE(Await(*wakeup, [&] { return impatient.gives_up_at() || impatient.epoch() > 2; }));
  if (const std::optional<TimePoint> gives_up = impatient.gives_up_at()) {
    EXPECT_LT(*gives_up, second + seconds(60));
  }
}

TEST_F(VerbStreamTest, AnAnswerAfterTheSessionWasLostDoesNotFindItAgain) {
  VerbStream impatient(OpenMasterChannel(master_.address()), poller_, master_.address(),
                       seconds(60));
  std::promise<VerbReply> answered;
  impatient.OnReply([&](VerbReply reply) { answered.set_value(std::move(reply)); });
  master_.OnRequest([](const VerbRequest& request) { return Reply(request.id); });
  impatient.Attach(kFirst, 1);
  master_.WaitForVerbHellos(1);
  impatient.Detach(UnavailableError("the session broke"));
  const std::optional<TimePoint> before = impatient.gives_up_at();
  ASSERT_EQ(impatient.Send(Request(7), In(seconds(30))), 1u);
  const std::unique_ptr<Wakeup> wakeup = impatient.NewWakeup();
  std::future<VerbReply> reply = answered.get_future();
  ASSERT_TRUE(Await(*wakeup,
                    [&] { return reply.wait_for(milliseconds(10)) == std::future_status::ready; }));
  EXPECT_EQ(impatient.gives_up_at(), before);
}

TEST_F(VerbStreamTest, ByDefaultNoMasterIsGivenUp) {
  EXPECT_FALSE(stream_.health().ok());
  EXPECT_FALSE(stream_.gives_up_at());
}

TEST_F(VerbStreamTest, SendingToAMasterThatDoesNotReadEndsByItsDeadline) {
  master_.StopReadingVerbs();
  stream_.Attach(kFirst, 1);
  const std::unique_ptr<Wakeup> wakeup = stream_.NewWakeup();
  ASSERT_TRUE(Await(*wakeup, [&] { return stream_.epoch() > 0; }));
  VerbRequest large;
  Exists exists;
  for (int i = 0; i < 3000; ++i) exists.keys.Add(std::string(1024, 'k'));
  large.verb = exists;
  Duration longest{};
  for (uint64_t id = 1; id <= 30; ++id) {  // 90 MiB
    large.id = id;
    const TimePoint began = BootClock::now();
    stream_.Send(large, In(milliseconds(20)));
    longest = std::max(longest, BootClock::now() - began);
  }
  EXPECT_GE(longest, milliseconds(20));  // the queue did fill
  EXPECT_LT(longest, seconds(2));
}

TEST_F(VerbStreamTest, ANotifyBeforeTheWaitIsNotLost) {
  const std::unique_ptr<Wakeup> wakeup = stream_.NewWakeup();
  wakeup->Notify();
  const TimePoint began = BootClock::now();
  wakeup->WaitUntil(In(seconds(10)));
  EXPECT_LT(BootClock::now() - began, seconds(5));
}

TEST_F(VerbStreamTest, AWaitEndsByItsTime) {
  const std::unique_ptr<Wakeup> wakeup = stream_.NewWakeup();
  const TimePoint began = BootClock::now();
  wakeup->WaitUntil(In(milliseconds(30)));
  EXPECT_GE(BootClock::now() - began, milliseconds(30));
}

}  // namespace
}  // namespace kvstore::client
