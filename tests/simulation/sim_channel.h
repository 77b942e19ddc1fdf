#ifndef KVSTORE_TESTS_SIMULATION_SIM_CHANNEL_H_
#define KVSTORE_TESTS_SIMULATION_SIM_CHANNEL_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/verb_channel.h"
#include "simulation/scheduler.h"

namespace kvstore::simulation {

// The seam on which the product's client logic sends verbs, over the simulated network: messages
// are lost, repeated, late and overtaken. As over gRPC nothing is carried before the node's session
// has been welcomed, or after the stream broke. Confined to the baton.
class SimChannel final : public client::VerbChannel {
 public:
  // Brings a request of `from` under way to the master.
  using Carry = std::function<void(Incarnation from, const VerbRequest& request)>;

  SimChannel(Scheduler* scheduler, Process* process, Carry carry)
      : scheduler_(scheduler), process_(process), carry_(std::move(carry)) {}

  // The session has been welcomed as `self` in `term`: a stream is open, and what was sent before
  // is lost.
  void Attach(Incarnation self, uint64_t term);
  // The stream broke.
  void Lose(const std::string& why);
  // A reply to a request of `to` has come in, from the master of that term.
  void Deliver(Incarnation to, uint64_t term, VerbReply reply);

  void OnReply(std::function<void(VerbReply)> receiver) override {
    receiver_ = std::move(receiver);
  }
  std::optional<uint64_t> Send(const VerbRequest& request, TimePoint deadline) override;
  uint64_t epoch() const override { return epoch_; }
  uint64_t term() const override { return term_; }
  Status health() const override { return health_; }
  std::unique_ptr<client::Wakeup> NewWakeup() override;
  const Clock& clock() const override { return *process_; }
  Incarnation incarnation() const override { return self_; }

  uint64_t repeated() const { return repeated_; }

 private:
  class SimWakeup;

  void WakeAll();

  Scheduler* const scheduler_;
  Process* const process_;
  const Carry carry_;
  std::function<void(VerbReply)> receiver_;
  Incarnation self_;
  uint64_t term_ = 0;
  uint64_t epoch_ = 0;
  Status health_ = UnavailableError("not a member of the pool yet");
  std::vector<SimWakeup*> wakeups_;  // in the order of their making, the same in every run
  std::set<uint64_t> sent_;
  uint64_t repeated_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_CHANNEL_H_
