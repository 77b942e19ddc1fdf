#ifndef KVSTORE_TESTS_FAKES_FAKE_CHANNEL_H_
#define KVSTORE_TESTS_FAKES_FAKE_CHANNEL_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "client/verb_channel.h"
#include "fakes/fake_clock.h"

namespace kvstore::testing {

// A channel whose far end is the test. It keeps what was sent; `on_send` may answer, now or later;
// whoever waits makes time pass up to the next thing that is to happen. Confined to one thread.
class FakeChannel final : public client::VerbChannel {
 public:
  struct Sent {
    TimePoint at;
    VerbRequest request;
  };

  // What the far end does with a request that was sent; null: nothing.
  std::function<void(const VerbRequest&)> on_send;
  // What happens between the caller's last look at the channel and the next sending, once.
  std::function<void()> before_send;
  // All that was sent, in order.
  std::vector<Sent> sent;
  Status health_now;
  std::optional<TimePoint> gives_up_now;
  bool drops = false;  // what it is given to send, after keeping it
  Incarnation incarnation_now{1, 1};
  uint64_t term_now = 1;

  void Reply(VerbReply reply) { receiver_(std::move(reply)); }
  void At(Duration from_now, std::function<void()> event) {
    events_.emplace(clock_.Now() + from_now, std::move(event));
  }
  // The master is lost, and waited for so long: who waits is told.
  void LoseMaster(Duration patience) {
    health_now = UnavailableError("the master is lost");
    gives_up_now = clock_.Now() + patience;
    drops = true;
    woken_ = true;
  }
  // The stream broke and was opened anew: who waits is told.
  void Reconnect() {
    ++epoch_;
    woken_ = true;
  }
  FakeClock& fake_clock() { return clock_; }

  void OnReply(std::function<void(VerbReply)> receiver) override {
    receiver_ = std::move(receiver);
  }
  std::optional<uint64_t> Send(const VerbRequest& request, TimePoint) override {
    if (before_send) std::exchange(before_send, nullptr)();
    sent.push_back({clock_.Now(), request});
    if (drops) return std::nullopt;
    const uint64_t term = term_now;
    if (on_send) on_send(request);
    return term;
  }
  uint64_t epoch() const override { return epoch_; }
  uint64_t term() const override { return term_now; }
  Status health() const override { return health_now; }
  std::optional<TimePoint> gives_up_at() const override { return gives_up_now; }
  std::unique_ptr<client::Wakeup> NewWakeup() override { return std::make_unique<Sleep>(*this); }
  const Clock& clock() const override { return clock_; }
  Incarnation incarnation() const override { return incarnation_now; }

 private:
  class Sleep final : public client::Wakeup {
   public:
    explicit Sleep(FakeChannel& channel) : channel_(channel) {}
    void WaitUntil(TimePoint until) override { channel_.Pass(until); }
    void Notify() override { channel_.woken_ = true; }

   private:
    FakeChannel& channel_;
  };

  // Lets things happen, in order, until one of them wakes the waiter or `until` has come.
  void Pass(TimePoint until) {
    while (!std::exchange(woken_, false)) {
      const auto next = events_.begin();
      if (next == events_.end() || next->first > until) return clock_.AdvanceTo(until);
      clock_.AdvanceTo(next->first);
      const std::function<void()> event = std::move(next->second);
      events_.erase(next);
      event();
    }
  }

  FakeClock clock_;
  std::multimap<TimePoint, std::function<void()>> events_;
  std::function<void(VerbReply)> receiver_;
  uint64_t epoch_ = 1;
  bool woken_ = false;
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_CHANNEL_H_
