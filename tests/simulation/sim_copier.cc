#include "simulation/sim_copier.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "client/copy_in.h"

namespace kvstore::simulation {

using std::chrono::seconds;

void SimCopier::Take(const Orders& orders) {
  if (orders.term != term_) known_.clear();
  term_ = orders.term;
  for (const Order& order : orders.orders) {
    const auto* const copy = std::get_if<CopyOrder>(&order);
    if (copy == nullptr) continue;
    const auto [known, is_new] = known_.try_emplace({copy->put, copy->segment, copy->birth});
    if (!is_new) {
      if (known->second) say_({copy->put, copy->segment, copy->birth, *known->second});
      continue;
    }
    const auto source = std::find_if(orders.peers.begin(), orders.peers.end(), [&](const Peer& p) {
      return p.incarnation == copy->from.segment.holder;
    });
    Begin(*copy, source == orders.peers.end() ? std::string() : source->descriptor);
  }
}

void SimCopier::Begin(const CopyOrder& order, const std::string& source) {
  scheduler_->Spawn(process_, [this, order, source, term = term_] {
    const Status status =
        client::CopyIn(*engine_, source, order, process_->Now() + seconds(2), *process_,
                       [this, term] { return term == term_ && !process_->dead(); });
    if (process_->dead() || term != term_) return;
    known_[{order.put, order.segment, order.birth}] = status;
    if (status.ok()) ++copied_;
    say_({order.put, order.segment, order.birth, status});
  });
}

}  // namespace kvstore::simulation
