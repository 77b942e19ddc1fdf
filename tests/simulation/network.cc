#include "simulation/network.h"

#include <utility>

namespace kvstore::simulation {

using std::chrono::milliseconds;

namespace {
constexpr Duration kRetransmission = milliseconds(20);
constexpr Duration kLatestAfterBreak = milliseconds(1500);
}  // namespace

Network::Network(Scheduler* scheduler, size_t places, const NetworkOptions& options)
    : scheduler_(scheduler), options_(options), cut_(places, std::vector<bool>(places, false)) {}

Duration Network::Latency() {
  Random& random = scheduler_->random();
  if (random.Chance(options_.slow)) return random.Between(options_.usual, options_.slowest);
  return random.Between(options_.fastest, options_.usual);
}

void Network::Send(Place from, Place to, Process* receiver, const std::function<void()>& arrive) {
  Random& random = scheduler_->random();
  const int times = random.Chance(options_.duplication) ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    if (IsCut(from, to) || random.Chance(options_.loss)) continue;
    scheduler_->After(Latency(), receiver, [this, from, to, arrive] {
      if (!IsCut(from, to)) arrive();
    });
  }
}

void Network::MendAll() {
  for (auto& row : cut_) row.assign(row.size(), false);
}

Pipe::Pipe(Network* network, Place from, Place to, Process* receiver)
    : network_(network), from_(from), to_(to), receiver_(receiver) {}

void Pipe::Send(std::function<void()> arrive) {
  if (broken_) return;
  under_way_.push_back(std::move(arrive));
  if (arriving_) return;
  arriving_ = true;
  network_->scheduler()->After(network_->Latency(), receiver_, [this] { Arrive(); });
}

void Pipe::Arrive() {
  if (broken_) return;
  Scheduler* scheduler = network_->scheduler();
  const auto again = [this] { Arrive(); };
  if (network_->IsCut(from_, to_)) {
    scheduler->After(kRetransmission, receiver_, again);
    return;
  }
  const std::function<void()> arrive = std::move(under_way_.front());
  under_way_.pop_front();
  if (under_way_.empty()) {
    arriving_ = false;
  } else {
    // What follows is close behind, on the whole.
    scheduler->After(network_->Latency() / 4, receiver_, again);
  }
  arrive();
}

void Pipe::Break() {
  if (broken_) return;
  broken_ = true;
  Scheduler* scheduler = network_->scheduler();
  Random& random = scheduler->random();
  const size_t still_arriving = random.Below(under_way_.size() + 1);
  Instant when = scheduler->now();
  for (size_t i = 0; i < still_arriving; ++i) {
    when += random.Between(Duration(0), kLatestAfterBreak);
    const std::function<void()>& arrive = under_way_[i];
    scheduler->At(when, receiver_, arrive);
    if (random.Chance(network_->options().duplication)) {
      scheduler->At(when + random.Between(Duration(0), kLatestAfterBreak), receiver_, arrive);
    }
  }
  under_way_.clear();
}

}  // namespace kvstore::simulation
