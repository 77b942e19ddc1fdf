#include "client/replicator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "client/copy_in.h"

namespace kvstore::client {
namespace {

// The message is for people; the codec allows some more.
constexpr size_t kMostText = 512;

}  // namespace

Replicator::Replicator(transfer::Engine& engine, std::function<void(CopyAck)> say)
    : Replicator(engine, std::move(say), Limits{}) {}

Replicator::Replicator(transfer::Engine& engine, std::function<void(CopyAck)> say,
                       const Limits& limits)
    : engine_(engine), say_(std::move(say)), limits_(limits) {}

Replicator::~Replicator() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mu_);
    closing_ = true;
    threads.swap(threads_);
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads) thread.join();
}

void Replicator::Take(const Orders& orders) {
  const bool any = std::any_of(orders.orders.begin(), orders.orders.end(), [](const Order& order) {
    return std::holds_alternative<CopyOrder>(order);
  });
  if (!any) return;
  {
    MutexLock lock(mu_);
    if (std::exchange(term_, orders.term) != orders.term) {
      ++epoch_;
      for (const Job& job : waiting_) known_.erase(NameOf(job.order));
      waiting_.clear();
    }
  }
  for (const Order& order : orders.orders) {
    if (const auto* copy = std::get_if<CopyOrder>(&order)) TakeOne(*copy, orders.peers);
  }
}

void Replicator::TakeOne(const CopyOrder& order, const std::vector<Peer>& peers) {
  std::optional<Status> outcome;
  {
    MutexLock lock(mu_);
    const auto found = known_.find(NameOf(order));
    if (found != known_.end()) {
      outcome = found->second;
    } else if (waiting_.size() >= limits_.queued) {
      outcome = ResourceExhaustedError("this node has " + std::to_string(waiting_.size()) +
                                       " copies to make");
    } else {
      const auto source = std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) {
        return peer.incarnation == order.from.segment.holder;
      });
      waiting_.push_back({order, source == peers.end() ? "" : source->descriptor, epoch_});
      known_[NameOf(order)] = std::nullopt;
      if (threads_.size() < std::min(limits_.threads, waiting_.size() + running_)) {
        threads_.emplace_back([this] { Work(); });
      }
      changed_.NotifyAll();
    }
  }
  if (outcome) Say(order, *outcome);
}

bool Replicator::MayBegin() const {
  if (waiting_.empty()) return false;
  return running_ == 0 || waiting_.front().order.size + bytes_running_ <= limits_.bytes_in_flight;
}

void Replicator::Work() {
  while (true) {
    Job job;
    {
      MutexLock lock(mu_);
      while (!closing_ && !MayBegin()) changed_.Wait(mu_);
      if (closing_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      ++running_;
      bytes_running_ += job.order.size;
    }
    const Status outcome = Execute(job);
    bool said = false;
    {
      MutexLock lock(mu_);
      --running_;
      bytes_running_ -= job.order.size;
      said = job.epoch == epoch_;
      Remember(job, outcome);
      changed_.NotifyAll();
    }
    if (said) Say(job.order, outcome);
  }
}

Status Replicator::Execute(const Job& job) {
  if (job.source.empty()) {
    return UnavailableError("the master did not say how the source is reached");
  }
  const auto seconds = static_cast<Duration::rep>(job.order.size / limits_.slowest);
  const TimePoint until = BootClock::now() + limits_.patience + std::chrono::seconds(seconds);
  return CopyIn(engine_, job.source, job.order, until, Clock::Boot(),
                [&] { return IsWanted(job); });
}

bool Replicator::IsWanted(const Job& job) const {
  MutexLock lock(mu_);
  return !closing_ && job.epoch == epoch_;
}

void Replicator::Remember(const Job& job, const Status& outcome) {
  known_[NameOf(job.order)] = outcome;
  ended_.push_back(NameOf(job.order));
  if (ended_.size() <= limits_.remembered) return;
  known_.erase(ended_.front());
  ended_.pop_front();
}

void Replicator::Say(const CopyOrder& order, const Status& outcome) {
  say_({order.put, order.segment, order.birth,
        Status(outcome.code(), outcome.message().substr(0, kMostText))});
}

}  // namespace kvstore::client
