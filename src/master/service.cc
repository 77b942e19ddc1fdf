#include "master/service.h"

#include <memory>
#include <string>
#include <utility>

#include "master/session.h"
#include "master/stream.h"
#include "proto/codec.h"

namespace kvstore::master {
namespace {

// One caller's verbs: requests in, answers out, in any order and in parts.
class VerbStream final : public Stream<v1::VerbMessage, v1::VerbReplyMessage>, public VerbPort {
 public:
  VerbStream(Switchboard& switchboard, StreamTable& streams, Metrics& metrics)
      : Stream(streams), switchboard_(switchboard), metrics_(metrics) {
    metrics_.StreamOpened(StreamKind::kVerbs);
  }

  void Send(VerbReply reply) override {
    metrics_.Answered(reply);
    for (const VerbReply& part : CutToMessages(std::move(reply))) {
      v1::VerbReplyMessage message;
      Encode(part, switchboard_.term(), &message);
      if (!Post(std::move(message))) {
        // A caller that takes nothing any more; on its next stream it asks again.
        End(ResourceExhaustedError("more than " + std::to_string(kOutboxLimitBytes) +
                                   " bytes of answers wait for this stream; read them"));
      }
    }
  }

  void EndVerbs(const Status& why) override { End(why); }

 private:
  void Received(v1::VerbMessage message) override {
    if (!greeted()) return Greet(message);
    if (!message.has_request()) {
      return End(InvalidArgumentError("a message that is no request; a hello comes only once"));
    }
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

grpc::ServerBidiReactor<v1::NodeMessage, v1::MasterMessage>* MasterService::Session(
    grpc::CallbackServerContext* context) {
  return OpenSession(context->peer(), switchboard_, streams_, metrics_);
}

grpc::ServerBidiReactor<v1::Beat, v1::BeatReply>* MasterService::Heartbeat(
    grpc::CallbackServerContext*) {
  return OpenHeartbeat(switchboard_, streams_, metrics_);
}

grpc::ServerBidiReactor<v1::VerbMessage, v1::VerbReplyMessage>* MasterService::Verbs(
    grpc::CallbackServerContext*) {
  return std::make_shared<VerbStream>(switchboard_, streams_, metrics_)->Begin(BootClock::now());
}

}  // namespace kvstore::master
