#include "simulation/sim_channel.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace kvstore::simulation {

using std::chrono::microseconds;

class SimChannel::SimWakeup final : public client::Wakeup {
 public:
  explicit SimWakeup(SimChannel* channel) : channel_(channel) {
    channel_->wakeups_.push_back(this);
  }
  ~SimWakeup() override {
    auto& all = channel_->wakeups_;
    all.erase(std::remove(all.begin(), all.end(), this), all.end());
  }

  void WaitUntil(TimePoint until) override {
    if (!notified_) {
      waiter_ = channel_->scheduler_->NextWait();
      channel_->scheduler_->WaitUntil(channel_->process_->WhenShown(until));
      waiter_.reset();
    }
    notified_ = false;
  }

  void Notify() override {
    notified_ = true;
    if (!waiter_.has_value()) return;
    // The operating system takes its time to run a thread that is woken.
    Random& random = channel_->scheduler_->random();
    channel_->scheduler_->Wake(*waiter_, random.Between(microseconds(1), microseconds(200)));
    waiter_.reset();
  }

 private:
  SimChannel* const channel_;
  bool notified_ = false;
  std::optional<Scheduler::Waiter> waiter_;
};

std::unique_ptr<client::Wakeup> SimChannel::NewWakeup() {
  return std::make_unique<SimWakeup>(this);
}

void SimChannel::Attach(Incarnation self, uint64_t term) {
  self_ = self;
  term_ = term;
  health_ = Status::Ok();
  ++epoch_;
  WakeAll();
}

void SimChannel::Lose(const std::string& why) {
  health_ = UnavailableError(why);
  ++epoch_;
  WakeAll();
}

void SimChannel::WakeAll() {
  for (SimWakeup* wakeup : wakeups_) wakeup->Notify();
}

void SimChannel::Deliver(Incarnation to, uint64_t term, VerbReply reply) {
  if (to == self_ && term == term_ && health_.ok()) receiver_(std::move(reply));
}

std::optional<uint64_t> SimChannel::Send(const VerbRequest& request, TimePoint /*deadline*/) {
  if (!health_.ok() || process_->dead()) return std::nullopt;
  if (!sent_.insert(request.id).second) ++repeated_;
  carry_(self_, request);
  return term_;
}

}  // namespace kvstore::simulation
