#include "master/calls.h"

#include "master/stream.h"

namespace kvstore::master {
namespace {

// Serves no method.
class Refused final : public Stream<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  using Stream::Stream;

 private:
  void Received(grpc::ByteBuffer&) override {}
  void Ended() override {}
};

}  // namespace

void Calls::Begin(Poller* poller) {
  poller_ = poller;
  AwaitNext();
}

void Calls::AwaitNext() {
  next_ = std::make_unique<Call>(*poller_);
  next_->context.AsyncNotifyWhenDone(poller_->Tag(&next_->over));
  service_.RequestCall(&next_->context, &next_->wire, poller_->queue(), poller_->queue(),
                       poller_->Tag(this));
}

void Calls::Done(bool ok) {
  if (!ok) return;  // the server is shut down
  std::unique_ptr<Call> call = std::move(next_);
  AwaitNext();
  const auto served = methods_.find(call->context.method());
  if (served != methods_.end()) return served->second(std::move(call));
  const std::string method = call->context.method();
  const auto refused = std::make_shared<Refused>(std::move(call), nullptr);
  refused->Begin(BootClock::now());
  refused->End(UnimplementedError("this master has no " + method));
}

}  // namespace kvstore::master
