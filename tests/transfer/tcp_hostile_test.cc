// Whatever comes in at the port, or answers there: it costs its own connection, and nobody else.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/transfer.h"
#include "transfer/descriptor.h"
#include "transfer/raw_socket.h"
#include "transfer/tcp/frame.h"
#include "transfer/test_guard.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

TimePoint In(Duration duration) { return BootClock::now() + duration; }

std::unique_ptr<Engine> Make(const EngineOptions& options) {
  Result<std::unique_ptr<Engine>> engine = Engine::Create(options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// A holder with short timeouts, and a good client that must not notice anything.
class TcpHostile : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.tcp_hello_timeout = std::chrono::milliseconds(300);
    options.tcp_stall_timeout = std::chrono::milliseconds(300);
    options.tcp_max_incoming = 12;
    holder_ = Make(options);
    const PeerDescriptor descriptor = *DecodeDescriptor(holder_->Descriptor());
    endpoint_ = descriptor.endpoints.at(0);
    region_ =
        *holder_->Register(memory_.data(), memory_.size(), {.remote = true, .guard = &guard_});
    client_ = Make({});
    peer_ = *client_->Open(holder_->Descriptor());
    ExpectGoodClientServed();
  }

  void TearDown() override {
    ExpectGoodClientServed();
    EXPECT_TRUE(holder_->Unregister(region_).ok());
    EXPECT_EQ(guard_.inside, 0);
  }

  void ExpectGoodClientServed() {
    Bytes buffer(100 << 10, 0);
    const Piece piece{buffer.data(), buffer.size()};
    const Copy copy{.access = Access::kRead,
                    .peer = peer_,
                    .region = region_,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = Guard{.birth = UINT64_MAX}};
    const Completion end = client_->Run(std::span(&copy, 1), In(std::chrono::seconds(5))).at(0);
    EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
    EXPECT_TRUE(std::equal(buffer.begin(), buffer.end(), memory_.begin()));
  }

  RawSocket Raw() const { return RawSocket::Connect(endpoint_); }

  RawSocket Greeted() const {
    RawSocket raw = Raw();
    raw.SendFrame(Encode(Hello{.wanted = holder_->incarnation(), .connection_id = NextId()}));
    const std::string reply = raw.Receive(kHelloReplyBytes);
    EXPECT_EQ(reply, AsText(Encode(HelloReply{})));
    return raw;
  }

  template <size_t N>
  static std::string AsText(const std::array<std::byte, N>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), N};
  }
  static uint64_t NextId() {
    static uint64_t id = 1000;
    return ++id;
  }
  Request MakeRequest(RequestKind kind, uint32_t length) const {
    Request request;
    request.kind = kind;
    request.region = region_;
    request.length = length;
    request.guarded = true;
    return request;
  }
  uint64_t bad() const { return holder_->served().bad_connections; }
  void AwaitBad(uint64_t count) const {
    const TimePoint until = In(std::chrono::seconds(5));
    while (bad() < count && BootClock::now() < until) std::this_thread::yield();
    EXPECT_EQ(bad(), count);
  }
  // Until so many have entered in all, one of them the good client.
  void AwaitEntered(uint64_t count) const {
    const TimePoint until = In(std::chrono::seconds(20));
    while (guard_.entered < count && BootClock::now() < until) std::this_thread::yield();
    EXPECT_GE(guard_.entered, count);
  }
  void AwaitNobodyInside() const {
    const TimePoint until = In(std::chrono::seconds(5));
    while (guard_.inside > 0 && BootClock::now() < until) std::this_thread::yield();
    EXPECT_EQ(guard_.inside, 0);
  }

  TestGuard guard_;
  Bytes memory_ = Bytes(8 << 20, 1);
  std::unique_ptr<Engine> holder_;
  std::unique_ptr<Engine> client_;
  std::string endpoint_;
  PeerId peer_ = 0;
  RegionId region_ = 0;
};

TEST_F(TcpHostile, GarbageAndHttpCostTheirOwnConnection) {
  const std::vector<std::string> texts = {
      "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a browser\r\n\r\n", std::string(4096, '\0'),
      std::string(100000, '\xff'),
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + std::string(200, 'x')};
  for (const std::string& text : texts) {
    const RawSocket raw = Raw();
    raw.Send(text);
    EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(2)));
    ExpectGoodClientServed();
  }
  AwaitBad(texts.size());
}

TEST_F(TcpHostile, SilentAndSlowHellosAreClosedInTime) {
  const RawSocket silent = Raw();
  const RawSocket slow = Raw();
  const std::string hello =
      AsText(Encode(Hello{.wanted = holder_->incarnation(), .connection_id = NextId()}));
  bool closed = false;
  for (size_t i = 0; i < hello.size() && !closed; ++i) {
    closed = !slow.Send(hello.substr(i, 1)) || slow.ClosedWithin(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(closed) << "32 bytes may take three seconds";
  EXPECT_TRUE(silent.ClosedWithin(std::chrono::seconds(2)));
  AwaitBad(2);
}

TEST_F(TcpHostile, AWrongIncarnationIsToldSo) {
  const RawSocket raw = Raw();
  raw.SendFrame(Encode(Hello{.wanted = {.high = 1, .low = 2}, .connection_id = NextId()}));
  const std::string reply = raw.Receive(1000);  // to the end
  ASSERT_GT(reply.size(), kHelloReplyBytes);
  EXPECT_NE(reply.find("is gone"), std::string::npos);
  AwaitBad(1);
}

TEST_F(TcpHostile, AnotherVersionIsToldWhichSideIsOld) {
  const RawSocket raw = Raw();
  raw.SendFrame(
      Encode(Hello{.version = 9, .wanted = holder_->incarnation(), .connection_id = NextId()}));
  EXPECT_NE(raw.Receive(1000).find("update the older one"), std::string::npos);
}

TEST_F(TcpHostile, AnIdThatIsTakenIsRefused) {
  const Hello hello{.wanted = holder_->incarnation(), .connection_id = NextId()};
  const RawSocket first = Raw();
  first.SendFrame(Encode(hello));
  ASSERT_EQ(first.Receive(kHelloReplyBytes).size(), kHelloReplyBytes);
  const RawSocket second = Raw();
  second.SendFrame(Encode(hello));
  EXPECT_NE(second.Receive(1000).find("draw another"), std::string::npos);
}

TEST_F(TcpHostile, GarbageAfterAGoodHelloIsClosed) {
  const RawSocket raw = Greeted();
  raw.Send(std::string(100, 'z'));
  EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(2)));
  AwaitBad(1);
}

TEST_F(TcpHostile, HugeLengthsAreGarbageAndWildOffsetsAreRefused) {
  for (const RequestKind kind : {RequestKind::kRead, RequestKind::kWrite}) {
    const RawSocket raw = Greeted();
    raw.SendFrame(Encode(MakeRequest(kind, UINT32_MAX)));
    EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(2)));
  }
  AwaitBad(2);
  const RawSocket raw = Greeted();
  Request request = MakeRequest(RequestKind::kRead, 4096);
  request.offset = UINT64_MAX - 4096;
  raw.SendFrame(Encode(request));
  const std::string reply = raw.Receive(kReplyBytes);
  ASSERT_EQ(reply.size(), kReplyBytes);
  const std::optional<Reply> verdict = DecodeReply(std::span<const std::byte, kReplyBytes>(
      reinterpret_cast<const std::byte*>(reply.data()), kReplyBytes));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->code, StatusCode::kInvalidArgument);
  EXPECT_EQ(guard_.entered, 1u) << "only the good client may have entered";
}

TEST_F(TcpHostile, ATruncatedWriteFrameLeavesTheMemoryWhenItsConnectionEnds) {
  RawSocket raw = Greeted();
  raw.SendFrame(Encode(MakeRequest(RequestKind::kWrite, 1 << 20)));
  raw.Send(std::string(1000, '\1'));
  AwaitEntered(2);
  raw.Break();
  AwaitNobodyInside();
}

TEST_F(TcpHostile, AWriterThatStallsInMidFrameIsClosed) {
  const RawSocket raw = Greeted();
  raw.SendFrame(Encode(MakeRequest(RequestKind::kWrite, 1 << 20)));
  raw.Send(std::string(1000, '\1'));
  EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(2)));
  AwaitNobodyInside();
  AwaitBad(1);
}

TEST_F(TcpHostile, ARequestThatStaysIncompleteIsClosed) {
  const RawSocket raw = Greeted();
  raw.Send(AsText(Encode(MakeRequest(RequestKind::kRead, 100))).substr(0, 20));
  EXPECT_TRUE(raw.ClosedWithin(std::chrono::seconds(2)));
  AwaitBad(1);
}

TEST_F(TcpHostile, AReaderThatTakesNothingIsClosedAndPinsNothing) {
  const RawSocket raw = Greeted();
  for (int i = 0; i < 16; ++i) raw.SendFrame(Encode(MakeRequest(RequestKind::kRead, 4 << 20)));
  AwaitEntered(2);
  AwaitBad(1);
  AwaitNobodyInside();
}

TEST_F(TcpHostile, ASlowWriterCannotPinMemoryThatWasRetired) {
  const RawSocket raw = Greeted();
  raw.SendFrame(Encode(MakeRequest(RequestKind::kWrite, 1 << 20)));
  raw.Send("x");
  AwaitEntered(2);
  guard_.word = 1;  // births are 0 here; the good client's is not
  const TimePoint until = In(std::chrono::seconds(5));
  while (guard_.inside > 0 && BootClock::now() < until) {
    raw.Send("x");  // never stalls
    usleep(5000);
  }
  EXPECT_EQ(guard_.inside, 0);
  EXPECT_EQ(bad(), 0u);
}

TEST_F(TcpHostile, ConnectionsAboveTheLimitAreClosedWhileNoOtherIsIdle) {
  EngineOptions options;
  options.tcp_max_incoming = 3;
  holder_ = Make(options);
  endpoint_ = DecodeDescriptor(holder_->Descriptor())->endpoints.at(0);
  region_ = *holder_->Register(memory_.data(), memory_.size(), {.remote = true, .guard = &guard_});
  peer_ = *client_->Open(holder_->Descriptor());
  const uint64_t before = guard_.entered;
  std::vector<RawSocket> raws;
  for (int i = 0; i < 3; ++i) {
    raws.push_back(Greeted());
    raws.back().SendFrame(Encode(MakeRequest(RequestKind::kWrite, 1 << 20)));
  }
  AwaitEntered(before + 3);
  const RawSocket above = Raw();
  EXPECT_TRUE(above.ClosedWithin(std::chrono::seconds(2)));
  AwaitBad(1);
  raws.pop_back();
  const TimePoint until = In(std::chrono::seconds(5));
  bool served = false;
  while (!served && BootClock::now() < until) {
    const RawSocket again = Raw();
    again.SendFrame(Encode(Hello{.wanted = holder_->incarnation(), .connection_id = NextId()}));
    served = again.Receive(kHelloReplyBytes).size() == kHelloReplyBytes;
  }
  EXPECT_TRUE(served) << "a place that became free is given to nobody";
}

TEST_F(TcpHostile, APathCannotCloseItself) {
  const Hello hello{.wanted = holder_->incarnation(), .connection_id = NextId()};
  const RawSocket raw = Raw();
  raw.SendFrame(Encode(hello));
  ASSERT_EQ(raw.Receive(kHelloReplyBytes).size(), kHelloReplyBytes);
  Request cut;
  cut.kind = RequestKind::kCut;
  cut.offset = hello.connection_id;
  raw.SendFrame(Encode(cut));
  EXPECT_GT(raw.Receive(kReplyBytes).size(), 0u);
}

// A client of a holder that says what it likes.
class HostileHolder : public testing::Test {
 protected:
  // `answers`: what it sends after a greeting that is as good as `greeting`.
  Completion ReadFrom(const std::string& greeting, const std::string& answers) {
    RawListener listener;
    std::atomic<bool> over = false;
    std::thread holder([&] {
      while (!over) {
        pollfd entry{.fd = listener.fd(), .events = POLLIN, .revents = 0};
        if (poll(&entry, 1, 10) <= 0) continue;
        const RawSocket raw = listener.Accept();
        raw.Receive(kHelloBytes);
        raw.Send(greeting);
        raw.Receive(kRequestBytes);
        raw.Send(answers);
      }
    });
    EngineOptions options;
    options.tcp_hello_timeout = std::chrono::milliseconds(500);
    options.tcp_stall_timeout = std::chrono::milliseconds(500);
    const std::unique_ptr<Engine> client = Make(options);
    const PeerDescriptor peer{
        .incarnation = {1, 1}, .host = "h", .endpoints = {listener.endpoint()}};
    const PeerId id = *client->Open(EncodeDescriptor(peer));
    Bytes buffer(100);
    const Piece piece{buffer.data(), buffer.size()};
    const Copy copy{.access = Access::kRead,
                    .peer = id,
                    .region = 1,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = std::nullopt};
    const Completion end = client->Run(std::span(&copy, 1), In(std::chrono::seconds(10))).at(0);
    over = true;
    holder.join();
    return end;
  }

  template <typename Frame>
  static std::string Text(const Frame& frame) {
    const auto bytes = Encode(frame);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

TEST_F(HostileHolder, NoAnswerButTheRightOneIsTakenForBytes) {
  const std::string good = Text(HelloReply{});
  const std::string body(100, 'x');
  const std::string data = Text(Reply{.kind = ReplyKind::kData, .sequence = 0, .length = 100});
  const std::string verdict = Text(Reply{.sequence = 0});
  EXPECT_EQ(ReadFrom(good, data + body + verdict).outcome, Outcome::kDone);
  const std::vector<std::pair<std::string, std::string>> lies = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", ""},
      {"", ""},
      {good.substr(0, 5), ""},
      {good, ""},
      {good, std::string(300, 'y')},
      {good, verdict},                         // done, without data
      {good, data + body},                     // no verdict
      {good, data + body.substr(1)},           // cut short
      {good, data + data + body + verdict},    // data twice
      {good, data + body + verdict + "more"},  // more than asked for
      {good, Text(Reply{.kind = ReplyKind::kData, .length = 101}) + body + "x" + verdict},
      {good, Text(Reply{.kind = ReplyKind::kData, .sequence = 1, .length = 100}) + body + verdict},
  };
  for (const auto& [greeting, answers] : lies) {
    SCOPED_TRACE(&greeting - &lies[0].first);
    const Completion end = ReadFrom(greeting, answers);
    if (answers == data + body + verdict + "more") {
      // The copy was answered in full before the nonsense came.
      EXPECT_TRUE(end.outcome == Outcome::kDone || end.status.code() == StatusCode::kUnavailable);
      continue;
    }
    EXPECT_EQ(end.outcome, Outcome::kFailed);
    EXPECT_EQ(end.status.code(), StatusCode::kUnavailable) << end.status;
  }
}

TEST(EngineTest, ForbiddenAndMissingWaysAreNamed) {
  EngineOptions options;
  options.ways = {Way::kLocal};
  const std::unique_ptr<Engine> local_only = Make(options);
  const std::unique_ptr<Engine> other = Make({});
  options = {};
  options.tcp_listen = "";
  const std::unique_ptr<Engine> deaf = Make(options);
  Copy copy;
  copy.peer = *local_only->Open(other->Descriptor());
  Completion end = local_only->Run(std::span(&copy, 1), In(std::chrono::seconds(1))).at(0);
  EXPECT_EQ(end.status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(end.status.message().find("tcp is forbidden by EngineOptions::ways"), std::string::npos)
      << end.status;
  copy.peer = *other->Open(deaf->Descriptor());
  end = other->Run(std::span(&copy, 1), In(std::chrono::seconds(1))).at(0);
  EXPECT_NE(end.status.message().find("needs a peer that listens"), std::string::npos);
  EXPECT_EQ(end.way, Way::kAutomatic);
}

TEST(EngineTest, ChoosesMemoryWithinTheProcessAndTcpBeyondIt) {
  const std::unique_ptr<Engine> engine = Make({});
  const std::unique_ptr<Engine> other = Make({});
  Bytes memory(100);
  const Copy base{.access = Access::kRead,
                  .peer = 0,
                  .region = 1,
                  .offset = 0,
                  .pieces = {},
                  .guard = std::nullopt};
  ASSERT_EQ(*engine->Register(memory.data(), memory.size(), {.remote = true}), 1u);
  ASSERT_EQ(*other->Register(memory.data(), memory.size(), {.remote = true}), 1u);
  std::vector<Copy> copies(2, base);
  copies[0].peer = *engine->Open(engine->Descriptor());
  copies[1].peer = *engine->Open(other->Descriptor());
  EXPECT_EQ(*engine->Open(other->Descriptor()), copies[1].peer);
  const std::vector<Completion> ends = engine->Run(copies, In(std::chrono::seconds(5)));
  EXPECT_EQ(ends[0].way, Way::kLocal);
  EXPECT_EQ(ends[1].way, Way::kTcp);
  EXPECT_TRUE(FirstError(ends).ok()) << FirstError(ends);
}

TEST(EngineTest, ListensOnIpv6AndTellsPeersWhatItWasToldTo) {
  EngineOptions options;
  options.tcp_listen = "[::1]:0";
  const std::unique_ptr<Engine> six = Make(options);
  EXPECT_EQ(DecodeDescriptor(six->Descriptor())->endpoints.at(0).find("[::1]:"), 0u);
  Bytes memory(100);
  Copy copy;
  copy.region = *six->Register(memory.data(), memory.size(), {.remote = true});
  const std::unique_ptr<Engine> client = Make({});
  copy.peer = *client->Open(six->Descriptor());
  EXPECT_EQ(client->Run(std::span(&copy, 1), In(std::chrono::seconds(5))).at(0).outcome,
            Outcome::kDone);

  options.tcp_listen = "0.0.0.0:0";
  EXPECT_EQ(Engine::Create(options).status().code(), StatusCode::kInvalidArgument);
  options.tcp_advertise = "127.0.0.1";
  const std::unique_ptr<Engine> any = Make(options);
  EXPECT_EQ(DecodeDescriptor(any->Descriptor())->endpoints.at(0).find("127.0.0.1:"), 0u);
}

TEST(EngineTest, OptionsThatCannotWorkAreRefused) {
  const auto code = [](const std::function<void(EngineOptions*)>& change) {
    EngineOptions options;
    change(&options);
    return Engine::Create(options).status().code();
  };
  EXPECT_EQ(code([](EngineOptions* o) { o->tcp_listen = "nonsense"; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](EngineOptions* o) { o->tcp_listen = "::1:80"; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](EngineOptions* o) { o->tcp_listen = "127.0.0.1:65536"; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](EngineOptions* o) { o->tcp_connections_per_peer = 65; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](EngineOptions* o) { o->ways = {Way::kAutomatic}; }),
            StatusCode::kInvalidArgument);
  const std::unique_ptr<Engine> first = Make({});
  const std::string taken = DecodeDescriptor(first->Descriptor())->endpoints.at(0);
  EXPECT_EQ(code([&](EngineOptions* o) { o->tcp_listen = taken; }), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kvstore::transfer
