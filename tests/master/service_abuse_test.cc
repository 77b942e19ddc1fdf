// What broken, slow or hostile peers do to a master: nothing, to the others.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "master/service_fixture.h"

namespace kvstore::master {
namespace {

// A TCP connection that says whatever it likes.
class RawConnection {
 public:
  explicit RawConnection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawConnection() { close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // The peer may have hung up already.
  void Say(const std::string& bytes) { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

 private:
  const int fd_;
};

std::string Noise(std::mt19937& random, size_t bytes) {
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

class ServiceAbuse : public ServiceTest {
 protected:
  void ExpectGoodService(ScriptedNode& node) {
    const std::string key = "key " + std::to_string(++stored_);
    ASSERT_NO_FATAL_FAILURE(node.Store(key, 100));
    ScriptedNode::ExpectItem(node.Ask(Exists{Keys({key})}), Status::Ok());
  }

 private:
  int stored_ = 0;
};

TEST_F(ServiceAbuse, GarbageAndHalfOpenConnectionsHarmNobody) {
  ScriptedNode good(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(good.Join());
  std::mt19937 random(1);
  std::vector<std::unique_ptr<RawConnection>> open;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (int i = 0; i < 40; ++i) {
    open.push_back(std::make_unique<RawConnection>(server_->port()));  // says nothing
    open.push_back(std::make_unique<RawConnection>(server_->port()));
    open.back()->Say(Noise(random, 2000));
    open.push_back(std::make_unique<RawConnection>(server_->port()));
    open.back()->Say(preface.substr(0, static_cast<size_t>(i) % preface.size()));
    open.push_back(std::make_unique<RawConnection>(server_->port()));
    open.back()->Say(preface + Noise(random, 500));
    RawConnection(server_->port()).Say("GET / HTTP/1.1\r\n\r\n");
    if (i % 10 == 0) ExpectGoodService(good);
  }
  ExpectGoodService(good);
  ScriptedNode late(*stub_, 2);
  ASSERT_NO_FATAL_FAILURE(late.Join());
}

// Connects anew over its own connection and streams messages of noise as requests.
TEST_F(ServiceAbuse, MessagesOfNoiseEndOnlyTheirOwnStream) {
  ScriptedNode good(*stub_, 1, 1 << 20);
  ASSERT_NO_FATAL_FAILURE(good.Join());
  std::mt19937 random(2);
  for (int i = 0; i < 50; ++i) {
    ScriptedNode bad(*stub_, 100 + static_cast<uint64_t>(i));
    ASSERT_NO_FATAL_FAILURE(bad.Join());
    v1::VerbMessage message;
    for (int n = 0; n < 20; ++n) {
      // Some of the noise is a message.
      if (message.ParseFromString("\x12\x14" + Noise(random, 20))) bad.verbs().Write(message);
      message.mutable_request()->mutable_start_put()->mutable_keys()->set_packed("abc");
      message.mutable_request()->mutable_start_put()->mutable_keys()->add_lengths(
          static_cast<uint32_t>(random()));
      bad.verbs().Write(message);
    }
    bad.verbs().Cancel();
  }
  ExpectGoodService(good);
}

TEST_F(ServiceAbuse, StreamsOfOneCallerAreLimited) {
  ScriptedNode node(*stub_, 1);
  ASSERT_NO_FATAL_FAILURE(node.Join());
  const auto another = NewChannel();
  const auto other_stub = v1::Master::NewStub(another);
  std::vector<std::unique_ptr<VerbsStream>> streams;
  for (int i = 0; i < 63; ++i) {
    streams.push_back(std::make_unique<VerbsStream>(*other_stub, &v1::Master::Stub::Verbs));
    node.SendVerbHello(*streams.back());
    v1::VerbMessage message;
    Encode(VerbRequest{1, {}, Exists{Keys({"key"})}}, message.mutable_request());
    streams.back()->Write(message);
    streams.back()->Read();
  }
  VerbsStream one_too_many(*other_stub, &v1::Master::Stub::Verbs);
  node.SendVerbHello(one_too_many);
  ExpectStatus(one_too_many.Finish(), grpc::StatusCode::RESOURCE_EXHAUSTED, "64 verb streams");
}

// Joins, asks and breaks off at any point, from several threads, while the server runs and while it
// ends: what is looked for here, the sanitizers see.
TEST_F(ServiceAbuse, StreamsBrokenOffAtAnyMomentLeaveNothingBehind) {
  std::atomic<bool> stopping{false};
  std::vector<std::thread> callers;
  for (uint64_t t = 0; t < 4; ++t) {
    callers.emplace_back([this, t, &stopping] {
      std::mt19937 random(static_cast<unsigned>(t));
      const auto channel = NewChannel();
      const auto stub = v1::Master::NewStub(channel);
      for (uint64_t i = 0; !stopping && i < 10'000; ++i) {
        ScriptedNode node(*stub, 1 + t * 100'000 + i, random() % 2 == 0 ? 0 : 8192);
        node.SendHello();
        v1::MasterMessage welcome;
        if (random() % 4 == 0 || !node.session().TryRead(&welcome)) continue;
        VerbsStream verbs(*stub, &v1::Master::Stub::Verbs);
        v1::VerbMessage message;
        message.mutable_hello()->set_oldest_version(kProtocolVersion);
        message.mutable_hello()->set_newest_version(kProtocolVersion);
        message.mutable_hello()->set_term(1);
        message.mutable_hello()->mutable_incarnation()->set_high(1 + t * 100'000 + i);
        message.mutable_hello()->mutable_incarnation()->set_low(1 + t * 100'000 + i);
        verbs.Write(message);
        for (unsigned n = random() % 5; n > 0; --n) {
          message.Clear();
          Encode(VerbRequest{n, std::chrono::seconds(5), WaitExists{Keys({"a", "b"})}},
                 message.mutable_request());
          verbs.Write(message);
          Encode(VerbRequest{n, std::chrono::seconds(5), node.PutOf("a", 4096)},
                 message.mutable_request());
          verbs.Write(message);
        }
        if (random() % 3 == 0) node.session().Cancel();
        v1::VerbReplyMessage reply;
        if (random() % 2 == 0) verbs.TryRead(&reply);
      }
    });
  }
  const TimePoint end = BootClock::now() + std::chrono::seconds(2);
  while (BootClock::now() < end) GetStatus();
  server_.reset();
  stopping = true;
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace kvstore::master
