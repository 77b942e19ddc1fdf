#include "master/session.h"

#include <glog/logging.h>

#include <memory>
#include <utility>

#include "master/bytes_text.h"
#include "master/stream.h"
#include "proto/codec.h"

namespace kvstore::master {
namespace {

constexpr size_t kOrdersWaitingBytes = 4u << 20;  // more are dropped: they are sent again anyway

class SessionStream final : public Stream<v1::NodeMessage, v1::MasterMessage>, public SessionPort {
 public:
  SessionStream(std::string address, Switchboard& switchboard, StreamTable& streams,
                Metrics& metrics)
      : Stream(streams),
        address_(std::move(address)),
        switchboard_(switchboard),
        metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kSession);
  }

  void Send(Orders orders) override {
    for (const Orders& part : CutToMessages(std::move(orders))) {
      v1::MasterMessage message;
      Encode(part, message.mutable_orders());
      if (!Post(std::move(message), kOrdersWaitingBytes))
        metrics_.OrdersDropped(part.orders.size());
    }
  }

  void EndSession(const Status& why) override { End(why); }

 private:
  void Received(v1::NodeMessage message) override {
    if (!greeted()) return Greet(message);
    switch (message.what_case()) {
      case v1::NodeMessage::kAcks:
        return TakeAcks(message.acks());
      case v1::NodeMessage::kGoodbye:
        switchboard_.Leave(node_);
        return End(Status::Ok());
      case v1::NodeMessage::kReport:
      case v1::NodeMessage::kLend:
      case v1::NodeMessage::kTally:
        return;  // nothing here asks for them
      case v1::NodeMessage::kHello:
      case v1::NodeMessage::WHAT_NOT_SET:
        return End(InvalidArgumentError("after its hello a session takes only acks and a goodbye"));
    }
  }

  void Greet(const v1::NodeMessage& message) {
    if (!message.has_hello()) {
      return End(InvalidArgumentError("the first message of a session must be a hello"));
    }
    const Result<Hello> hello = Decode(message.hello());
    if (!hello.ok()) return Reject(hello.status());
    const Result<uint32_t> version =
        ChooseVersion(hello->oldest_version, hello->newest_version, "the node");
    if (!version.ok()) return Reject(version.status());

    node_ = hello->self.incarnation;
    name_ = "node '" + hello->self.name + "' (" + node_.ToString() + ") at " + address_;
    Hold();  // orders may come as soon as the node has joined; its welcome goes first
    Result<Welcome> welcome =
        switchboard_.Join(*hello, std::static_pointer_cast<SessionStream>(shared_from_this()));
    if (!welcome.ok()) return Reject(welcome.status());
    welcome->version = *version;
    welcome->software = KVSTORE_VERSION;
    v1::MasterMessage answer;
    Encode(*welcome, answer.mutable_welcome());
    SetGreeted();
    LogJoined(*hello);
    Release(std::move(answer));
  }

  // Clients that lend nothing come and go with every command.
  void LogJoined(const Hello& hello) const {
    uint64_t bytes = 0;
    for (const LentSegment& lent : hello.segments) bytes += lent.size;
    if (bytes > 0) {
      LOG(INFO) << name_ << " has joined, lending " << BytesText(bytes);
    } else {
      VLOG(1) << name_ << " has joined, lending nothing";
    }
  }

  void Reject(const Status& why) {
    LOG(WARNING) << "a hello from " << address_ << " was refused: " << why;
    End(why);
  }

  void TakeAcks(const v1::Acks& message) {
    const Result<Acks> acks = Decode(message);
    if (!acks.ok()) return End(acks.status());
    switchboard_.HandleAcks(node_, *acks);
  }

  void Ended() override {
    if (greeted()) {
      VLOG(1) << "the session of " << name_ << " has ended";
      switchboard_.SessionEnded(node_, this);
    }
    metrics_.StreamClosed(StreamKind::kSession);
  }

  const std::string address_;
  Switchboard& switchboard_;
  Metrics& metrics_;
  // Confined to Received and, after the last of it, Ended.
  Incarnation node_;
  std::string name_;
};

class HeartbeatStream final : public Stream<v1::Beat, v1::BeatReply> {
 public:
  HeartbeatStream(Switchboard& switchboard, StreamTable& streams, Metrics& metrics)
      : Stream(streams), switchboard_(switchboard), metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kHeartbeat);
  }

 private:
  void Received(v1::Beat beat) override {
    SetGreeted();
    const bool known = switchboard_.Heard(Decode(beat).self);
    v1::BeatReply reply;
    Encode({switchboard_.term(), !known}, &reply);
    Post(std::move(reply));  // dropped only when the stream is ending
  }

  void Ended() override { metrics_.StreamClosed(StreamKind::kHeartbeat); }

  Switchboard& switchboard_;
  Metrics& metrics_;
};

}  // namespace

grpc::ServerBidiReactor<v1::NodeMessage, v1::MasterMessage>* OpenSession(std::string address,
                                                                         Switchboard& switchboard,
                                                                         StreamTable& streams,
                                                                         Metrics& metrics) {
  return std::make_shared<SessionStream>(std::move(address), switchboard, streams, metrics)
      ->Begin(BootClock::now());
}

grpc::ServerBidiReactor<v1::Beat, v1::BeatReply>* OpenHeartbeat(Switchboard& switchboard,
                                                                StreamTable& streams,
                                                                Metrics& metrics) {
  return std::make_shared<HeartbeatStream>(switchboard, streams, metrics)->Begin(BootClock::now());
}

}  // namespace kvstore::master
