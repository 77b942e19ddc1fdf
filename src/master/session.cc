#include "master/session.h"

#include <glog/logging.h>

#include <atomic>
#include <memory>
#include <utility>

#include "kvstore/v1/kvstore.pb.h"
#include "master/bytes_text.h"
#include "master/message_in_arena.h"
#include "master/stream.h"
#include "proto/codec.h"

namespace kvstore::master {
namespace {

// Acks that are no longer are dealt with in less time than another thread takes to wake up.
constexpr size_t kShort = 8u << 10;
constexpr size_t kOrderBytes = 200;               // in memory, about
constexpr size_t kOrdersWaitingBytes = 4u << 20;  // more are dropped: they are sent again anyway

class SessionStream final : public Stream<v1::NodeMessage, v1::MasterMessage>, public SessionPort {
 public:
  SessionStream(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                Metrics& metrics)
      : Stream(std::move(call), &streams),
        address_(context().peer()),
        switchboard_(switchboard),
        metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kSession);
  }

  void Send(Orders orders) override {
    for (const Orders& part : CutToMessages(std::move(orders))) {
      MessageInArena<v1::MasterMessage> message(kOrderBytes * part.orders.size());
      Encode(part, (*message).mutable_orders());
      if (!Post(*message, kOrdersWaitingBytes)) metrics_.OrdersDropped(part.orders.size());
    }
  }

  void EndSession(const Status& why) override { End(why); }

 private:
  void Received(v1::NodeMessage& message) override {
    if (!message.has_acks() || message.ByteSizeLong() > kShort || switchboard_.IsBusy()) {
      StepAside();
    }
    if (!greeted()) return Greet(message);
    switch (message.what_case()) {
      case v1::NodeMessage::kAcks:
        return TakeAcks(message.acks());
      case v1::NodeMessage::kGoodbye:
        switchboard_.Leave(node_);
        return End(Status::Ok());
      case v1::NodeMessage::kReport:
        return TakeReport(message.report());
      case v1::NodeMessage::kLend:
        return TakeLend(message.lend());
      case v1::NodeMessage::kTally:
        return TakeTally(message.tally());
      case v1::NodeMessage::kHello:
      case v1::NodeMessage::WHAT_NOT_SET:
        return End(InvalidArgumentError("a session takes one hello, and nothing that is empty"));
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
    SetGreeted();
    Hold();  // orders may come as soon as the node has joined; its welcome goes first
    const auto self = std::static_pointer_cast<SessionStream>(shared_from_this());
    switchboard_.Join(*hello, self,
                      [self, hello = *hello, version = *version](Result<Welcome> welcome) {
                        self->Joined(hello, version, std::move(welcome));
                      });
  }

  // Perhaps in another thread, and after the stream has ended.
  void Joined(const Hello& hello, uint32_t version, Result<Welcome> welcome) {
    if (!welcome.ok()) return Reject(welcome.status());
    if (ended_) switchboard_.SessionEnded(node_, this);
    welcome->version = version;
    welcome->software = KVSTORE_VERSION;
    v1::MasterMessage answer;
    Encode(*welcome, answer.mutable_welcome());
    LogJoined(hello);
    Release(answer);
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

  // Parts are read one after another, each when the catalog has taken the one before: a node that
  // reports much is slowed down by gRPC's flow control.
  void TakeReport(const v1::Report& message) {
    const Result<Report> report = Decode(message);
    const Status status =
        report.ok() ? switchboard_.HandleReport(node_, this, *report) : report.status();
    if (status.ok()) return;
    LOG(ERROR) << "the report of " << name_ << " was refused: " << status;
    End(status);
  }

  void TakeLend(const v1::Lend& message) {
    const Result<Lend> lend = Decode(message);
    if (!lend.ok()) return End(lend.status());
    const auto self = std::static_pointer_cast<SessionStream>(shared_from_this());
    switchboard_.HandleLend(node_, *lend, [self](const Status& status) {
      if (!status.ok()) self->End(status);
    });
  }

  void TakeTally(const v1::Tally& message) {
    const Result<ClientTally> tally = Decode(message);
    if (!tally.ok()) return End(tally.status());
    switchboard_.HandleTally(node_, *tally);
  }

  void Ended() override {
    ended_ = true;
    if (greeted()) {
      VLOG(1) << "the session of " << name_ << " has ended";
      switchboard_.SessionEnded(node_, this);
    }
    metrics_.StreamClosed(StreamKind::kSession);
  }

  const std::string address_;
  Switchboard& switchboard_;
  Metrics& metrics_;
  std::atomic<bool> ended_{false};
  // Set by the hello, before the switchboard knows the stream.
  Incarnation node_;
  std::string name_;
};

class HeartbeatStream final : public Stream<v1::Beat, v1::BeatReply> {
 public:
  HeartbeatStream(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                  Metrics& metrics)
      : Stream(std::move(call), &streams), switchboard_(switchboard), metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kHeartbeat);
  }

 private:
  void Received(v1::Beat& beat) override {
    SetGreeted();
    const bool known = switchboard_.Heard(Decode(beat).self);
    v1::BeatReply reply;
    Encode({switchboard_.term(), !known}, &reply);
    (void)Post(reply);  // dropped only when the stream is ending
  }

  void Ended() override { metrics_.StreamClosed(StreamKind::kHeartbeat); }

  Switchboard& switchboard_;
  Metrics& metrics_;
};

}  // namespace

void OpenSession(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                 Metrics& metrics) {
  std::make_shared<SessionStream>(std::move(call), switchboard, streams, metrics)
      ->Begin(BootClock::now());
}

void OpenHeartbeat(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
                   Metrics& metrics) {
  std::make_shared<HeartbeatStream>(std::move(call), switchboard, streams, metrics)
      ->Begin(BootClock::now());
}

}  // namespace kvstore::master
