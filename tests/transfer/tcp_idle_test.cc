// What becomes of connections, threads and peers that nobody uses, and of copies that come after.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/batch.h"
#include "transfer/descriptor.h"
#include "transfer/raw_socket.h"
#include "transfer/tcp/frame.h"
#include "transfer/tcp/tcp_transport.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr Duration kShort = std::chrono::milliseconds(20);

TimePoint In(Duration duration) { return BootClock::now() + duration; }

EngineOptions Options(Duration idle) {
  EngineOptions options;
  options.ways = {Way::kTcp};
  options.tcp_idle_timeout = idle;
  return options;
}

std::unique_ptr<Engine> Make(const EngineOptions& options) {
  Result<std::unique_ptr<Engine>> engine = Engine::Create(options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// Threads or descriptors of this process.
size_t Count(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}
size_t Threads() { return Count("/proc/self/task"); }
size_t Descriptors() { return Count("/proc/self/fd"); }

template <typename Predicate>
bool Await(Predicate predicate) {
  const TimePoint until = In(std::chrono::seconds(5));
  while (!predicate()) {
    if (BootClock::now() >= until) return false;
    usleep(1000);
  }
  return true;
}

// A holder, and what it lends.
class TcpIdle : public testing::Test {
 protected:
  void Lend(const EngineOptions& options) {
    holder_ = Make(options);
    region_ = *holder_->Register(memory_.data(), memory_.size(), {.remote = true});
  }

  Copy MakeCopy(PeerId peer, Access access) const {
    return {.access = access,
            .peer = peer,
            .region = region_,
            .offset = 0,
            .pieces = std::span(&piece_, 1),
            .guard = std::nullopt};
  }
  Completion Run(Engine& client, PeerId peer, Access access = Access::kRead) const {
    const Copy copy = MakeCopy(peer, access);
    return client.Run(std::span(&copy, 1), In(std::chrono::seconds(5))).at(0);
  }

  Bytes memory_ = Bytes(100, 1);
  Bytes buffer_ = Bytes(100, 2);
  const Piece piece_ = {buffer_.data(), buffer_.size()};
  std::unique_ptr<Engine> holder_;
  RegionId region_ = 0;
};

TEST_F(TcpIdle, AClientClosesItsIdleConnectionsAndEndsItsIdleWorkers) {
  Lend(Options(std::chrono::minutes(1)));
  const std::unique_ptr<Engine> client = Make(Options(kShort));
  const PeerId peer = *client->Open(holder_->Descriptor());
  const size_t threads = Threads();
  const size_t descriptors = Descriptors();
  const Copy copy = MakeCopy(peer, Access::kRead);
  const auto batch = client->Submit(std::span(&copy, 1), In(std::chrono::seconds(5)));
  ASSERT_TRUE(batch->Wait(In(std::chrono::seconds(5))));
  EXPECT_TRUE(Await([&] { return Descriptors() == descriptors; }))
      << Descriptors() - descriptors << " descriptors stay";
  // The keeper stays.
  EXPECT_TRUE(Await([&] { return Threads() == threads + 1; })) << Threads() - threads << " threads";
  EXPECT_EQ(Run(*client, peer).outcome, Outcome::kDone);
  EXPECT_EQ(holder_->served().bad_connections, 0u);
}

TEST_F(TcpIdle, AConnectionInUseIsNotIdleHoweverLongItLasts) {
  const RawListener listener;
  const std::unique_ptr<Engine> client = Make(Options(kShort));
  const PeerDescriptor descriptor{
      .incarnation = {1, 1}, .host = "h", .endpoints = {listener.endpoint()}};
  const PeerId peer = *client->Open(EncodeDescriptor(descriptor));
  const Copy copy = MakeCopy(peer, Access::kRead);
  const auto batch = client->Submit(std::span(&copy, 1), In(std::chrono::seconds(5)));
  const RawSocket raw = listener.Accept();
  raw.Receive(kHelloBytes);
  raw.SendFrame(Encode(HelloReply{}));
  raw.Receive(kRequestBytes);
  EXPECT_FALSE(raw.ClosedWithin(10 * kShort));
  raw.SendFrame(Encode(Reply{.kind = ReplyKind::kData, .length = 100}));
  raw.Send(std::string(100, 'x'));
  raw.SendFrame(Encode(Reply{}));
  ASSERT_TRUE(batch->Wait(In(std::chrono::seconds(5))));
  EXPECT_EQ(batch->completions().at(0).outcome, Outcome::kDone);
  EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(5))) << "it is idle now";
}

TEST_F(TcpIdle, AHolderClosesConnectionsThatStayIdleAndCountsThemAsGood) {
  Lend(Options(kShort));
  const RawSocket raw =
      RawSocket::Connect(DecodeDescriptor(holder_->Descriptor())->endpoints.at(0));
  raw.SendFrame(Encode(Hello{.wanted = holder_->incarnation(), .connection_id = 1}));
  EXPECT_EQ(raw.Receive(kHelloReplyBytes).size(), kHelloReplyBytes);
  EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(5)));
  EXPECT_EQ(holder_->served().bad_connections, 0u);
}

TEST_F(TcpIdle, ANewcomerDisplacesTheLongestIdleConnectionAndNobodyNotices) {
  EngineOptions options = Options(std::chrono::minutes(1));
  options.tcp_max_incoming = 2;
  Lend(options);
  std::vector<std::unique_ptr<Engine>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(Make(Options(std::chrono::minutes(1))));
  for (int round = 0; round < 3; ++round) {
    for (const std::unique_ptr<Engine>& client : clients) {
      const PeerId peer = *client->Open(holder_->Descriptor());
      for (const Access access : {Access::kWrite, Access::kRead}) {
        const Completion end = Run(*client, peer, access);
        EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
      }
    }
  }
  EXPECT_EQ(holder_->served().bad_connections, 0u);
}

// A holder that ends connections at moments of the test's choice.
class FickleHolder : public testing::Test {
 protected:
  FickleHolder() {
    EngineOptions options = Options(std::chrono::minutes(1));
    options.tcp_connections_per_peer = 1;
    client_ = Make(options);
    const PeerDescriptor descriptor{
        .incarnation = {1, 1}, .host = "h", .endpoints = {listener_.endpoint()}};
    peer_ = *client_->Open(EncodeDescriptor(descriptor));
  }

  std::unique_ptr<Batch> Start(Access access) {
    const Copy copy{.access = access,
                    .peer = peer_,
                    .region = 1,
                    .offset = 0,
                    .pieces = std::span(&piece_, 1),
                    .guard = std::nullopt};
    return client_->Submit(std::span(&copy, 1), In(std::chrono::seconds(5)));
  }
  static Completion End(Batch& batch) {
    EXPECT_TRUE(batch.Wait(In(std::chrono::seconds(6))));
    return batch.completions().at(0);
  }

  RawSocket Greet() const {
    RawSocket raw = listener_.Accept();
    raw.Receive(kHelloBytes);
    raw.SendFrame(Encode(HelloReply{}));
    return raw;
  }
  // Takes a request with its bytes, and doesn't answer.
  std::optional<Request> Take(const RawSocket& raw) const {
    const std::string bytes = raw.Receive(kRequestBytes);
    if (bytes.size() < kRequestBytes) return std::nullopt;
    const std::optional<Request> request = DecodeRequest(std::span<const std::byte, kRequestBytes>(
        reinterpret_cast<const std::byte*>(bytes.data()), kRequestBytes));
    if (request && request->kind == RequestKind::kWrite) raw.Receive(request->length);
    return request;
  }
  void Answer(const RawSocket& raw, const Request& request) const {
    if (request.kind == RequestKind::kRead) {
      raw.SendFrame(Encode(
          Reply{.kind = ReplyKind::kData, .sequence = request.sequence, .length = request.length}));
      raw.Send(std::string(request.length, 'x'));
    }
    raw.SendFrame(Encode(Reply{.sequence = request.sequence}));
  }
  // A connection that has carried a read, and is idle now.
  RawSocket Used() {
    const std::unique_ptr<Batch> batch = Start(Access::kRead);
    RawSocket raw = Greet();
    const std::optional<Request> request = Take(raw);
    EXPECT_TRUE(request);
    if (request) Answer(raw, *request);
    EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
    return raw;
  }

  RawListener listener_;
  Bytes buffer_ = Bytes(100, 2);
  const Piece piece_ = {buffer_.data(), buffer_.size()};
  std::unique_ptr<Engine> client_;
  PeerId peer_ = 0;
};

TEST_F(FickleHolder, NothingIsSentOverAnIdleConnectionThatTheHolderHasClosed) {
  { const RawSocket closed = Used(); }
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  const RawSocket raw = Greet();
  const std::optional<Request> request = Take(raw);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, RequestKind::kWrite) << "a path is being closed that carried nothing";
  Answer(raw, *request);
  EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
}

TEST_F(FickleHolder, AnIdleConnectionThatEndsAtItsNextUseDoesNotCountAsBroken) {
  RawSocket idle = Used();
  const std::unique_ptr<Batch> batch = Start(Access::kRead);
  ASSERT_TRUE(Take(idle));
  idle.Break();
  for (int i = 0; i < 2; ++i) {  // as many fresh ones may break
    RawSocket fresh = Greet();
    ASSERT_TRUE(Take(fresh));
    fresh.Break();
  }
  pollfd entry{.fd = listener_.fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&entry, 1, 5000), 1) << "the client has given up";
  const RawSocket last = Greet();
  const std::optional<Request> request = Take(last);
  ASSERT_TRUE(request);
  Answer(last, *request);
  EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
}

TEST_F(FickleHolder, AWriteThatAnIdleConnectionTookIsRepeatedOnlyAfterItsPathIsClosed) {
  RawSocket idle = Used();
  const std::unique_ptr<Batch> batch = Start(Access::kWrite);
  ASSERT_TRUE(Take(idle));
  idle.Break();
  const RawSocket asking = Greet();
  const std::optional<Request> cut = Take(asking);
  ASSERT_TRUE(cut);
  ASSERT_EQ(cut->kind, RequestKind::kCut);
  Answer(asking, *cut);
  const RawSocket fresh = Greet();
  const std::optional<Request> again = Take(fresh);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->kind, RequestKind::kWrite);
  Answer(fresh, *again);
  EXPECT_EQ(End(*batch).outcome, Outcome::kDone);
}

TEST_F(TcpIdle, AnIdlePeerIsForgottenAndCanBeOpenedAgain) {
  Lend(Options(kShort));
  const std::unique_ptr<Engine> other = Make(Options(kShort));
  EngineOptions options = Options(kShort);
  options.peer_idle_timeout = kShort;
  const std::unique_ptr<Engine> client = Make(options);
  const PeerId peer = *client->Open(holder_->Descriptor());
  ASSERT_EQ(Run(*client, peer).outcome, Outcome::kDone);
  const TimePoint used = BootClock::now();
  ASSERT_TRUE(Await([&] { return BootClock::now() - used > 2 * kShort; }));
  (void)*client->Open(other->Descriptor());  // where the table would grow, it shrinks
  const Completion end = Run(*client, peer);
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), StatusCode::kInvalidArgument) << end.status;
  EXPECT_NE(end.status.message().find("call Open"), std::string::npos) << end.status;
  const PeerId again = *client->Open(holder_->Descriptor());
  EXPECT_NE(again, peer);
  EXPECT_EQ(Run(*client, again).outcome, Outcome::kDone);
}

TEST(TcpTransportTest, AParcelThatComesAfterItsPeerWasClosedFailsAndLeavesNothing) {
  TcpTransport transport({});
  const auto closed = std::make_shared<std::atomic<bool>>(false);
  const auto peer = std::make_shared<const PeerDescriptor>(
      PeerDescriptor{.incarnation = {1, 1}, .host = "h", .endpoints = {"127.0.0.1:1"}});
  const size_t threads = Threads();
  *closed = true;
  transport.Close(1);
  Copy copy;
  copy.peer = 1;
  const auto batch = std::make_shared<BatchState>(std::span(&copy, 1), In(std::chrono::seconds(5)),
                                                  std::make_shared<WayTotals>());
  transport.Post(
      {.target = {.peer = 1, .descriptor = peer, .closed = closed}, .batch = batch, .copies = {0}});
  batch->WaitForAll();
  EXPECT_EQ(batch->completions().at(0).outcome, Outcome::kFailed);
  EXPECT_NE(batch->completions().at(0).status.message().find("closed at this end"),
            std::string::npos)
      << batch->completions().at(0).status;
  EXPECT_EQ(Threads(), threads);
}

}  // namespace
}  // namespace kvstore::transfer
