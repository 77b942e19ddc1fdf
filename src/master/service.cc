#include "master/service.h"

#include <memory>
#include <string>
#include <utility>

#include "kvstore/v1/kvstore.pb.h"
#include "master/session.h"
#include "master/stream.h"
#include "proto/codec.h"

namespace kvstore::master {
namespace {

// Requests that are no longer are dealt with in less time than another thread takes to wake up.
constexpr size_t kShort = 8u << 10;

// One caller's verbs: requests in, answers out, in any order and in parts.
class VerbStream final : public Stream<v1::VerbMessage, v1::VerbReplyMessage>, public VerbPort {
 public:
  VerbStream(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
             Metrics& metrics)
      : Stream(std::move(call), &streams), switchboard_(switchboard), metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kVerbs);
  }

  void Send(VerbReply reply) override {
    metrics_.Answered(reply);
    for (const VerbReply& part : CutToMessages(std::move(reply))) {
      v1::VerbReplyMessage message;
      Encode(part, switchboard_.term(), &message);
      if (!Post(message)) {
        // A caller that takes nothing any more; on its next stream it asks again.
        End(ResourceExhaustedError("more than " + std::to_string(kOutboxLimitBytes) +
                                   " bytes of answers wait for this stream; read them"));
      }
    }
  }

  void EndVerbs(const Status& why) override { End(why); }

 private:
  void Received(v1::VerbMessage& message) override {
    if (!greeted()) return Greet(message);
    if (!message.has_request()) {
      return End(InvalidArgumentError("a message that is no request; a hello comes only once"));
    }
    if (message.ByteSizeLong() > kShort || switchboard_.IsBusy()) StepAside();
    const TimePoint begin = BootClock::now();
    v1::VerbRequest& wire = *message.mutable_request();
    const Result<VerbRequest> request = Decode(std::move(wire));
    if (!request.ok()) return Refuse(wire, request.status());
    switchboard_.Handle(caller_, *request);
    metrics_.Handled(*request, BootClock::now() - begin);
  }

  void Greet(const v1::VerbMessage& message) {
    if (!message.has_hello()) {
      return End(InvalidArgumentError("the first message of a verb stream must be a hello"));
    }
    const VerbHello hello = Decode(message.hello());
    const Result<uint32_t> version =
        ChooseVersion(hello.oldest_version, hello.newest_version, "the node");
    if (!version.ok()) return End(version.status());
    caller_ = hello.self;
    const Status opened = switchboard_.OpenVerbs(
        caller_, hello.term, std::static_pointer_cast<VerbStream>(shared_from_this()));
    if (!opened.ok()) return End(opened);
    SetGreeted();
  }

  // What Decode refused still says how many items it has, of which kind: Decode keeps that.
  void Refuse(const v1::VerbRequest& wire, const Status& why) {
    metrics_.Refused();
    Result<VerbReply> refusal = Refusal(wire, why);
    if (!refusal.ok()) return End(refusal.status());
    Send(std::move(*refusal));
  }

  void Ended() override {
    switchboard_.VerbsEnded(caller_, this);
    metrics_.StreamClosed(StreamKind::kVerbs);
  }

  Switchboard& switchboard_;
  Metrics& metrics_;
  Incarnation caller_;  // confined to Received and, after the last of it, Ended
};

}  // namespace

void ServeMaster(Switchboard& switchboard, StreamTable& streams, Metrics& metrics, Calls* calls) {
  calls->Serve("/kvstore.v1.Master/Session", [&](std::unique_ptr<Call> call) {
    OpenSession(std::move(call), switchboard, streams, metrics);
  });
  calls->Serve("/kvstore.v1.Master/Heartbeat", [&](std::unique_ptr<Call> call) {
    OpenHeartbeat(std::move(call), switchboard, streams, metrics);
  });
  calls->Serve("/kvstore.v1.Master/Verbs", [&](std::unique_ptr<Call> call) {
    std::make_shared<VerbStream>(std::move(call), switchboard, streams, metrics)
        ->Begin(BootClock::now());
  });
}

}  // namespace kvstore::master
